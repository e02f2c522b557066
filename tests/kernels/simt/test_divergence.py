"""Statements, active lanes and branches equal values worked out by hand, statement by statement.

The comment beside a statement says how many of a warp's lanes execute it; where it is executed more than once, each
time. Warp efficiency is the sum of these over 32 times their number.
"""

import numpy as np
import pytest

from kernels import simt
from kernels.backend import cuda


def counted(kernel, block, *arguments, grid=1):
    """(statements, lanes, branches, divergent branches) of one launch."""
    found = simt.launch(kernel, grid, block, *arguments).counters
    assert found.warp_efficiency == found.lanes / (32 * found.statements)
    return found.statements, found.lanes, found.branches, found.divergent_branches


def zeros(count=64):
    return np.zeros(count, np.float32)


@cuda.jit
def double(x, out):
    i = cuda.grid(1)
    out[i] = x[i] + x[i]


def test_straight_line():
    assert counted(double, 32, zeros(), zeros()) == (2, 64, 0, 0)
    assert counted(double, 64, zeros(128), zeros(128), grid=2) == (8, 256, 0, 0)


def test_partial_warp():
    assert counted(double, 40, zeros(), zeros()) == (4, 2 * 32 + 2 * 8, 0, 0)
    assert simt.launch(double, 1, 40, zeros(), zeros()).counters.warp_efficiency == 80 / 128


def test_lane_parity():
    @cuda.jit
    def kernel(x, out):
        i = cuda.grid(1)  # 32
        if i % 2 == 0:  # 32
            out[i] = x[i]  # 16
        else:
            out[i] = -x[i]  # 16

    assert counted(kernel, 32, zeros(), zeros()) == (4, 96, 1, 1)
    assert counted(kernel, 64, zeros(), zeros()) == (8, 192, 2, 2)


def test_whole_warps_do_not_diverge():
    @cuda.jit
    def kernel(x, out):
        i = cuda.grid(1)  # 32 32
        if i // 32 == 0:  # 32 32
            out[i] = x[i]  # 32 of the first warp
        else:
            out[i] = -x[i]  # 32 of the second

    assert counted(kernel, 64, zeros(), zeros()) == (6, 192, 2, 0)


@pytest.mark.parametrize(("n", "expected"), [(20, (4, 96, 1, 1)), (32, (3, 96, 1, 0)), (0, (3, 96, 1, 0))])
def test_early_return(n, expected):
    @cuda.jit
    def kernel(x, out, n):
        i = cuda.grid(1)  # 32
        if i >= n:  # 32
            return  # 32 - n
        out[i] = x[i]  # n

    assert counted(kernel, 32, zeros(), zeros(), n) == expected


def test_nested_ifs():
    @cuda.jit
    def kernel(out):
        i = cuda.grid(1)  # 32
        if i < 16:  # 32, splits
            if i < 8:  # 16, splits
                out[i] = 1  # 8
            out[i + 32] = 2  # 16: together again
        out[i] = 3  # 32

    assert counted(kernel, 32, zeros()) == (6, 32 + 32 + 16 + 8 + 16 + 32, 2, 2)


def test_if_elif_else():
    @cuda.jit
    def kernel(out):
        i = cuda.grid(1)  # 32
        if i < 8:  # 32
            out[i] = 1  # 8
        elif i < 16:  # 24
            out[i] = 2  # 8
        else:
            out[i] = 3  # 16

    assert counted(kernel, 32, zeros()) == (6, 32 + 32 + 8 + 24 + 8 + 16, 2, 2)


@pytest.mark.parametrize(
    ("low", "high", "body", "divergent"),
    [(3, 10, 6, 1), (-1, 32, 32, 0), (40, 50, 0, 0), (-1, 0, 0, 0)],
)
def test_and_is_one_test(low, high, body, divergent):
    @cuda.jit
    def kernel(out, low, high):
        i = cuda.grid(1)  # 32
        if i > low and i < high:  # 32, one branch however its parts come out
            out[i] = 1  # body

    found = counted(kernel, 32, zeros(), low, high)
    assert found == (2 + (body > 0), 64 + body, 1, divergent)


@pytest.mark.parametrize(
    ("low", "high", "body", "divergent"), [(4, 30, 6, 1), (32, 99, 32, 0), (0, 32, 0, 0)]
)
def test_or_is_one_test(low, high, body, divergent):
    @cuda.jit
    def kernel(out, low, high):
        i = cuda.grid(1)  # 32
        if i < low or i >= high:  # 32
            out[i] = 1  # body

    found = counted(kernel, 32, zeros(), low, high)
    assert found == (2 + (body > 0), 64 + body, 1, divergent)


def test_a_line_is_one_statement_in_however_many_pieces():
    @cuda.jit
    def kernel(x, out):
        i = cuda.grid(1)  # 32
        chosen = x[i] if i % 2 == 0 else -x[i]  # 32: no `if`, and what it costs is in its loads
        out[i] = max(chosen, x[0] and x[1])  # 32
        for k in range(x.size - 63):  # 32, twice: not once more for its bounds
            out[i + k] = (  # 32
                x[i] + 1  # 32: a line of its own
            )

    found = simt.launch(kernel, 1, 32, zeros(), zeros()).counters
    assert (found.statements, found.lanes) == (7, 7 * 32)
    assert found.branches == found.divergent_branches == 0
    assert (
        found.global_load_sectors == 4 + 4 + 1 + 4
    )  # the even lanes of 128 bytes, the odd ones, x[0] that is 0


def test_rows_of_a_two_dimensional_block():
    @cuda.jit
    def kernel(out):
        column, row = cuda.threadIdx.x, cuda.threadIdx.y  # 32
        if row % 2 == 0:  # 32: a warp of a 16 x 16 block holds an even row and an odd one
            out[row, column] = 1  # 16

    assert counted(kernel, (16, 16), np.zeros((16, 16), np.float32)) == (8 * 3, 8 * 80, 8, 8)
    # rows of 32 are warps: nothing diverges, half of them skip the line
    assert counted(kernel, (32, 8), np.zeros((8, 32), np.float32)) == (8 * 2 + 4, (8 * 2 + 4) * 32, 8, 0)


def test_calls_of_device_functions_count_their_lines():
    @cuda.jit(device=True, inline="always")
    def larger(a, b):
        if a > b:
            return a
        return b

    @cuda.jit
    def kernel(x, out):
        i = cuda.grid(1)
        out[i] = larger(x[i], x[i + 1])

    x = np.tile(np.array([1, 2], np.float32), 32)
    run = simt.launch(kernel, 1, 32, x, zeros(32))
    first = larger.py_func.__code__.co_firstlineno
    assert (run.lines[first + 2].branches, run.lines[first + 2].divergent_branches) == (1, 1)
    assert run.lines[first + 3].lanes == run.lines[first + 4].lanes == 16
    assert first not in run.lines  # a declaration executes nothing
    assert first + 1 not in run.lines
