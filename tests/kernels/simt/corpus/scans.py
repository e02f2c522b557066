"""Running totals: every element the sum of all before it (exclusive) or up to it (inclusive).

Source: W. D. Hillis, G. L. Steele, Data Parallel Algorithms, CACM 1986; G. Blelloch, Prefix Sums and Their
Applications, 1990; D. Merrill, M. Garland, Single-pass Parallel Prefix Scan, NVIDIA NVR-2016-002 (chained scan).
"""

import numpy as np
from corpus.case import NO_SHUFFLES, Case, whole
from numba import int32

from kernels.backend import cuda, device_function

THREADS = 64
ITEMS = 2 * THREADS
EVERYONE = 0xFFFFFFFF


@cuda.jit
def hillis_steele(x, out):
    """Two buffers in turn: a step reads one and writes the other, so that one barrier a step is enough."""
    buffers = cuda.shared.array((2, THREADS), int32)
    t = cuda.threadIdx.x
    source = 0
    buffers[source, t] = x[t] if t < x.size else 0
    cuda.syncthreads()
    reach = 1
    while reach < THREADS:
        value = buffers[source, t]
        if t >= reach:
            value += buffers[source, t - reach]
        buffers[1 - source, t] = value
        source = 1 - source
        reach *= 2
        cuda.syncthreads()
    if t < x.size:
        out[t] = buffers[source, t]


@cuda.jit
def blelloch(x, out):
    """Up the tree adding, down the tree handing on what lies to the left: 2n additions instead of n log n."""
    tree = cuda.shared.array(ITEMS, int32)
    t = cuda.threadIdx.x
    for k in range(t, ITEMS, THREADS):
        tree[k] = x[k] if k < x.size else 0
    stride = 1
    active = THREADS
    while active > 0:
        cuda.syncthreads()
        if t < active:
            left = stride * (2 * t + 1) - 1
            tree[left + stride] += tree[left]
        stride *= 2
        active //= 2
    if t == 0:
        tree[ITEMS - 1] = 0
    active = 1
    while active <= THREADS:
        stride //= 2
        cuda.syncthreads()
        if t < active:
            left = stride * (2 * t + 1) - 1
            tree[left], tree[left + stride] = tree[left + stride], tree[left] + tree[left + stride]
        active *= 2
    cuda.syncthreads()
    for k in range(t, ITEMS, THREADS):
        if k < x.size:
            out[k] = tree[k]


@device_function
def warp_scan(value):
    """The inclusive scan of a warp; all lanes shuffle, though the first ones do not use what they get."""
    lane = cuda.laneid
    for step in range(5):
        below = cuda.shfl_up_sync(EVERYONE, value, 1 << step)
        if lane >= 1 << step:
            value = int32(value + below)
    return value


@cuda.jit
def scan_by_warp(x, out):
    i = cuda.grid(1)
    out[i] = warp_scan(x[i])


@cuda.jit
def scan_by_block(x, out):
    """Warps scan, the first warp scans their totals, every warp adds what came before it."""
    totals = cuda.shared.array(32, int32)
    t = cuda.threadIdx.x
    warp, lane = t // 32, t % 32
    value = warp_scan(x[t] if t < x.size else int32(0))
    if lane == 31:
        totals[warp] = value
    cuda.syncthreads()
    if warp == 0:
        scanned = warp_scan(totals[lane] if lane < cuda.blockDim.x // 32 else int32(0))
        totals[lane] = scanned
    cuda.syncthreads()
    if warp > 0:
        value += totals[warp - 1]
    if t < x.size:
        out[t] = value


@cuda.jit
def chained_scan(x, out, ticket, ready, running):
    """One pass over many blocks: each waits for its neighbor's running total, adds its own and hands it on.

    A block takes its place in the chain from a ticket: whoever starts first is first, so nobody waits for a block that
    has not started. The total is fenced before the flag is raised, and after the flag is seen.
    """
    sums = cuda.shared.array(THREADS, int32)
    chain = cuda.shared.array(2, int32)  # this block's place, and the total before it
    t = cuda.threadIdx.x
    if t == 0:
        chain[0] = cuda.atomic.add(ticket, 0, 1)
    cuda.syncthreads()
    place = chain[0]
    i = place * THREADS + t
    sums[t] = x[i] if i < x.size else 0
    cuda.syncthreads()
    if t == 0:
        for k in range(1, THREADS):
            sums[k] += sums[k - 1]
        before = 0
        if place > 0:
            while cuda.atomic.add(ready, place - 1, 0) == 0:
                pass
            cuda.threadfence()
            before = running[place - 1]
        running[place] = before + sums[THREADS - 1]
        cuda.threadfence()
        cuda.atomic.exch(ready, place, 1)
        chain[1] = before
    cuda.syncthreads()
    if i < x.size:
        out[i] = chain[1] + sums[t]


@cuda.jit
def compact(x, kept, count):
    """Keeps the positive numbers in their order: a scan of yes and no says where each goes."""
    places = cuda.shared.array(THREADS, int32)
    t = cuda.threadIdx.x
    keep = t < x.size and x[t] > 0
    places[t] = 1 if keep else 0
    cuda.syncthreads()
    reach = 1
    while reach < THREADS:
        below = places[t - reach] if t >= reach else 0
        cuda.syncthreads()  # everyone has read before anyone writes
        places[t] += below
        cuda.syncthreads()
        reach *= 2
    if keep:
        kept[places[t] - 1] = x[t]
    if t == THREADS - 1:
        count[0] = places[t]


def one_block(kernel, n, threads, exclusive=False, **options):
    def expected(x, out):
        total = np.cumsum(x)
        return {1: total - x if exclusive else total}

    return Case(
        kernel,
        (1,),
        (threads,),
        lambda rng: (whole(rng, -99, 99, n), np.zeros(n, np.int32)),
        expected,
        str(n),
        **options,
    )


def front(x, kept):
    """`kept` with the positive numbers of x first."""
    positive = x[x > 0]
    return np.concatenate([positive, kept[positive.size :]])


CASES = (
    *(one_block(hillis_steele, n, THREADS) for n in (1, 50, 64)),
    *(one_block(blelloch, n, THREADS, exclusive=True) for n in (2, 101, 128)),
    Case(
        scan_by_warp,
        (2,),
        (32,),
        lambda rng: (whole(rng, -99, 99, 64), np.zeros(64, np.int32)),
        lambda x, out: {1: np.cumsum(x.reshape(2, 32), axis=1).ravel()},
        not_in_numba=NO_SHUFFLES,
    ),
    *(one_block(scan_by_block, n, 128, not_in_numba=NO_SHUFFLES) for n in (1, 77, 128)),
    Case(
        chained_scan,
        (3,),
        (THREADS,),
        lambda rng: (whole(rng, -99, 99, 170), *(np.zeros(n, np.int32) for n in (170, 1, 3, 3))),
        lambda x, *_: {1: np.cumsum(x), 2: [3], 3: [1, 1, 1]},
    ),
    *(
        Case(
            compact,
            (1,),
            (THREADS,),
            lambda rng, n=n: (whole(rng, -9, 9, n), np.zeros(n, np.int32), np.zeros(1, np.int32)),
            lambda x, kept, count: {1: front(x, kept), 2: [(x > 0).sum()]},
            str(n),
        )
        for n in (1, 64)
    ),
)
