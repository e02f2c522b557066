"""From one thread to another without a barrier: write, fence, raise a flag; see the flag, fence, read.

Source: PTX ISA, "Memory Consistency Model"; CUDA C++ Programming Guide, "Memory Fence Functions"; for the loop that
holds a lock inside a warp, J. Sanders, E. Kandrot, CUDA by Example, appendix A.
"""

import numpy as np
from corpus.case import Case, whole
from numba import int32

from kernels.backend import cuda

THREADS = 32


@cuda.jit
def locked_by_block(x, lock, sums):
    """One thread of each block at a time changes two numbers that belong together."""
    i = cuda.grid(1)
    if cuda.threadIdx.x == 0:
        while cuda.atomic.cas(lock, 0, 0, 1) != 0:
            pass
        cuda.threadfence()
        for k in range(i, min(i + THREADS, x.size)):
            sums[0] += x[k]
            sums[1] += 1
        cuda.threadfence()
        cuda.atomic.exch(lock, 0, 0)


@cuda.jit
def locked_by_thread(x, locks, sums):
    """Threads of one warp may want the same lock: whoever has it works and lets go before the others try again."""
    i = cuda.grid(1)
    if i < x.size:
        place = x[i] % locks.size
        waiting = True
        while waiting:
            if cuda.atomic.cas(locks, place, 0, 1) == 0:
                cuda.threadfence()
                sums[place] += x[i]
                cuda.threadfence()
                cuda.atomic.exch(locks, place, 0)
                waiting = False


@cuda.jit
def across_blocks(x, published, flag, out):
    """The first block publishes what the others wait for: a barrier collects the block, one thread speaks for it."""
    t = cuda.threadIdx.x
    if cuda.blockIdx.x == 0:
        published[t] = x[t] * 2
        cuda.syncthreads()
        if t == 0:
            cuda.threadfence()
            cuda.atomic.exch(flag, 0, 1)
    else:
        if t == 0:
            while cuda.atomic.cas(flag, 0, 1, 1) == 0:
                pass
            cuda.threadfence()
        cuda.syncthreads()
        out[cuda.blockIdx.x - 1, t] = published[THREADS - 1 - t]


@cuda.jit
def between_warps(x, out):
    """Inside a block a flag in shared memory will do, and a fence that reaches no further."""
    box = cuda.shared.array(1, int32)
    flag = cuda.shared.array(1, int32)
    t = cuda.threadIdx.x
    if t == 0:
        flag[0] = 0
    cuda.syncthreads()
    if t == 32:
        box[0] = x[0] + 1
        cuda.threadfence_block()
        cuda.atomic.exch(flag, 0, 1)
    elif t == 0:
        while cuda.atomic.add(flag, 0, 0) == 0:
            pass
        cuda.threadfence_block()
        out[0] = box[0]


@cuda.jit
def walk_lists(heads, following, lengths):
    """Follows each list to its end: a load whose address is what the last one brought."""
    bin = cuda.grid(1)
    if bin < heads.size:
        length = 0
        place = heads[bin]
        while place >= 0:
            length += 1
            place = following[place]
        lengths[bin] = length


def chains(rng):
    """Eight linked lists that share 60 places."""
    bins = whole(rng, 0, 8, 60)
    heads, following = np.full(8, -1, np.int32), np.zeros(60, np.int32)
    for place, bin in enumerate(bins):
        following[place], heads[bin] = heads[bin], place
    return heads, following, np.zeros(8, np.int32)


def lengths(heads, following, _):
    counts = [0] * len(heads)
    for bin, head in enumerate(heads.tolist()):
        while head >= 0:
            counts[bin] += 1
            head = following[head]
    return {2: counts}


CASES = (
    Case(
        locked_by_block,
        (3,),
        (THREADS,),
        lambda rng: (whole(rng, 0, 99, 80), np.zeros(1, np.int32), np.zeros(2, np.int32)),
        lambda x, *_: {1: [0], 2: [x.sum(), x.size]},
    ),
    Case(
        locked_by_thread,
        (2,),
        (THREADS,),
        lambda rng: (whole(rng, 0, 99, 50), np.zeros(3, np.int32), np.zeros(3, np.int32)),
        lambda x, *_: {1: [0] * 3, 2: np.bincount(x % 3, weights=x, minlength=3)},
    ),
    Case(
        across_blocks,
        (3,),
        (THREADS,),
        lambda rng: (
            whole(rng, 0, 99, THREADS),
            np.zeros(THREADS, np.int32),
            np.zeros(1, np.int32),
            np.zeros((2, THREADS), np.int32),
        ),
        lambda x, *_: {1: 2 * x, 2: [1], 3: [2 * x[::-1]] * 2},
    ),
    Case(
        between_warps,
        (1,),
        (64,),
        lambda rng: (whole(rng, 0, 99, 1), np.zeros(1, np.int32)),
        lambda x, _: {1: x + 1},
    ),
    Case(walk_lists, (1,), (THREADS,), chains, lengths),
)
