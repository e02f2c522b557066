"""The program from its command line to its files, and what it refuses."""

import csv
import shutil

import pytest
import torch

import kernels
from kernels import bench
from kernels.bench import program
from kernels.bench.case import Draw
from kernels.bench.cases import CASES
from kernels.bench.race import Conditions, race
from kernels.bench.result import COPY
from kernels.bench.rivals import COMPILED, EAGER, OURS


@pytest.mark.usefixtures("no_compiler")
def test_the_program_prints_writes_and_draws_every_case(tmp_path, capsys):
    file, picture = tmp_path / "bench.csv", tmp_path / "bench.png"
    arguments = ["--op", "rms_norm", "--sizes", "3,8", "--threads", "1", "--repeats", "3"]
    assert bench.main([*arguments, "--csv", str(file), "--plot", str(picture)]) == 0
    printed = capsys.readouterr().out
    with file.open(newline="") as opened:
        rows = list(csv.DictReader(opened))
    assert [(row["size"], row["passes"], row["rival"]) for row in rows] == [
        (size, passes, rival)
        for passes in ("forward", "forward and backward")
        for size in ("3", "8")
        for rival in (OURS, EAGER)
    ]
    assert all(
        value for row in rows for key, value in row.items() if key not in ("variant", "launch_seconds")
    )
    x, weight = CASES["rms_norm"].inputs(8, Draw())
    assert rows[2]["bytes"] == str(kernels.ledger("rms_norm", x, weight).bytes)
    assert int(rows[6]["bytes"]) > 2 * int(rows[2]["bytes"])
    assert printed.count("torch.compile is left out: RuntimeError: No working C++ compiler found") == 4
    assert "rms_norm 8, float32, forward and backward" in printed
    assert printed.count("geometric mean *") == 4
    assert "not measured" in printed
    assert "memory-bound cases" not in printed  # goals over all operations, which one operation cannot miss
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.usefixtures("no_compiler")
def test_forward_only_in_half_precision(capsys):
    arguments = [
        "--op",
        "bias_gelu",
        "--sizes",
        "4",
        "--threads",
        "1",
        "--repeats",
        "3",
        "--dtype",
        "bfloat16",
    ]
    assert bench.main([*arguments, "--forward-only"]) == 0
    printed = capsys.readouterr().out
    assert "bias_gelu 4, bfloat16, forward:" in printed
    assert "backward" not in printed


@pytest.mark.usefixtures("no_compiler")
def test_an_operation_that_fails_is_told_and_the_others_go_on(monkeypatch, capsys):
    def fails(*inputs, **options):
        raise RuntimeError("out of registers")

    monkeypatch.setattr(kernels, "rms_norm", fails)
    monkeypatch.setattr(program, "CASES", {name: CASES[name] for name in ("rms_norm", "bias_gelu")})
    assert bench.main(["--sizes", "4", "--threads", "1", "--repeats", "3", "--forward-only"]) == 1
    printed = capsys.readouterr().out
    assert "rms_norm 4 FAILED: RuntimeError: out of registers" in printed
    assert "bias_gelu 4, float32, forward:" in printed


@pytest.mark.usefixtures("no_compiler")
def test_every_race_has_a_copy_of_as_many_bytes():
    for name in ("rms_norm", "adamw_step"):
        result = race(CASES[name], 16, False, Conditions(repeats=3))
        assert next(iter(result.timing.samples)) == OURS
        assert list(result.timing.samples)[-1] == COPY
        assert result.peaks.keys() == result.timing.samples.keys() - {COPY}
        assert result.launches == {}


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("g++"), reason="torch.compile needs a C++ compiler")
def test_torch_compile_takes_part():
    result = race(CASES["bias_gelu"], 8, False, Conditions(repeats=3))
    assert list(result.timing.samples) == [OURS, EAGER, COMPILED, COPY]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_race_on_a_gpu():
    result = race(CASES["rms_norm"], 64, True, Conditions(device="cuda", repeats=3))
    assert result.timing.clock == "CUDA events"
    assert result.launches[OURS] > 0
    assert result.peaks[OURS] >= 64 * 64 * 4


@pytest.mark.parametrize(
    "arguments",
    [
        ["--sizes", "0"],
        ["--sizes", "8,x"],
        ["--sizes", ""],
        ["--op", "nothing"],
        ["--threads", "0"],
        ["--repeats", "2"],
        ["--dtype", "int8"],
        ["--plot", "bench.txt"],
        ["--csv", "nowhere/bench.csv"],
        ["--plot", "nowhere/bench.png"],
    ],
)
def test_bad_arguments_are_refused_before_anything_runs(arguments, capsys, monkeypatch):
    monkeypatch.setattr(program, "race", lambda *_: pytest.fail("ran"))
    with pytest.raises(SystemExit) as stopped:
        bench.main(arguments)
    assert stopped.value.code == 2
    assert arguments[0] in capsys.readouterr().err
