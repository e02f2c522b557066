"""Many numbers to one: trees in shared memory, and the last step across blocks.

Source: M. Harris, Optimizing Parallel Reduction in CUDA, NVIDIA, 2007; for the last block, CUDA C++ Programming Guide,
"Memory Fence Functions".
"""

import numpy as np
from corpus.case import Case, block_sums, normal, partial_sums, whole
from numba import float32, int32

from kernels.backend import cuda

THREADS = 64


@cuda.jit
def interleaved_tree(x, partial):
    """Neighbors add first; the modulo keeps ever fewer lanes of every warp busy."""
    scratch = cuda.shared.array(THREADS, float32)
    t, i = cuda.threadIdx.x, cuda.grid(1)
    scratch[t] = x[i] if i < x.size else float32(0)
    cuda.syncthreads()
    stride = 1
    while stride < THREADS:
        if t % (2 * stride) == 0:
            scratch[t] += scratch[t + stride]
        cuda.syncthreads()
        stride *= 2
    if t == 0:
        partial[cuda.blockIdx.x] = scratch[0]


@cuda.jit
def sequential_tree(x, partial):
    """The lower half adds the upper half: whole warps go idle together, and banks never conflict."""
    scratch = cuda.shared.array(THREADS, float32)
    t, i = cuda.threadIdx.x, cuda.grid(1)
    scratch[t] = x[i] if i < x.size else float32(0)
    cuda.syncthreads()
    half = THREADS // 2
    while half > 0:
        if t < half:
            scratch[t] += scratch[t + half]
        cuda.syncthreads()
        half //= 2
    if t == 0:
        partial[cuda.blockIdx.x] = scratch[0]


@cuda.jit
def grid_stride_atomic(x, total):
    """A thread adds up its share before anyone meets, and a block sends one atomic."""
    scratch = cuda.shared.array(THREADS, int32)
    t = cuda.threadIdx.x
    own = int32(0)
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        own = int32(own + x[i])
    scratch[t] = own
    cuda.syncthreads()
    half = THREADS // 2
    while half:
        if t < half:
            scratch[t] += scratch[t + half]
        cuda.syncthreads()
        half >>= 1
    if t == 0:
        cuda.atomic.add(total, 0, scratch[0])


@cuda.jit
def last_block_done(x, partial, arrived, total):
    """The block that arrives last finds all partial sums: each is fenced before its block is counted."""
    scratch = cuda.shared.array(THREADS, int32)
    is_last = cuda.shared.array(1, int32)
    t, i = cuda.threadIdx.x, cuda.grid(1)
    scratch[t] = x[i] if i < x.size else 0
    cuda.syncthreads()
    half = THREADS // 2
    while half > 0:
        if t < half:
            scratch[t] += scratch[t + half]
        cuda.syncthreads()
        half //= 2
    if t == 0:
        partial[cuda.blockIdx.x] = scratch[0]
        cuda.threadfence()
        is_last[0] = cuda.atomic.add(arrived, 0, 1) == cuda.gridDim.x - 1
    cuda.syncthreads()
    if is_last[0] and t == 0:
        cuda.threadfence()
        running = 0
        for block in range(cuda.gridDim.x):
            running += partial[block]
        total[0] = running


@cuda.jit
def argmax(x, value, place):
    """A pair through the tree; of equal values the first place wins."""
    values = cuda.shared.array(THREADS, float32)
    places = cuda.shared.array(THREADS, int32)
    t = cuda.threadIdx.x
    best, where = float32(-np.inf), int32(x.size)
    for i in range(t, x.size, THREADS):
        if x[i] > best:
            best, where = x[i], int32(i)
    values[t], places[t] = best, where
    cuda.syncthreads()
    half = THREADS // 2
    while half > 0:
        if t < half:
            other, its_place = values[t + half], places[t + half]
            if other > values[t] or (other == values[t] and its_place < places[t]):
                values[t], places[t] = other, its_place
        cuda.syncthreads()
        half //= 2
    if t == 0:
        value[0], place[0] = values[0], places[0]


CASES = (
    *(partial_sums(interleaved_tree, n) for n in (1, 130)),
    *(partial_sums(sequential_tree, n) for n in (63, 256)),
    Case(
        grid_stride_atomic,
        (2,),
        (THREADS,),
        lambda rng: (whole(rng, -99, 99, 1000), np.zeros(1, np.int32)),
        lambda x, total: {1: [x.sum()]},
    ),
    Case(
        last_block_done,
        (3,),
        (THREADS,),
        lambda rng: (
            whole(rng, -99, 99, 150),
            np.zeros(3, np.int32),
            np.zeros(1, np.int32),
            np.zeros(1, np.int32),
        ),
        lambda x, *_: {1: block_sums(x, THREADS), 2: [3], 3: [x.sum()]},
    ),
    Case(
        argmax,
        (1,),
        (THREADS,),
        lambda rng: (normal(rng, 300).round(1), np.zeros(1, np.float32), np.zeros(1, np.int32)),
        lambda x, *_: {1: [x.max()], 2: [x.argmax()]},
    ),
)
