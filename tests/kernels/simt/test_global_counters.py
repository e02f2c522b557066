"""Requests, sectors, lines and bytes of global memory, of real kernels, equal values worked out by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import simt
from kernels.backend import cuda


def count(kernel, block, *arguments, grid=1, **options):
    """What one launch of `block` threads costs."""
    run = simt.launch(kernel, grid, block, *arguments, **options)
    assert not run.hazards
    return run.counters


def loads(counters):
    return counters.global_load_requests, counters.global_load_sectors, counters.global_load_lines


def stores(counters):
    return counters.global_store_requests, counters.global_store_sectors, counters.global_store_lines


@cuda.jit
def pick(x, out, scale, shift):
    i = cuda.grid(1)
    out[i] = x[scale * i + shift]


def picked(dtype, scale, shift, threads=64):
    """Counters of the kernel that reads x[scale · i + shift] in thread i of one block, by default of two warps."""
    x = np.zeros(abs(scale) * threads + shift + 1, dtype)
    return count(pick, threads, x, np.zeros(threads, dtype), scale, shift)


@pytest.mark.parametrize(
    ("dtype", "scale", "shift", "sectors", "lines"),
    [
        # two warps, 32 elements each; the numbers are a warp's, and both warps' are the same
        (np.float32, 1, 0, 4, 1),  # 128 bytes in a row
        (np.float32, -1, 63, 4, 1),  # the same, backwards
        (
            np.float32,
            1,
            1,
            5,
            2,
        ),  # bytes 4 ... 131 and 132 ... 259: five sectors each, over the end of a line
        (np.float32, 1, 8, 4, 2),  # begins with a sector, not with a line
        (np.float32, 0, 9, 1, 1),  # broadcast
        (np.int8, 1, 0, 1, 1),  # 32 bytes; both warps' lie in one line, each of them asks for it
        (np.int16, 1, 0, 2, 1),
        (np.float64, 1, 0, 8, 2),
        (np.float64, 1, 1, 9, 3),  # bytes 8 ... 263
        (np.float64, 2, 0, 16, 4),
        (np.complex64, 1, 0, 8, 2),
        (np.complex128, 1, 0, 16, 4),  # 16 bytes a lane
        (np.complex128, 2, 0, 32, 8),
    ],
)
def test_global_access(dtype, scale, shift, sectors, lines):
    found = picked(dtype, scale, shift)
    size = np.dtype(dtype).itemsize
    assert loads(found) == (2, 2 * sectors, 2 * lines)
    assert stores(found) == (2, 2 * -(-32 * size // 32), 2 * -(-32 * size // 128))
    assert found.global_bytes_useful == 2 * 64 * size
    assert found.global_bytes_unique == (1 if scale == 0 else 64) * size + 64 * size


@pytest.mark.parametrize("stride", range(2, 34))
def test_global_stride(stride):
    """Up to 8 words apart a warp touches every sector up to its last element, beyond that one a lane."""
    last = 31 * stride * 4
    sectors = last // 32 + 1 if stride <= 8 else 32
    assert picked(np.float32, stride, 0).global_load_sectors == 2 * sectors


def test_partial_warp():
    found = picked(np.float32, 1, 0, threads=40)  # 32 lanes and 8: 128 bytes and 32
    assert loads(found) == (2, 4 + 1, 2)
    assert loads(picked(np.float32, 1, 0, threads=1)) == (1, 1, 1)


@pytest.mark.parametrize(
    ("width", "swapped", "sectors", "lines"),
    [
        (16, False, 4, 1),  # a warp holds two rows of 16: 128 bytes in a row
        (64, False, 4, 2),  # rows 256 bytes apart: 64 bytes of each
        (20, False, 5, 2),  # rows 80 bytes apart: see below
        (
            16,
            True,
            16,
            8,
        ),  # x[x, y]: two columns of 16 rows of 64 bytes: a sector in each, two rows to a line
    ],
)
def test_two_dimensional_block(width, swapped, sectors, lines):
    @cuda.jit
    def kernel(x, out):
        column, row = cuda.threadIdx.x, cuda.threadIdx.y
        out[row, column] = x[column, row] if swapped else x[row, column]

    found = count(kernel, (16, 16), np.zeros((16, width), np.float32), np.zeros((16, 16), np.float32))
    if width == 20:
        # rows 2w and 2w + 1 are bytes 160 w ... 160 w + 63 and 160 w + 80 ... 160 w + 143; 160 w begins a sector, so
        # sectors 5w, 5w + 1 and 5w + 2 (from 80), 5w + 3, 5w + 4 (to 143): five; lines by w = 0 ... 7: 160 w // 128 to
        # (160 w + 143) // 128 are 0-1, 1-2, 2-3, 3-4, 5-6, 6-7, 7-8, 8-9: two each
        assert (sectors, lines) == (5, 2)
    assert loads(found) == (8, 8 * sectors, 8 * lines)


@cuda.jit
def gather(x, index, out):
    i = cuda.grid(1)
    if i < index.size:
        out[i] = x[index[i]]


@settings(deadline=None, max_examples=40)
@given(
    indices=st.lists(st.integers(0, 299), min_size=1, max_size=100),
    block=st.sampled_from([1, 20, 32, 48, 96]),
    dtype=st.sampled_from([np.int8, np.float32, np.float64, np.complex128]),
)
def test_gather_costs_what_a_count_by_sets_says(indices, block, dtype):
    size, grid = np.dtype(dtype).itemsize, -(-len(indices) // block)
    index = np.array(indices, np.int32)
    run = simt.launch(gather, grid, block, np.zeros(300, dtype), index, np.zeros(len(indices), dtype))
    read = run.lines[gather.py_func.__code__.co_firstlineno + 4]
    warps = [
        range(first, min(first + 32, begin + block, len(indices)))
        for begin in range(0, grid * block, block)
        for first in range(begin, begin + block, 32)
    ]
    warps = [warp for warp in warps if warp]
    sectors = sum(
        len({indices[i] * size // 32 for i in warp}) + len({4 * i // 32 for i in warp}) for warp in warps
    )
    assert loads(read)[:2] == (2 * len(warps), sectors)
    assert read.global_bytes_useful == len(indices) * (2 * size + 4)
    assert run.counters.global_bytes_unique == len(set(indices)) * size + len(indices) * (4 + size)


def test_views_keep_their_place():
    out = np.zeros(32, np.float32)
    base = np.zeros(200, np.float32)
    assert count(pick, 32, base[3:], out, 1, 0).global_load_sectors == 5  # bytes 12 ... 139
    assert count(pick, 32, base[8:], out, 1, 0).global_load_sectors == 4
    assert count(pick, 32, base[::4], out, 1, 0).global_load_sectors == 16  # 16 bytes apart
    assert (
        count(pick, 32, base[::-1], out, 1, 0).global_load_sectors == 4
    )  # bytes 672 ... 799: sectors 21 ... 24
    assert count(pick, 32, torch.zeros(200)[3:], torch.zeros(32), 1, 0).global_load_sectors == 5
    matrix = np.zeros((32, 8), np.float32)
    assert count(pick, 32, matrix[:, 2], out, 1, 0).global_load_sectors == 32  # a column: a row is one sector


def test_unique_bytes_are_those_of_the_memory_not_of_the_arrays():
    @cuda.jit
    def add(x, y, out):
        i = cuda.grid(1)
        out[i] = x[i] + y[i]

    base = np.zeros(96, np.float32)
    found = count(add, 32, base[:32], base[16:48], base[64:], grid=1)
    assert found.global_bytes_useful == 3 * 32 * 4
    assert found.global_bytes_unique == (48 + 32) * 4  # the inputs overlap by 16 elements

    @cuda.jit
    def twice(x):
        i = cuda.grid(1)
        x[i] = x[i] + x[i]

    found = count(twice, 32, np.zeros(64, np.float32), grid=2)
    assert loads(found) == (4, 16, 4)  # two blocks, two subscripts each
    assert found.global_bytes_useful == 3 * 64 * 4
    assert found.global_bytes_unique == 2 * 64 * 4  # read, and written
