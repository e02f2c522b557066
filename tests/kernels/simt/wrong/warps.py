"""Within a warp, too, threads are threads: `syncwarp` orders them, and running in step does not."""

import numpy as np
from numba import float32, int32
from wrong.case import wrong

from kernels.backend import cuda


def one_warp(rng):
    return rng.random(32, dtype=np.float32), np.zeros(32, np.float32)


def two_warps(rng):
    return (np.zeros(64, np.float32),)


def pairs(reader, writer, *_):
    return writer.thread == reader.thread ^ 1


def half_a_warp_apart(reader, writer, *_):
    return writer.thread == reader.thread + 16


def a_warp_apart(reader, writer, *_):
    return writer.thread == (reader.thread + 32) % 64


def first_writes(reader, writer, *_):
    return writer.thread == 0 != reader.thread


@wrong("DataRace", 1, 32, one_warp, pairs, "scratch[", "syncwarp")
@cuda.jit
def neighbors_swap_without_syncwarp(x, out):
    scratch = cuda.shared.array(32, float32)
    t = cuda.threadIdx.x
    scratch[t] = x[t]  # <- other
    # fix: cuda.syncwarp()
    out[t] = scratch[t ^ 1]  # <-


@wrong("DataRace", 1, 32, one_warp, half_a_warp_apart, "scratch[")
@cuda.jit
def syncwarp_of_readers_only(x, out):
    """The mask leaves out those who wrote."""
    scratch = cuda.shared.array(32, float32)
    t = cuda.threadIdx.x
    scratch[t] = x[t]  # <- other
    # fix: cuda.syncwarp()
    if t < 16:
        cuda.syncwarp(0x0000FFFF)  # fix: pass
        out[t] = scratch[t + 16]  # <-


@wrong("DataRace", 1, 64, two_warps, a_warp_apart, "scratch[", "syncthreads")
@cuda.jit
def syncwarp_between_two_warps(out):
    """A barrier of the warp says nothing about the other warp."""
    scratch = cuda.shared.array(64, int32)
    t = cuda.threadIdx.x
    scratch[t] = t  # <- other
    cuda.syncwarp()  # fix: cuda.syncthreads()
    out[t] = scratch[(t + 32) % 64]  # <-


@wrong("DataRace", 1, 32, one_warp, first_writes, "scratch[0]")
@cuda.jit
def shuffle_taken_for_a_barrier(x, out):
    """A shuffle hands over registers; for memory it promises nothing."""
    scratch = cuda.shared.array(1, float32)
    t = cuda.threadIdx.x
    if t == 0:
        scratch[0] = x[0]  # <- other
    first = cuda.shfl_sync(0xFFFFFFFF, x[t], 0)
    # fix: cuda.syncwarp()
    out[t] = scratch[0] - first  # <-
