"""Many numbers to one inside a warp, whose lanes reach each other's registers: no barrier of the block.

Source: J. Luitjens, Faster Parallel Reductions on Kepler, NVIDIA, 2014; CUDA C++ Programming Guide, "Warp Shuffle
Functions" and "Warp Synchronization Functions".
"""

import numpy as np
from corpus.case import NO_SHUFFLES, NO_SYNCWARP, Case, normal, partial_sums, whole
from numba import float32, int32

from kernels.backend import cuda, device_function

THREADS = 64
EVERYONE = 0xFFFFFFFF  # the mask of a whole warp


@cuda.jit
def warp_synchronous_tree(x, partial):
    """One warp needs no barrier of the block, but it does need syncwarp, between each read and each write."""
    scratch = cuda.shared.array(32, int32)
    t = cuda.threadIdx.x
    value = x[cuda.grid(1)]
    scratch[t] = value
    cuda.syncwarp()
    for offset in (16, 8, 4, 2, 1):
        value = int32(value + scratch[t ^ offset])
        cuda.syncwarp()
        scratch[t] = value
        cuda.syncwarp()
    if t == 0:
        partial[cuda.blockIdx.x] = scratch[0]


@device_function
def warp_sum(value):
    """The warp's sum, in its first lane."""
    for offset in (16, 8, 4, 2, 1):
        value += cuda.shfl_down_sync(EVERYONE, value, offset)
    return value


@cuda.jit
def warp_shuffle(x, partial):
    """No shared memory at all: values go from register to register."""
    i = cuda.grid(1)
    total = warp_sum(x[i] if i < x.size else float32(0))
    if cuda.laneid == 0:
        partial[i // 32] = total


@cuda.jit
def block_of_warps(x, partial):
    """Each warp shuffles, its first lane leaves the sum in shared memory, the first warp shuffles those."""
    sums = cuda.shared.array(32, float32)
    t, i = cuda.threadIdx.x, cuda.grid(1)
    total = warp_sum(x[i] if i < x.size else float32(0))
    if t % 32 == 0:
        sums[t // 32] = total
    cuda.syncthreads()
    if t < 32:
        total = warp_sum(sums[t] if t < cuda.blockDim.x // 32 else float32(0))
        if t == 0:
            partial[cuda.blockIdx.x] = total


@cuda.jit
def rows_by_warp(x, sums):
    """A warp a row; `shfl_xor` leaves the sum in every lane."""
    row = cuda.blockIdx.x * cuda.blockDim.y + cuda.threadIdx.y
    if row < x.shape[0]:  # the same for the whole warp: blockDim.x is 32
        own = float32(0)
        for column in range(cuda.threadIdx.x, x.shape[1], 32):
            own += x[row, column]
        for step in range(5):
            own += cuda.shfl_xor_sync(EVERYONE, own, 1 << step)
        if cuda.threadIdx.x == 0:
            sums[row] = own


CASES = (
    Case(
        warp_synchronous_tree,
        (3,),
        (32,),
        lambda rng: (whole(rng, -50, 50, 96), np.zeros(3, np.int32)),
        lambda x, partial: {1: x.reshape(3, 32).sum(1)},
        not_in_numba=NO_SYNCWARP,
    ),
    partial_sums(warp_shuffle, 192, 32, not_in_numba=NO_SHUFFLES),
    *(partial_sums(block_of_warps, n, not_in_numba=NO_SHUFFLES) for n in (1, 128, 200)),
    Case(
        rows_by_warp,
        (2,),
        (32, 4),
        lambda rng: (normal(rng, 7, 45), np.zeros(7, np.float32)),
        lambda x, sums: {1: x.sum(1, dtype=np.float64)},
        tolerance=1e-6,
        not_in_numba=NO_SHUFFLES,
    ),
)
