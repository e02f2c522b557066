"""Every wrong kernel of the folder `wrong` is caught: the kind, the line, the threads; and its correction is clean."""

import re
from importlib import metadata

import numpy as np
import pytest
from numba import float32, int32
from wrong.collected import CASES

from kernels import simt
from kernels.backend import cuda
from kernels.compiled import inspect
from kernels.simt.hazards import Hazard
from kernels.simt.language.typed import type_of

KINDS = {kind.__name__: kind for kind in Hazard.__subclasses__()}

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
every_correction = pytest.mark.parametrize(
    "case", [case for case in CASES if case.fixed()], ids=lambda case: case.name
)
in_every_order = pytest.mark.parametrize("seed", [None, 0, 1, 2])  # None: in lockstep


def arguments_of(case):
    return case.arguments(np.random.default_rng(7))


def launched(case, kernel=None, seed=None, **options):
    order = {"order": "lockstep"} if seed is None else {"order": "shuffled", "seed": seed}
    launch = {"grid": case.grid, "block": case.block, "step_limit": 5000} | options
    grid, block = launch.pop("grid"), launch.pop("block")
    return simt.launch(kernel or case.kernel, grid, block, *arguments_of(case), **order, **launch)


def fits(case, hazard, guilty, other):
    """Whether this is the hazard that is due, with these two as its sides: the kind, the lines, and who meets whom."""
    if hazard.kind != case.kind:
        return False
    if guilty == other:  # one thread by itself: in a loop of two lines, it may stand at either
        lines = case.line is None or guilty.line in (case.line, case.other)
    else:
        lines = (guilty.line, other.line) == (case.line, case.other)
    return lines and case.between(guilty, other, *arguments_of(case))


def found(case, run):
    """The hazards that are due, whichever of the two sides came first, among all that a run has recorded."""
    records = run.notes if case.note else run.hazards
    sides = [(hazard, hazard.accesses[0], hazard.accesses[-1]) for hazard in records]
    return [
        hazard for hazard, one, two in sides if fits(case, hazard, two, one) or fits(case, hazard, one, two)
    ]


@every_case
def test_it_is_named_with_its_line_and_threads(case):
    if case.note:
        (hazard,) = found(case, launched(case))
    else:
        with pytest.raises(KINDS[case.kind]) as caught:
            launched(case)
        hazard = caught.value
        assert hazard.run.hazards == [hazard]
    assert hazard.run.kernel == case.name
    assert fits(case, hazard, hazard.accesses[-1], hazard.accesses[0]), (repr(hazard), hazard.accesses)
    for words in case.says:
        assert words in str(hazard)


@every_case
@in_every_order
def test_it_is_recorded_in_every_order(case, seed):
    run = launched(case, seed=seed, on_hazard="record")
    assert found(case, run), [*run.hazards, *run.notes]


@every_correction
@in_every_order
def test_its_correction_is_clean(case, seed):
    run = launched(case, case.fixed(), seed, on_hazard="record", **(case.instead or {}))
    assert run.hazards == []
    assert run.notes == []


def test_every_kind_is_planted():
    assert {case.kind for case in CASES} == set(KINDS)
    assert len(CASES) >= 30


@every_case
def test_the_message_says_who_what_where_and_what_to_do(case):
    run = launched(case, on_hazard="record")
    hazard, *_ = found(case, run)
    said = str(hazard)
    assert len(said) < 330
    assert case.note or "; " in said  # what is wrong; what to do about it
    if case.line is not None:
        assert said.startswith(f"line {hazard.line}: ")
        assert all(str(access.thread) in said for access in hazard.accesses)
    if case.kind == "DataRace":
        element = re.escape(hazard.array) + r"\[[\d, ]+\]"
        assert re.search(
            rf"thread .+ (reads|writes|updates atomically) {element}, which thread .+ in line \d+", said
        )
        assert str(hazard.accesses[0].line) in said
    if case.kind == "OutOfBounds":
        assert re.search(rf"{re.escape(hazard.array)}\[[-\d, ]+\].* shape \(\d+,", said)


def outside(x, out):
    i = cuda.grid(1)
    out[i] = x[i] + float32(1)


def test_a_bad_read_gives_0_and_a_bad_write_is_dropped():
    memory = np.full(40, 5, np.float32)
    out = memory[:20]  # what lies behind it belongs to somebody else
    x = np.full(10, 3, np.float32)
    run = simt.launch(outside, 1, 32, x, out, on_hazard="record")
    assert {hazard.array for hazard in run.hazards} == {"x", "out"}
    np.testing.assert_array_equal(memory, [4] * 10 + [1] * 10 + [5] * 20)


def below(x, out):
    i = cuda.grid(1)
    out[i - 12] = x[i]


def test_below_the_start_is_outside_and_just_below_it_wraps():
    memory = np.zeros(30, np.float32)
    out = memory[10:20]
    run = simt.launch(below, 1, 22, np.arange(22, dtype=np.float32), out, on_hazard="record")
    assert [hazard.kind for hazard in run.hazards if hazard.kind != "DataRace"] == ["OutOfBounds"]
    assert [note.kind for note in run.notes] == ["NegativeIndex"]
    np.testing.assert_array_equal(memory[:10], np.zeros(10))
    np.testing.assert_array_equal(memory[20:], np.zeros(10))


def unset(out):
    scratch = cuda.shared.array(32, float32)
    t = cuda.threadIdx.x
    if t < 8:
        scratch[t] = float32(2)
    cuda.syncthreads()
    out[t] = scratch[t] + float32(1)


def test_shared_memory_that_nobody_wrote_reads_0():
    out = np.zeros(32, np.float32)
    run = simt.launch(unset, 1, 32, out, on_hazard="record")
    assert [hazard.kind for hazard in run.hazards] == ["UninitialisedShared"]
    np.testing.assert_array_equal(out, [3] * 8 + [1] * 24)


def divergent(out):
    t = cuda.threadIdx.x
    if t % 2:
        cuda.syncthreads()
    out[t] = t


def test_a_divergent_barrier_is_passed():
    out = np.zeros(64, np.int32)
    run = simt.launch(divergent, 1, 64, out, on_hazard="record")
    assert [hazard.kind for hazard in run.hazards] == ["BarrierDivergence"]
    np.testing.assert_array_equal(out, np.arange(64))


def misaligned(x, out):
    out[cuda.threadIdx.x] = x[cuda.threadIdx.x]


def test_a_misaligned_read_gives_0():
    x = np.frombuffer(np.full(36, 255, np.uint8), np.int64, count=4, offset=4)
    out = np.full(4, 9, np.int64)
    run = simt.launch(misaligned, 1, 4, x, out, on_hazard="record")
    assert [hazard.kind for hazard in run.hazards] == ["MisalignedAccess"]
    np.testing.assert_array_equal(out, np.zeros(4))


def sum_without_barriers(x, sums):
    scratch = cuda.shared.array(256, int32)
    t = cuda.threadIdx.x
    scratch[t] = x[t]
    half = 128
    while half > 0:
        if t < half:
            scratch[t] += scratch[t + half]
        half //= 2
    if t == 0:
        sums[0] = scratch[0]


def test_a_race_changes_its_answer_from_order_to_order():
    x = np.random.default_rng(0).integers(1, 1000, size=256).astype(np.int32)

    def answer(**order):
        sums = np.zeros(1, np.int32)
        simt.launch(sum_without_barriers, 1, 256, x, sums, on_hazard="record", **order)
        return int(sums[0])

    assert [answer() for _ in range(3)] == [x.sum()] * 3  # in lockstep the mistake does not show
    shuffled = [answer(order="shuffled", seed=seed) for seed in range(8)]
    assert len(set(shuffled)) > 1
    assert shuffled == [answer(order="shuffled", seed=seed) for seed in range(8)]  # a seed is an order


def installed(wheel):
    try:
        metadata.version(wheel)
    except metadata.PackageNotFoundError:
        return False
    return True


@every_case
@pytest.mark.skipif(
    not (installed("nvidia-nvvm") and installed("nvidia-cuda-nvcc")), reason="needs the extra [compiler]"
)
def test_the_real_compiler_takes_it(case):
    """A compiler finds none of these mistakes but one: shared memory that no block has."""
    kinds = tuple(type_of("argument", argument) for argument in arguments_of(case))
    if case.name == "doubles_behind_an_odd_count_of_floats":
        pytest.skip("Numba compiles `.view` apart, for the GPU that it finds")
    if case.name == "too_much_shared_memory":
        with pytest.raises(RuntimeError, match="too much shared data"):
            inspect(case.kernel, kinds)
    else:
        assert inspect(case.kernel, kinds).registers
