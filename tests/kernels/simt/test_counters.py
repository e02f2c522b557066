"""Counters of real kernels equal values worked out by hand: arithmetic, atomics, lines."""

import math

import numpy as np

from kernels import simt
from kernels.backend import cuda


def count(kernel, block, *arguments, grid=1, **options):
    """What one launch of `block` threads costs."""
    run = simt.launch(kernel, grid, block, *arguments, **options)
    assert not run.hazards
    return run.counters


def test_order_changes_no_count():
    @cuda.jit
    def kernel(x, out):
        scratch = cuda.shared.array(64, np.float32)
        i = cuda.threadIdx.x
        for k in range(i % 7):
            scratch[i] = x[k]
        cuda.syncthreads()
        if i > 40 and i % 7 > 0:
            out[cuda.grid(1)] = scratch[i]

    def run(**options):
        return count(kernel, 64, np.zeros(7, np.float32), np.zeros(256, np.float32), grid=4, **options)

    assert run() == run(order="shuffled", seed=1) == run(order="shuffled", seed=2)


def test_atomics_are_neither_loads_nor_stores():
    @cuda.jit
    def kernel(total):
        mine = cuda.shared.array(1, np.int32)
        if cuda.threadIdx.x == 0:
            mine[0] = 0
        cuda.syncthreads()
        cuda.atomic.add(mine, 0, np.int32(1))
        cuda.syncthreads()
        if cuda.threadIdx.x == 0:
            cuda.atomic.add(total, 0, mine[0])

    total = np.zeros(1, np.int32)
    found = count(kernel, 48, total, grid=3)
    assert total[0] == 144
    assert found.atomics == 3 * (2 + 1)  # two warps in shared memory, one lane in global
    assert found.shared_store_requests == found.shared_load_requests == 3
    assert found.global_load_requests == found.global_store_requests == 0
    assert found.global_bytes_unique == 4  # written
    assert found.barriers == 3 * 2 * 2


def test_operations():
    @cuda.jit
    def kernel(x, out):
        i = cuda.grid(1)
        a = x[i] * x[i] + x[i]  # 2
        b = cuda.fma(a, a, x[i])  # 2
        c = a / b - np.float32(1)  # 2
        d = math.exp(c) + math.sqrt(b)  # 1, and two of the others
        n = i * 3 + 1  # integers are free
        out[i] = d * c if n > 60 else d  # 1 in the lanes from 20 on

    x = np.ones(40, np.float32)
    found = count(kernel, 40, x, np.zeros(40, np.float32))
    assert found.flops == 40 * 7 + 20
    assert found.transcendentals == 40 * 2


def test_lines_add_up_to_the_whole():
    @cuda.jit
    def kernel(x, out):
        i = cuda.grid(1)
        out[i] = x[0]
        out[i] = x[i] + x[2 * i]

    run = simt.launch(kernel, 2, 32, np.zeros(128, np.float32), np.zeros(64, np.float32))
    first = kernel.py_func.__code__.co_firstlineno
    assert [line - first for line in sorted(run.lines)] == [2, 3, 4]
    assert run.lines[first + 3].global_load_sectors == 2
    assert run.lines[first + 4].global_load_sectors == 2 * (4 + 8)
    assert run.lines[first + 4].flops == 64
    whole = type(run.counters)()
    for line in run.lines.values():
        whole += line
    whole.global_bytes_unique = run.counters.global_bytes_unique  # of the launch alone: lines share bytes
    assert whole == run.counters
    assert run.counters.sectors_per_request == (2 + 24 + 16) / (2 + 4 + 4)
