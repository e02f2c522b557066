"""How the threads of a block work together: sums and maxima over all of them.

Threads come in **warps** of 32 lanes that execute together and can read each other's registers: a *shuffle*. In five
shuffles, with lanes 16, 8, 4, 2 and 1 apart, every lane of a warp has the sum of all 32. Warps meet in shared memory:
each leaves its total there, all wait at a barrier, and each adds up the totals in five shuffles more. A second barrier
keeps a fast warp from overwriting the totals of this sum with those of the next.

Every thread of the block must call these together, and its threads must be whole warps, at most 1024.

Source: NVIDIA, CUDA C++ Programming Guide, "Warp Shuffle Functions"; J. Luitjens, Faster Parallel Reductions on
Kepler, NVIDIA, 2014.
"""

from kernels.backend import cuda, device_function

MAX_THREADS = 256  # of a block that takes a row: with few registers each, blocks of 256 fill any GPU
WARP = 32
ALL = 0xFFFFFFFF  # the mask of a shuffle that every lane takes part in


@device_function
def warp_sum(value):
    """The sum of `value` over the warp, in every lane of it."""
    for distance in (16, 8, 4, 2, 1):
        value += cuda.shfl_xor_sync(ALL, value, distance)
    return value


@device_function
def warp_max(value):
    """The largest `value` of the warp, in every lane of it; NaN is passed over."""
    for distance in (16, 8, 4, 2, 1):
        value = max(value, cuda.shfl_xor_sync(ALL, value, distance))
    return value


@device_function
def block_sum(value):
    """The sum of `value` over the block, in every thread of it."""
    totals = cuda.shared.array(WARP, type(value))
    lane, warp = cuda.threadIdx.x % WARP, cuda.threadIdx.x // WARP
    value = warp_sum(value)
    if lane == 0:
        totals[warp] = value
    cuda.syncthreads()
    value = warp_sum(totals[lane] if lane < cuda.blockDim.x // WARP else type(value)(0))
    cuda.syncthreads()
    return value


@device_function
def block_max(value):
    """The largest `value` of the block, in every thread of it; NaN is passed over."""
    totals = cuda.shared.array(WARP, type(value))
    lane, warp = cuda.threadIdx.x % WARP, cuda.threadIdx.x // WARP
    value = warp_max(value)
    if lane == 0:
        totals[warp] = value
    cuda.syncthreads()
    value = warp_max(totals[lane] if lane < cuda.blockDim.x // WARP else totals[0])
    cuda.syncthreads()
    return value
