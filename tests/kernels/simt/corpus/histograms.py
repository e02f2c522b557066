"""Counting into bins: atomics everywhere, then fewer and fewer of them in device memory."""

import numpy as np
from corpus.case import NO_VOTES, Case, whole
from numba import int32

from kernels.backend import blocks, cuda

BINS = 16
THREADS = 64
WARPS = THREADS // 32


@cuda.jit
def in_global(x, counts):
    """An atomic in device memory for each element."""
    i = cuda.grid(1)
    if i < x.size:
        cuda.atomic.add(counts, x[i], 1)


@cuda.jit
def in_shared(x, counts):
    """A block counts on its own, in shared memory, and adds its counts to the others' once."""
    own = cuda.shared.array(BINS, int32)
    t = cuda.threadIdx.x
    if t < BINS:
        own[t] = 0
    cuda.syncthreads()
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        cuda.atomic.add(own, x[i], 1)
    cuda.syncthreads()
    if t < BINS and own[t] > 0:
        cuda.atomic.add(counts, t, own[t])


@cuda.jit
def a_thread_a_bin(x, counts):
    """The other way round: a thread looks at everything and counts one bin; no atomic at all."""
    bin = cuda.grid(1)
    if bin < counts.size:
        found = 0
        for i in range(x.size):
            if x[i] == bin:
                found += 1
        counts[bin] = found


@cuda.jit
def by_column(x, counts):
    """Shared counts for every warp apart, (warps, bins): fewer lanes meet at one address."""
    own = cuda.shared.array((WARPS, BINS), int32)
    t = cuda.threadIdx.x
    warp = t // 32
    for place in range(t, WARPS * BINS, THREADS):
        own[place // BINS, place % BINS] = 0
    cuda.syncthreads()
    i = cuda.grid(1)
    if i < x.size:
        cuda.atomic.add(own, (warp, x[i]), 1)
    cuda.syncthreads()
    if t < BINS:
        total = 0
        for w in range(WARPS):
            total += own[w, t]
        cuda.atomic.add(counts, t, total)


@cuda.jit
def warp_aggregated(x, counts):
    """Lanes with the same bin find each other by `match_any`; the first of them adds for all."""
    i = cuda.grid(1)
    if i < x.size:
        peers = cuda.match_any_sync(cuda.activemask(), x[i])
        first = cuda.ffs(peers) - 1
        if cuda.laneid == first:
            cuda.atomic.add(counts, x[i], cuda.popc(peers))


def case(kernel, n, grid=None, **options):
    return Case(
        kernel,
        (grid or blocks(n, THREADS),),
        (THREADS,),
        lambda rng: (whole(rng, 0, BINS, n) ** 2 // BINS, np.zeros(BINS, np.int32)),
        lambda x, counts: {1: np.bincount(x, minlength=BINS)},
        str(n),
        **options,
    )


CASES = (
    *(case(in_global, n) for n in (1, 150)),
    *(case(in_shared, n, 2) for n in (1, 150)),
    case(a_thread_a_bin, 99, 1),
    case(by_column, 150),
    *(case(warp_aggregated, n, not_in_numba=NO_VOTES) for n in (64, 150)),
)
