"""Loads and stores of one and four elements: what they move, how wide, and where, against NumPy and torch."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import types

from kernels import simt
from kernels.backend import as_array, cuda, gpu_kernel, gpu_present, launch
from kernels.loads import load, load4, real_of, store, store4

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
WIDTH = {torch.float32: 16, torch.float64: 16, torch.float16: 8, torch.bfloat16: 8}


@gpu_kernel
def add_one_by_fours(x, out):
    one = real_of(x)(1)
    column = 4 * cuda.threadIdx.x
    for row in range(x.shape[0]):
        a, b, c, d = load4(x[row], column, one)
        store4(out[row], column, a + one, b + one, c + one, d + one)


@gpu_kernel
def add_one_by_ones(x, out):
    column = cuda.threadIdx.x
    if column < x.shape[1]:
        for row in range(x.shape[0]):
            store(out[row], column, load(x[row], column) + real_of(x)(1))


@gpu_kernel
def read_four(x, out, start):
    a, b, c, d = load4(x, start, real_of(x)(-1))
    out[0], out[1], out[2], out[3] = a, b, c, d


def runs(kernel, threads, x, out):
    """Leaves the result in `out`, on the simulated GPU and, where there is one, on a real one; gives the run."""
    if gpu_present():
        there = out.cuda()
        launch(kernel, (1,), (threads,), x.cuda(), there)
    run = simt.launch(kernel, 1, threads, as_array(x), as_array(out))
    assert not run.hazards
    if gpu_present():
        assert torch.equal(there.cpu(), out)
    return run


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("width", [0, 1, 3, 4, 7, 8, 65, 128])
@pytest.mark.parametrize("offset", [0, 1, 4])
def test_both_ways_move_every_element_and_no_other(dtype, width, offset):
    base = torch.randn(offset + 3 * width + 9).to(dtype)
    x = base[offset : offset + 3 * width].view(3, width)
    expected = (x.to(torch.float64 if dtype == torch.float64 else torch.float32) + 1).to(dtype)
    for kernel in (add_one_by_fours, add_one_by_ones):
        room = torch.full((3 * width + 9,), 7.0, dtype=dtype)
        out = room[: 3 * width].view(3, width)
        runs(kernel, max(32, width), x, out)
        assert torch.equal(out, expected)
        assert (room[3 * width :] == 7).all()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_what_lies_beyond_reads_as_the_fill(dtype):
    x = torch.arange(6).to(dtype)
    out = torch.zeros(4, dtype=torch.float64 if dtype == torch.float64 else torch.float32)
    for start, expected in ((0, [0, 1, 2, 3]), (2, [2, 3, 4, 5]), (4, [4, 5, -1, -1]), (9, [-1] * 4)):
        simt.launch(read_four, 1, 1, as_array(x), out, start)
        assert out.tolist() == expected


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_aligned_rows_go_in_few_wide_requests(dtype):
    x = torch.randn(2, 128).to(dtype)
    run = runs(add_one_by_fours, 32, x, torch.empty_like(x))
    accesses = 4 * x.element_size() // WIDTH[dtype]
    assert run.counters.global_load_requests == run.counters.global_store_requests == 2 * accesses
    assert run.counters.global_bytes_useful == 2 * x.nbytes
    line = run.lines[
        add_one_by_fours.py_func.__code__.co_firstlineno + 5
    ]  # the kernel's own, where it calls load4
    assert line.global_load_requests == 2 * accesses
    if dtype != torch.float64:  # where each of two accesses touches every second half of a sector's 32 bytes
        assert run.counters.global_load_sectors == x.nbytes // 32


def test_a_row_that_begins_between_two_multiples_of_16_goes_one_by_one():
    x = torch.randn(2, 127)
    run = runs(add_one_by_fours, 32, x, torch.empty_like(x))
    # row 0: 31 lanes at once, the last lane's 3 elements singly; row 1 begins 4 bytes before a multiple of 16
    assert run.counters.global_load_requests == (1 + 3) + 4
    assert run.counters.global_bytes_useful == 2 * x.nbytes


def test_numbers_that_are_one_for_all_lanes():
    """An index or a value that no lane has for itself: the same element for all, the same number in all four places."""

    @gpu_kernel
    def one_for_all(x, out):
        scale, zero = load(x, 2), real_of(x)(0)
        if scale > zero:  # a branch that all lanes take alike
            store4(out, 4 * cuda.threadIdx.x, scale, zero, scale, zero)

    x, out = torch.tensor([1.0, 2.0, 3.0]), torch.full((8,), -1.0)
    run = runs(one_for_all, 2, x, out)
    assert out.tolist() == [3.0, 0.0, 3.0, 0.0] * 2
    assert run.counters.divergent_branches == 0


def test_overlapping_stores_race():
    @gpu_kernel
    def overlap(out):
        zero = real_of(out)(cuda.threadIdx.x)
        store4(out, 2 * cuda.threadIdx.x, zero, zero, zero, zero)

    with pytest.raises(simt.DataRace):
        simt.launch(overlap, 1, 4, np.zeros(16, np.float32))


def test_single_loads_are_not_guarded():
    @gpu_kernel
    def beyond(x, out):
        out[0] = load(x, 5)

    with pytest.raises(simt.OutOfBounds):
        simt.launch(beyond, 1, 1, np.zeros(5, np.float32), np.zeros(1, np.float32))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(width=32), min_size=1, max_size=64))
def test_rounds_to_half_types_as_torch_does(numbers):
    """To the nearest, ties to even; overflow to infinity; nan stays nan."""

    @gpu_kernel
    def rounding(x, out):
        store(out, cuda.threadIdx.x, load(x, cuda.threadIdx.x))

    x = torch.tensor(numbers, dtype=torch.float32)
    for dtype in (torch.float16, torch.bfloat16):
        out = torch.empty(len(x), dtype=dtype)
        simt.launch(rounding, 1, len(x), x, as_array(out))
        torch.testing.assert_close(out, x.to(dtype), rtol=0, atol=0, equal_nan=True)
        back = torch.empty(len(x))
        simt.launch(rounding, 1, len(x), as_array(out), back)
        torch.testing.assert_close(back, out.float(), rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("arch", ["sm_75", "sm_80", "sm_90"])
@pytest.mark.parametrize(
    ("kind", "width"),
    [(types.float32, 16), (types.float64, 16), (types.float16, 8), (types.int16, 8)],
    ids=str,
)
def test_the_compiler_makes_one_wide_instruction(arch, kind, width):
    compiled = pytest.importorskip("kernels.compiled")
    try:
        found = compiled.inspect(add_one_by_fours, (kind[:, ::1], kind[:, ::1]), arch)
    except compiled.CompilerMissing:
        pytest.skip("needs NVIDIA's compiler wheels")
    assert max(found.loads) == max(found.stores) == width
    assert found.spill_bytes == found.stack_bytes == 0
    assert bool(found.float64) == (kind == types.float64)
