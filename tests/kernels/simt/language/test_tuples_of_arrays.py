"""A kernel that takes a tuple of arrays: each block, or each thread, may work on another of them."""

import numpy as np
import pytest

from kernels import simt
from kernels.backend import cuda
from kernels.loads import load4, real_of, store4


@cuda.jit
def by_threads(sources, out):
    """Neighboring threads read different arrays."""
    i = cuda.grid(1)
    source = sources[i % len(sources)]
    if i < out.size:
        out[i] = source[i] * 2


@cuda.jit
def one_after_the_other(targets):
    """All threads go through one array after the other, four elements at a time."""
    for place in range(len(targets)):
        target = targets[place]
        for i in range(4 * cuda.grid(1), target.size, 4 * cuda.gridsize(1)):
            a, b, c, d = load4(target, i, real_of(target)(0))
            store4(target, i, a + a, b + b, c + c, d + d)


def test_threads_choose():
    sources = tuple(np.arange(100, dtype=np.float32) + 1000 * number for number in range(3))
    out = np.zeros(100, np.float32)
    run = simt.launch(by_threads, 2, 64, sources, out)
    assert out.tolist() == [2 * sources[i % 3][i] for i in range(100)]
    assert run.counters.global_bytes_unique == 2 * out.nbytes


def test_all_threads_go_through_them():
    targets = tuple(np.arange(size, dtype=np.float32) for size in (5, 0, 300, 64))
    run = simt.launch(one_after_the_other, 2, 32, targets)
    for target in targets:
        assert target.tolist() == [2 * i for i in range(target.size)]
    assert run.counters.global_bytes_unique == 2 * sum(target.nbytes for target in targets)


def test_an_index_outside_one_of_them_names_it():
    sources = np.zeros(100, np.float32), np.zeros(50, np.float32), np.zeros(100, np.float32)
    with pytest.raises(simt.OutOfBounds, match=r"sources\[1\]"):
        simt.launch(by_threads, 2, 64, sources, np.zeros(100, np.float32))
