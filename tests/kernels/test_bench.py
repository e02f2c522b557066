"""The benchmark is fair and complete: same results, same inputs, own outputs, every figure from the timing it names."""

import csv
import shutil

import pytest
import torch

import kernels
from kernels import bench
from kernels.bench import CASES, COMPILED, COPY, EAGER, OURS, Result
from workbench.profiling.timing import Timing


@pytest.fixture
def no_compiler(monkeypatch):
    """torch.compile as it is where there is no C++ compiler."""

    def compile(function, **options):
        def fails(*inputs):
            raise RuntimeError("No working C++ compiler found")

        return fails

    monkeypatch.setattr(torch, "compile", compile)


@pytest.mark.parametrize("size", [1, 7, 64])
@pytest.mark.parametrize("name", list(CASES))
def test_rivals_compute_the_same(name, size):
    case = CASES[name]
    inputs = tuple(tensor.requires_grad_() for tensor in case.inputs(size))
    for gradient in (None, torch.randn(size, size)):
        ours, theirs = (bench._call(function, inputs, gradient)() for function in (case.ours, case.torch))
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", list(CASES))
def test_every_call_allocates_its_own_result_and_leaves_the_inputs(name):
    case = CASES[name]
    inputs = case.inputs(8)
    before = [tensor.clone() for tensor in inputs]
    for function in (case.ours, case.torch):
        first, second = (bench._call(function, inputs, None)() for _ in range(2))
        first, second = (
            result if isinstance(result, torch.Tensor) else result[0] for result in (first, second)
        )
        assert len({tensor.data_ptr() for tensor in (first, second, *inputs)}) == 2 + len(inputs)
    assert all(torch.equal(a, b) for a, b in zip(before, inputs, strict=True))


def test_every_public_operation_is_benchmarked():
    operations = {name for name in kernels.__all__ if name.islower() and name != "ledger"}
    assert set(CASES) == operations


def test_figures_come_from_the_ledger_and_the_timing():
    timing = Timing(
        {OURS: (2.0,) * 3, EAGER: (6.0,) * 3, COPY: (1.0,) * 3},
        clock="thread CPU time",
        cores=2,
        threads=1,
        cpu_share=1.0,
    )
    result = Result("bias_gelu", 8, "forward", bytes=int(12e9), copied=int(8e9), timing=timing)
    ours, eager = result.rows()
    assert (ours["rival"], eager["rival"]) == (OURS, EAGER)
    assert ours["gigabytes_per_second"] == pytest.approx(6.0)
    assert eager["gigabytes_per_second"] == pytest.approx(2.0)
    assert ours["share_of_copy"] == pytest.approx(0.75)
    assert eager["times_slower_than_ours"] == pytest.approx(3.0)
    text = str(result)
    assert "a copy moves 8 GB/s" in text
    assert "75% of copy" in text
    assert "ours is 3.00× as fast" in text
    assert timing.state in text


@pytest.mark.usefixtures("no_compiler")
def test_the_program_prints_and_writes_every_case(tmp_path, capsys):
    file = tmp_path / "bench.csv"
    arguments = ["--op", "rms_norm", "--sizes", "3,8", "--threads", "1", "--repeats", "3", "--csv", str(file)]
    assert bench.main(arguments) == 0
    printed = capsys.readouterr().out
    with file.open(newline="") as opened:
        rows = list(csv.DictReader(opened))
    assert [(row["size"], row["passes"], row["rival"]) for row in rows] == [
        (size, passes, rival)
        for size in ("3", "8")
        for passes in ("forward", "forward and backward")
        for rival in (OURS, EAGER)
    ]
    x, weight = CASES["rms_norm"].inputs(8)
    assert rows[4]["bytes"] == str(kernels.ledger("rms_norm", x, weight).bytes)
    assert int(rows[6]["bytes"]) > 2 * int(rows[4]["bytes"])
    assert printed.count("torch.compile is left out: RuntimeError: No working C++ compiler found") == 4
    assert "rms_norm 8×8 float32, forward and backward" in printed


@pytest.mark.parametrize("name", list(CASES))
def test_backward_bytes_are_those_of_its_passes(name):
    case = CASES[name]
    inputs = case.inputs(16)
    assert case.backward_bytes(*inputs) >= 3 * 16 * 16 * 4  # gradient and input read, a gradient written


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("g++"), reason="torch.compile needs a C++ compiler")
def test_torch_compile_takes_part():
    result = bench.run("bias_gelu", 8, False, "cpu", threads=1, repeats=3)
    assert list(result.timing.samples) == [OURS, EAGER, COMPILED, COPY]


@pytest.mark.parametrize(
    "arguments",
    [["--sizes", "0"], ["--sizes", "8,x"], ["--sizes", ""], ["--op", "nothing"], ["--threads", "0"]],
)
def test_bad_arguments_are_refused(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        bench.main(arguments)
    assert stopped.value.code == 2
    assert arguments[0] in capsys.readouterr().err
