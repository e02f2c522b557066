"""Statements, active lanes and branches of loops equal values worked out by hand.

The comment beside a statement says how many of a warp's lanes execute it, each time that it is executed.
"""

import numpy as np

from kernels import simt
from kernels.backend import cuda


def counted(kernel, block, *arguments, grid=1):
    """(statements, lanes, branches, divergent branches) of one launch."""
    found = simt.launch(kernel, grid, block, *arguments).counters
    assert found.warp_efficiency == found.lanes / (32 * found.statements)
    return found.statements, found.lanes, found.branches, found.divergent_branches


def zeros(count=64):
    return np.zeros(count, np.float32)


def test_uniform_for():
    @cuda.jit
    def kernel(out):
        total = 0.0  # 32
        for k in range(4):  # five tests of 32: all lanes agree, so none is a branch
            total += k  # 32, four times
        out[cuda.grid(1)] = total  # 32

    assert counted(kernel, 32, zeros()) == (1 + 5 + 4 + 1, 11 * 32, 0, 0)


def test_for_with_bounds_of_each_lane():
    @cuda.jit
    def kernel(out):
        i = cuda.grid(1)  # 32
        total = 0.0  # 32
        for k in range(i):  # test t is made by lanes t ... 31: 32 + 31 + ... + 1 lanes in 32 tests
            total += k  # lanes t + 1 ... 31: 31 + 30 + ... + 1 lanes, 31 times
        out[i] = total  # 32

    # lane t leaves at test t while others stay, for t = 0 ... 30; at the last there is nobody else
    assert counted(kernel, 32, zeros()) == (3 + 32 + 31, 96 + 528 + 496, 32, 31)


def test_while_with_bounds_of_each_lane():
    @cuda.jit
    def kernel(out):
        i = cuda.grid(1)  # 32
        k = 0  # 32
        while k < i:  # as above: 528 lanes in 32 tests
            k += 1  # 496 lanes, 31 times
        out[i] = k  # 32

    assert counted(kernel, 32, zeros()) == (3 + 32 + 31, 96 + 528 + 496, 32, 31)


def test_uniform_while_is_a_branch_that_does_not_diverge():
    @cuda.jit
    def kernel(out, half):
        while half > 0:  # 4, 2, 1, 0: four tests
            half //= 2  # three times
        out[cuda.grid(1)] = half  # 32

    assert counted(kernel, 32, zeros(), 4) == (4 + 3 + 1, 8 * 32, 4, 0)


def test_a_test_of_constants_is_none():
    @cuda.jit
    def kernel(out):
        half = 4  # 32
        while half > 0:  # Numba itself decides that 4 > 0: the kernel tests 2, 1, 0
            half //= 2
        out[cuda.grid(1)] = half

    assert counted(kernel, 32, zeros()) == (1 + 3 + 3 + 1, 8 * 32, 3, 0)


def test_tree_reduction():
    @cuda.jit
    def kernel(x, out):
        scratch = cuda.shared.array(64, np.float32)
        i = cuda.threadIdx.x
        scratch[i] = x[i]
        cuda.syncthreads()
        half = cuda.blockDim.x // 2
        while half > 0:
            if i < half:
                scratch[i] += scratch[i + half]
            cuda.syncthreads()
            half //= 2
        if i == 0:
            out[0] = scratch[0]

    run = simt.launch(kernel, 1, 64, zeros() + 1, zeros(1))
    found = run.counters
    # six steps: half = 32 takes one whole warp, 16 ... 1 the first lanes of one; warp 1 only ever tests
    assert found.branches == 2 * 7 + 2 * 6 + 2  # the while, seven times; the if, six; the last if
    assert found.divergent_branches == 5 + 1  # half = 16 ... 1, and i == 0, in warp 0
    assert found.barriers == 2 * 7
    assert found.shared_load_requests == 2 * 6 + 1  # two subscripts a step, one at the end
    line = kernel.py_func.__code__.co_firstlineno + 9
    assert (run.lines[line].statements, run.lines[line].lanes) == (6, 63)
    assert run.lines[line].warp_efficiency == 63 / (6 * 32)


def test_break_and_continue():
    @cuda.jit
    def kernel(out):
        i = cuda.grid(1)  # 32
        total = 0  # 32
        for k in range(3):  # 32, 32, 24, 16: the end is the same for all, so the tests are no branches
            if i < 8 * k:  # 32, 32, 24
                break  # lanes 0 ... 7, then 8 ... 15; a pure jump is no statement
            if k == 1:  # 32, 24, 16
                continue
            total += 1  # 32, 16
        out[i] = total  # 32

    lanes = 64 + (32 + 32 + 24 + 16) + (32 + 32 + 24) + (32 + 24 + 16) + (32 + 16) + 32
    assert counted(kernel, 32, zeros()) == (2 + 4 + 3 + 3 + 2 + 1, lanes, 6, 2)
