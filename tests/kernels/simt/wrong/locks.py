"""A lock takes three things: an atomic to take it, an atomic to free it, and fences to keep the work between them."""

import numpy as np
from wrong.case import wrong

from kernels.backend import cuda


def lock_and_total(rng):
    return np.zeros(1, np.int32), np.zeros(1, np.int32)


def of_two_threads(one, two, *_):
    return (one.block, one.thread) != (two.block, two.thread)


@wrong("DataRace", 4, 1, lock_and_total, of_two_threads, "total[0]", "fence")
@cuda.jit
def lock_without_fences(lock, total):
    """The lock is freed, and the number that it guarded may reach memory later."""
    while cuda.atomic.cas(lock, 0, 0, 1) != 0:
        pass
    # fix: cuda.threadfence()
    total[0] += 1  # <-
    # fix: cuda.threadfence()
    cuda.atomic.exch(lock, 0, 0)


@wrong("DataRace", 4, 1, lock_and_total, of_two_threads, "lock[0]", "atomic")
@cuda.jit
def lock_freed_by_a_plain_write(lock, total):
    """`lock[0] = 0` is no atomic: others are comparing and swapping the same number."""
    while cuda.atomic.cas(lock, 0, 0, 1) != 0:  # <- other
        pass
    cuda.threadfence()
    total[0] += 1
    cuda.threadfence()
    lock[0] = 0  # <- fix: cuda.atomic.exch(lock, 0, 0)
