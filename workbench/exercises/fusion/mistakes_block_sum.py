"""Kernels of the exercise on add and RMS normalization whose threads meet in a wrong way, or in a slow one.

They differ from the right kernel in part 2 alone: how 64 threads add up what each has.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from kernels.backend import cuda, device_function, gpu_kernel
from kernels.lanes import warp_sum
from workbench.exercises.fusion.mistakes_add_rms_norm import ONE, THREADS, ZERO, add, normalize


def _with_sum(block_sum: Callable[..., Any]) -> Any:
    """The kernel that adds up the squares of all threads by `block_sum(squares)`, with its docstring."""
    inlined = device_function(block_sum)

    @gpu_kernel
    def kernel(x, residual, weight, eps, normed, summed):
        mean = inlined(add(x, residual, summed)) / np.float32(x.shape[1])
        normalize(summed, weight, normed, ONE / math.sqrt(mean + eps))

    kernel.__doc__ = block_sum.__doc__
    return kernel


@_with_sum
def without_barrier(squares):
    """Before a thread reads what another wrote, both must pass a barrier: after the shares, and after each halving."""
    shares, thread, distance = cuda.shared.array(THREADS, np.float32), cuda.threadIdx.x, THREADS // 2
    shares[thread] = squares
    while distance > 0:
        if thread < distance:
            shares[thread] += shares[thread + distance]
        cuda.syncthreads()
        distance //= 2
    return shares[0]


@_with_sum
def barrier_for_some(squares):
    """A barrier waits for all threads of the block. Inside the `if` some never come: take it out, one step left."""
    shares, thread, distance = cuda.shared.array(THREADS, np.float32), cuda.threadIdx.x, THREADS // 2
    shares[thread] = squares
    cuda.syncthreads()
    while distance > 0:
        if thread < distance:
            shares[thread] += shares[thread + distance]
            cuda.syncthreads()
        distance //= 2
    return shares[0]


@_with_sum
def one_warp(squares):
    """Shuffles reach the 32 lanes of a warp. A block of 64 threads has two, which meet in shared memory."""
    return warp_sum(squares)


@_with_sum
def all_add_all(squares):
    """Right, but 64 threads read 64 shares each. Halving the threads at each step reads each share about twice."""
    shares = cuda.shared.array(THREADS, np.float32)
    shares[cuda.threadIdx.x] = squares
    cuda.syncthreads()
    total = ZERO
    for other in range(THREADS):
        total += shares[other]
    return total


@_with_sum
def one_adds_all(squares):
    """Right, but 63 threads wait while one reads 64 shares, one after another. Halving takes six steps."""
    shares, thread = cuda.shared.array(THREADS, np.float32), cuda.threadIdx.x
    shares[thread] = squares
    cuda.syncthreads()
    if thread == 0:
        total = ZERO
        for other in range(THREADS):
            total += shares[other]
        shares[0] = total
    cuda.syncthreads()
    return shares[0]


@_with_sum
def colliding_banks(squares):
    """Right, but with shares 2, 4, 8 … apart, lanes of a warp ask one bank for different words. Pair at a distance."""
    shares, thread, distance = cuda.shared.array(THREADS, np.float32), cuda.threadIdx.x, 1
    shares[thread] = squares
    cuda.syncthreads()
    while distance < THREADS:
        place = 2 * distance * thread
        if place + distance < THREADS:
            shares[place] += shares[place + distance]
        cuda.syncthreads()
        distance *= 2
    return shares[0]
