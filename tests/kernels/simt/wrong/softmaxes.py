"""Softmax of a row in a block: a maximum and a sum, which share one scratch array."""

import math

import numpy as np
from numba import float32
from wrong.case import wrong

from kernels.backend import cuda

THREADS = 64


def rows(rng):
    return rng.random((2, THREADS), dtype=np.float32), np.zeros((2, THREADS), np.float32)


def first_overwrites(writer, reader, *_):
    return writer.thread == 0 != reader.thread


@wrong("DataRace", 2, THREADS, rows, first_overwrites, "scratch[0]")
@cuda.jit
def sum_begun_before_the_maximum_is_read(x, out):
    scratch = cuda.shared.array(THREADS, float32)
    row, t = cuda.blockIdx.x, cuda.threadIdx.x
    scratch[t] = x[row, t]
    cuda.syncthreads()
    half = THREADS // 2
    while half > 0:
        if t < half:
            scratch[t] = max(scratch[t], scratch[t + half])
        cuda.syncthreads()
        half //= 2
    power = math.exp(x[row, t] - scratch[0])  # <- other
    # fix: cuda.syncthreads()
    scratch[t] = power  # <-
    cuda.syncthreads()
    half = THREADS // 2
    while half > 0:
        if t < half:
            scratch[t] += scratch[t + half]
        cuda.syncthreads()
        half //= 2
    out[row, t] = power / scratch[0]
