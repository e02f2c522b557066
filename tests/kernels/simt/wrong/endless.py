"""Threads that never come to an end: on a GPU the machine stands still until somebody ends the process."""

import numpy as np
from wrong.case import any_thread, wrong

from kernels.backend import cuda


def one_each(rng):
    return np.ones(32, np.int32), np.zeros(1, np.int32)


def lock_and_total(rng):
    return np.zeros(1, np.int32), np.zeros(1, np.int32)


@wrong("StepLimit", 1, 32, one_each, any_thread, "does not end")
@cuda.jit
def loop_without_progress(x, total):
    """`half` is never halved."""
    half = 16
    t = cuda.threadIdx.x
    value = x[t]
    while half > 0:  # <-
        value += half  # <- other
        # fix: half //= 2
    x[t] = value


@wrong("StepLimit", 1, 32, one_each, any_thread, "waits for")
@cuda.jit
def wait_for_a_flag_that_nobody_raises(x, flag):
    # fix: if cuda.threadIdx.x == 0: cuda.atomic.exch(flag, 0, 1)
    while cuda.atomic.add(flag, 0, 0) == 0:  # <-
        pass


@wrong("StepLimit", 1, 32, lock_and_total, any_thread, "waits for")
@cuda.jit
def lock_without_release(lock, total):
    """The first thread gets the lock and keeps it."""
    while cuda.atomic.cas(lock, 0, 0, 1) != 0:  # <-
        pass
    cuda.threadfence()
    total[0] += 1
    cuda.threadfence()
    # fix: cuda.atomic.exch(lock, 0, 0)
