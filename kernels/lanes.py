"""Device functions: how the threads of a block work together.

A block's threads share a small fast memory. `block_sum` adds one number from each thread in log₂(threads) steps: in
each step the lower half of the threads adds the upper half's numbers to its own, and all wait at a barrier, since the
next step reads what other threads have written in this one.

Source: M. Harris, Optimizing Parallel Reduction in CUDA, NVIDIA, 2007 (sequential addressing).
"""

from kernels.backend import cuda, device_function

MAX_THREADS = 256  # of a block that reduces: the length of its shared scratch array


@device_function
def block_sum(value, scratch):
    """The sum of `value` over the block, in every thread of it.

    scratch: shared array of at least blockDim.x numbers. blockDim.x must be a power of two, and every thread of the
    block must call this together.
    """
    lane = cuda.threadIdx.x
    scratch[lane] = value
    cuda.syncthreads()
    half = cuda.blockDim.x // 2
    while half > 0:
        if lane < half:
            scratch[lane] += scratch[lane + half]
        cuda.syncthreads()
        half //= 2
    total = scratch[0]
    cuda.syncthreads()  # the next call overwrites scratch: not before everyone has read
    return total
