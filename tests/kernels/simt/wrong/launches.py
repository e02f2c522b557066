"""Launches that no GPU accepts, whatever the kernel does."""

import numpy as np
from numba import float32, float64
from wrong.case import any_thread, wrong

from kernels.backend import cuda


def zeros(rng):
    return (np.zeros(1024),)


@wrong("LaunchLimit", 1, 2048, zeros, any_thread, "2048", "1024", instead={"block": 1024})
@cuda.jit
def too_many_threads(out):
    i = cuda.grid(1)
    if i < out.shape[0]:
        out[i] = 1.0


@wrong("LaunchLimit", 1, (32, 64), zeros, any_thread, "2048", "1024", instead={"block": (32, 32)})
@cuda.jit
def too_many_threads_in_two_axes(out):
    """Each axis is short enough; the limit is on their product."""
    column, row = cuda.grid(2)
    i = row * cuda.blockDim.x + column
    if i < out.shape[0]:
        out[i] = 1.0


@wrong("LaunchLimit", 1, (1, 1, 128), zeros, any_thread, "128", "64", instead={"block": (2, 1, 64)})
@cuda.jit
def too_deep_a_block(out):
    """1024 threads along x and y, 64 along z."""
    out[cuda.threadIdx.z * cuda.blockDim.x + cuda.threadIdx.x] = 1.0


@wrong("LaunchLimit", (1, 65536), 1, zeros, any_thread, "65536", "65535", instead={"grid": (65536, 1)})
@cuda.jit
def too_high_a_grid(out):
    """2³¹ − 1 blocks along x, but 65,535 along y and z."""
    i = cuda.blockIdx.y * cuda.gridDim.x + cuda.blockIdx.x
    if i < out.shape[0]:
        out[i] = 1.0


@wrong("LaunchLimit", 1, 32, zeros, any_thread, "51200", "49152")
@cuda.jit
def too_much_shared_memory(out):
    """80 × 80 float64 are 51,200 bytes; a block may declare 49,152."""
    tile = cuda.shared.array((80, 80), float64)  # fix: tile = cuda.shared.array((64, 64), float64)
    t = cuda.threadIdx.x
    tile[t, 0] = t
    out[t] = tile[t, 0]


@wrong("OutOfBounds", 1, 32, zeros, any_thread, "scratch[", "(0,)", instead={"shared_bytes": 128})
@cuda.jit
def dynamic_shared_memory_forgotten(out):
    """An array of 0 elements takes its size from the launch, `kernel[grid, block, stream, bytes]`, which said none."""
    scratch = cuda.shared.array(0, float32)
    t = cuda.threadIdx.x
    scratch[t] = out[t]  # <-
    out[t] = scratch[t] + float32(1)
