"""Exercises whose answer is a GPU kernel: run as it is, hazards named, budgets counted, x-ray of the reader's own."""

import dataclasses

import numpy as np
import pytest
import torch

from kernels import simt
from kernels.backend import cuda, gpu_kernel
from workbench.exercises import Exercise, KernelRun, find, grade, kernel_run, prove

RUN = KernelRun(outputs=lambda x: (torch.empty_like(x),), grid=lambda x: -(-len(x) // 32), block=32)


@gpu_kernel
def twice(x, out):
    i = cuda.grid(1)
    if i < x.shape[0]:
        out[i] = x[i] + x[i]


@gpu_kernel
def _every_second(x, out):
    """All places are to be written."""
    i = cuda.grid(1)
    if i < x.shape[0] and i % 2 == 0:
        out[i] = x[i] + x[i]


TWICE = Exercise(
    name="local.twice",
    lesson="local",
    title="Twice",
    statement="Twice x.",
    signature="twice(x, out)",
    solution=twice,
    wrong={"writes every second place": _every_second},
    inputs=lambda rng: {
        "small": (torch.from_numpy(rng.standard_normal(3)),),
        "ragged": (torch.from_numpy(rng.standard_normal(77)),),
        "extreme": (torch.full((2,), 1e30),),
    },
    hints=("a", "b", "c"),
    run=RUN,
    budgets={"one load": RUN.budget("global_load_requests", lambda x: 2 * -(-len(x) // 32), "load requests")},
)


def test_an_exercise_with_a_kernel_is_sound():
    prove(TWICE)


def test_a_place_that_nobody_has_written_is_seen():
    result = grade(TWICE, _every_second)
    assert "nan" in result.counterexample.got


def test_a_plain_function_is_a_kernel_too():
    def plain(x, out):
        i = cuda.grid(1)
        if i < x.shape[0]:
            out[i] = x[i] + x[i]

    assert grade(TWICE, plain).right


@pytest.mark.parametrize("body", ["...", "pass", "i = cuda.grid(1)", "return"])
def test_a_kernel_that_writes_nothing_is_not_attempted(body):
    namespace = {"cuda": cuda}
    exec(f"def twice(x, out):\n    {body}\n", namespace)
    result = grade(TWICE, gpu_kernel(namespace["twice"]))
    assert result.status == "not attempted"
    assert "writes to none of its outputs" in result.message


def test_a_kernel_that_sometimes_writes_nothing_is_wrong():
    @gpu_kernel
    def large_only(x, out):
        i = cuda.grid(1)
        if x.shape[0] > 10 and i < x.shape[0]:
            out[i] = x[i] + x[i]

    result = grade(TWICE, large_only)
    assert result.status == "wrong"
    assert "NothingWritten" in result.message


def test_a_hazard_is_named_with_the_readers_line():
    @gpu_kernel
    def no_guard(x, out):
        i = cuda.grid(1)
        out[i] = x[i] + x[i]  # beyond the end

    result = grade(TWICE, no_guard)
    assert "raises OutOfBounds" in result.message
    assert "out[i] = x[i] + x[i]  # beyond the end" in result.counterexample.got
    assert __file__ not in repr(result)


def test_a_race_is_wrong_although_lockstep_gets_the_right_numbers():
    @gpu_kernel
    def racy(x, out):
        seen = cuda.shared.array(32, np.float64)
        i, lane = cuda.grid(1), cuda.threadIdx.x
        if i < x.shape[0]:
            seen[lane] = x[i]
            out[i] = seen[lane] + seen[lane]
        if lane > 0 and i < x.shape[0]:
            out[i - 1] = x[i - 1] + x[i - 1] + 0 * seen[lane - 1]

    assert "DataRace" in grade(TWICE, racy).message


def test_what_is_no_kernel_is_wrong_and_not_a_crash():
    assert grade(TWICE, lambda x, out: out.copy_(x + x)).status == "wrong"
    assert "twice(x, out)" in grade(TWICE, lambda x: x).message


def test_what_the_simulated_gpu_cannot_run_is_an_attempt():
    @gpu_kernel
    def slices(x, out):
        out[:] = x[:] + x[:]

    result = grade(TWICE, slices)
    assert result.status == "wrong"
    assert "UnsupportedError" in result.counterexample.got
    assert "out[:] = x[:] + x[:]" in result.counterexample.got


def test_an_endless_loop_is_stopped_once_and_soon():
    launches = []

    class Counted(KernelRun):
        def launch(self, kernel, *inputs, **options):
            launches.append(kernel)
            return super().launch(kernel, *inputs, **options)

    @gpu_kernel
    def endless(x, out):
        distance = 16
        while distance > 0:
            out[0] = x[0]

    task = dataclasses.replace(TWICE, run=Counted(RUN.outputs, RUN.grid, RUN.block))
    result = grade(task, endless)
    assert "Wrong on 1 of 1 inputs: it does not end" in result.message
    assert result.counterexample.got.endswith("out[0] = x[0])")
    assert "step_limit" not in result.counterexample.got
    assert len(launches) == 2  # the solution's and this one's


def test_a_value_has_the_name_of_the_output_that_it_stands_in():
    result = grade(TWICE, _every_second)
    assert "'out', at [1]: expected " in result.message
    assert result.counterexample.expected.startswith("{'out': float32 Tensor")


def test_a_kernel_that_changes_its_input_is_noticed():
    @gpu_kernel
    def spoils(x, out):
        i = cuda.grid(1)
        if i < x.shape[0]:
            out[i] = x[i] + x[i]
            x[i] = 0.0

    assert "changes its argument `x`" in grade(TWICE, spoils).message


def test_costs_are_counted_and_named():
    @gpu_kernel
    def wasteful(x, out):
        i = cuda.grid(1)
        if i < x.shape[0]:
            out[i] = x[i] + x[i] + (x[i] - x[i])

    assert "takes 4 load requests where 2 suffice (budget: one load)" in grade(TWICE, wasteful).message


def test_the_x_ray_shows_the_readers_own_kernel_hazards_included():
    run = kernel_run.launch(TWICE, twice)
    assert isinstance(run, simt.Run)
    assert run.grid == (3,)
    assert not run.hazards

    @gpu_kernel
    def no_guard(x, out):
        i = cuda.grid(1)
        out[i] = x[i] + x[i]

    run = kernel_run.launch(TWICE, no_guard, "small")
    assert {hazard.kind for hazard in run.hazards} == {"OutOfBounds"}
    assert "x-ray of no_guard" in repr(kernel_run.xray(TWICE, no_guard, "small")).lower()


def test_the_x_ray_of_what_does_not_compile_is_the_solutions_with_a_line_that_says_why(capsys):
    @gpu_kernel
    def unknown(x, out):
        out[0] = x[0] * HALFF  # noqa: F821

    @gpu_kernel
    def slices(x, out):
        out[:] = x[:] + x[:]

    for kernel, why in (
        (unknown, "name 'HALFF' is not defined"),
        (slices, "is not simulated"),
        (None, "NoneType"),
    ):
        shown = kernel_run.xray(TWICE, kernel)
        assert "x-ray of twice" in repr(shown).lower()
        said = capsys.readouterr().out
        assert why in said
        assert said.count("\n") == 1
    assert "x-ray of twice" in repr(kernel_run.xray(TWICE, lambda x, out: None)).lower()
    assert not capsys.readouterr().out  # the page says what is shown as long as nothing is written


def test_the_x_ray_refuses_what_it_cannot_show():
    with pytest.raises(ValueError, match=r"expected one that asks for a GPU kernel, got 'fusion\.gate'"):
        kernel_run.xray("fusion.gate", twice)
    with pytest.raises(ValueError, match="label: expected one of"):
        kernel_run.launch("fusion.bias_gelu_kernel", find("fusion.bias_gelu_kernel").solution, "nowhere")


SUM = dataclasses.replace(
    find("fusion.row_sum"),
    wrong={
        name: find("fusion.row_sum").wrong[name]
        for name in (
            "reads a share before it is sure to be there",
            "writes the first thread's share for the sum",
        )
    },
)


def _row_sum(text):
    """A kernel that adds up a row, from the lines that come after each thread has its share."""
    lines = [
        "def row_sum(x, out):",
        "    t, d, share = cuda.threadIdx.x, 32, np.float32(0)",
        "    shared = cuda.shared.array(64, np.float32)",
        "    for c in range(t, x.shape[1], 64):",
        "        share += x[cuda.blockIdx.x, c]",
        *("    " + line for line in text.splitlines()),
    ]
    namespace = {"cuda": cuda, "np": np}
    exec("\n".join(lines), namespace)
    return namespace["row_sum"]


@pytest.mark.parametrize(
    "text",
    [
        "shared[t] = share\ncuda.syncthreads()\nwhile d > 0:\n    if t < d:\n        shared[t] += shared[t + d]\n"
        "    d //= 2\nif t == 0:\n    out[cuda.blockIdx.x] = shared[0]",
        "shared[t] = share\nif t == 0:\n    for i in range(1, 64):\n        share += shared[i]\n"
        "    out[cuda.blockIdx.x] = share",
    ],
    ids=["in the loop", "after the shares"],
)
def test_a_missing_barrier_is_recognized_wherever_it_is_missing(text):
    assert grade(SUM, _row_sum(text)).misconception == "reads a share before it is sure to be there"


def test_a_barrier_for_some_is_not_taken_for_a_missing_one():
    text = (
        "shared[t] = share\ncuda.syncthreads()\nwhile d > 0:\n    if t < d:\n        shared[t] += shared[t + d]\n"
        "        cuda.syncthreads()\n    d //= 2\nif t == 0:\n    out[cuda.blockIdx.x] = shared[0]"
    )
    result = grade(SUM, _row_sum(text))
    assert result.status == "wrong"
    assert result.misconception is None
