"""Read, change and write as one step that nobody comes between; the old value comes back."""

import numpy as np
from corpus.case import Case, normal, whole
from numba import int32

from kernels.backend import cuda

THREADS = 64
BITWISE = ((np.bitwise_and, -1), (np.bitwise_or, 0), (np.bitwise_xor, 77))


@cuda.jit
def arithmetic(x, totals):
    """Six of them, in one array: what each leaves does not depend on the order."""
    i = cuda.grid(1)
    if i < x.size:
        cuda.atomic.add(totals, 0, x[i])
        cuda.atomic.sub(totals, 1, x[i])
        cuda.atomic.max(totals, 2, x[i])
        cuda.atomic.min(totals, 3, x[i])


@cuda.jit
def bitwise(x, words):
    i = cuda.grid(1)
    if i < x.size:
        cuda.atomic.and_(words, 0, x[i])
        cuda.atomic.or_(words, 1, x[i])
        cuda.atomic.xor(words, 2, x[i])


@cuda.jit
def floats(x, totals, extremes):
    """Float additions come in any order, so their last bits do; extremes do not."""
    i = cuda.grid(1)
    if i < x.size:
        cuda.atomic.add(totals, 0, x[i])
        cuda.atomic.max(extremes, (0, 0), x[i])
        cuda.atomic.min(extremes, (1, 0), x[i])


@cuda.jit
def ignoring_nan(x, extremes):
    i = cuda.grid(1)
    if i < x.size:
        cuda.atomic.nanmax(extremes, 0, x[i])
        cuda.atomic.nanmin(extremes, 1, x[i])


@cuda.jit
def around_a_ring(tickets, up, down):
    """`inc` and `dec` wrap around at a limit: 70 threads on a ring of 7 places fill each place 10 times."""
    if cuda.grid(1) < 70:
        cuda.atomic.add(tickets, cuda.atomic.inc(up, 0, 6), 1)
        cuda.atomic.dec(down, 0, 6)


@cuda.jit
def tickets(drawn, counter):
    """Each thread draws a number: the old value, which nobody else gets."""
    i = cuda.grid(1)
    if i < drawn.size:
        drawn[cuda.atomic.add(counter, 0, 1)] += 1


@cuda.jit
def distinct(x, seen, count):
    """Of those who hold the same number one is first to put up its flag."""
    i = cuda.grid(1)
    if i < x.size and cuda.atomic.exch(seen, x[i], 1) == 0:
        cuda.atomic.add(count, 0, 1)


@cuda.jit
def product_by_cas(x, product):
    """Any operation becomes atomic with compare-and-swap: try again until nobody has come between."""
    i = cuda.grid(1)
    if i < x.size:
        old = cuda.atomic.add(product, 0, 0)
        while True:
            found = cuda.atomic.cas(product, 0, old, int32(old * x[i] % 10007))
            if found == old:
                break
            old = found


@cuda.jit
def first_come(claims, winner):
    """Of all threads of a slot exactly one finds it free."""
    i = cuda.grid(1)
    if cuda.atomic.cas(claims, i % 5, -1, i) == -1:
        cuda.atomic.add(winner, i % 5, 1)


@cuda.jit
def in_shared_memory(x, smallest):
    """Within a block first, then across blocks."""
    own = cuda.shared.array(1, int32)
    i = cuda.grid(1)
    if cuda.threadIdx.x == 0:
        own[0] = 2147483647
    cuda.syncthreads()
    if i < x.size:
        cuda.atomic.min(own, 0, x[i])
    cuda.syncthreads()
    if cuda.threadIdx.x == 0:
        cuda.atomic.min(smallest, 0, own[0])


def nans(rng, n):
    x = normal(rng, n)
    x[::7] = np.nan
    return x


def product(x, start):
    value = int(start[0])
    for factor in x.tolist():
        value = value * factor % 10007
    return {1: [value]}


def case(kernel, arguments, expected, tolerance=0.0, label="", **options):
    return Case(kernel, (2,), (THREADS,), arguments, expected, label, tolerance=tolerance, **options)


def integers(dtype, label):
    return case(
        arithmetic,
        lambda rng: (whole(rng, 0, 99, 100).astype(dtype), np.array([5, 9999, 50, 50], dtype)),
        lambda x, _: {1: [5 + x.sum(), 9999 - x.sum(), max(50, x.max()), min(50, x.min())]},
        label=label,
    )


CASES = (
    *(integers(dtype, np.dtype(dtype).name) for dtype in (np.int32, np.int64, np.uint32, np.float64)),
    case(
        bitwise,
        lambda rng: (whole(rng, 0, 1 << 30, 100) | 5, np.array([-1, 0, 77], np.int32)),
        lambda x, _: {1: [f.reduce(x, initial=start) for f, start in BITWISE]},
    ),
    case(
        floats,
        lambda rng: (normal(rng, 100), np.zeros(1, np.float32), np.zeros((2, 1), np.float32)),
        lambda x, *_: {1: [x.sum(dtype=np.float64)], 2: [[max(0, x.max())], [min(0, x.min())]]},
        1e-5,
    ),
    case(
        ignoring_nan,
        lambda rng: (nans(rng, 100), np.zeros(2, np.float32)),
        lambda x, _: {1: [max(0, np.nanmax(x)), min(0, np.nanmin(x))]},
    ),
    case(
        around_a_ring,
        lambda rng: (np.zeros(7, np.int32), np.zeros(1, np.uint32), np.zeros(1, np.uint32)),
        lambda *_: {0: [10] * 7, 1: [0], 2: [0]},
    ),
    case(
        product_by_cas,
        lambda rng: (whole(rng, 1, 99, 70), np.array([3], np.int32)),
        product,
    ),
    case(
        tickets,
        lambda rng: (np.zeros(99, np.int32), np.zeros(1, np.int32)),
        lambda *_: {0: [1] * 99, 1: [99]},
    ),
    case(
        distinct,
        lambda rng: (whole(rng, 0, 99, 100), np.zeros(99, np.int32), np.zeros(1, np.int32)),
        lambda x, *_: {1: np.bincount(x, minlength=99) > 0, 2: [np.unique(x).size]},
    ),
    case(first_come, lambda rng: (np.full(5, -1, np.int32), np.zeros(5, np.int32)), lambda *_: {1: [1] * 5}),
    case(
        in_shared_memory,
        lambda rng: (whole(rng, -999, 999, 100), np.array([999], np.int32)),
        lambda x, _: {1: [x.min()]},
    ),
)
