"""Memory that is no argument: a thread's own, constants, and shared memory whose size the launch says."""

import numpy as np
from corpus.case import Case, normal, whole
from numba import float32, int32

from kernels.backend import cuda

THREADS = 32
TABLE = np.arange(24, dtype=np.int32).reshape(4, 6) ** 2


@cuda.jit
def private_stack(x, out):
    """A local array is the thread's own: here a number's digits, last in, first out."""
    digits = cuda.local.array(10, int32)
    i = cuda.grid(1)
    if i < x.size:
        n = x[i]
        depth = 0
        while n > 0:
            digits[depth] = n % 10
            n //= 10
            depth += 1
        total = 0
        for k in range(depth):
            total = total * 10 + digits[k]
        out[i] = total


@cuda.jit
def insertion_sort(x):
    """A thread sorts a row in memory of its own."""
    own = cuda.local.array(8, float32)
    i = cuda.grid(1)
    if i < x.shape[0]:
        for k in range(8):
            value = x[i, k]
            j = k - 1
            while j >= 0 and own[j] > value:
                own[j + 1] = own[j]
                j -= 1
            own[j + 1] = value
        for k in range(8):
            x[i, k] = own[k]


@cuda.jit
def constant_table(x, out):
    """Constant memory of two axes."""
    table = cuda.const.array_like(TABLE)
    i = cuda.grid(1)
    if i < x.size:
        out[i] = table[x[i] % 4, x[i] % 6]


@cuda.jit
def sized_by_the_launch(x, out):
    """Shared memory of a size that the launch gives."""
    floats = cuda.shared.array(0, float32)
    t = cuda.threadIdx.x
    n = cuda.blockDim.x
    i = cuda.grid(1)
    floats[t] = x[i]
    cuda.syncthreads()
    out[i] = floats[n - 1 - t]


@cuda.jit
def two_in_one(x, out):
    """One dynamic buffer, cut in two."""
    buffer = cuda.shared.array(0, int32)
    n = cuda.blockDim.x
    first, second = buffer[:n], buffer[n : 2 * n]
    t = cuda.threadIdx.x
    first[t] = x[t]
    second[t] = -x[t]
    cuda.syncthreads()
    out[t] = first[(t + 1) % n] + 10 * second[(t + 2) % n]


def case(kernel, arguments, expected, tolerance=0.0, **options):
    return Case(kernel, (1,), (THREADS,), arguments, expected, tolerance=tolerance, **options)


CASES = (
    case(
        private_stack,
        lambda rng: (whole(rng, 0, 99999, 30), np.zeros(30, np.int32)),
        lambda x, _: {1: [int(str(v)[::-1]) for v in x.tolist()]},
    ),
    case(insertion_sort, lambda rng: (normal(rng, 20, 8),), lambda x: {0: np.sort(x)}),
    case(
        constant_table,
        lambda rng: (whole(rng, 0, 99, 30), np.zeros(30, np.int32)),
        lambda x, _: {1: TABLE[x % 4, x % 6]},
    ),
    Case(
        sized_by_the_launch,
        (2,),
        (40,),
        lambda rng: (normal(rng, 80), np.zeros(80, np.float32)),
        lambda x, _: {1: x.reshape(2, 40)[:, ::-1].ravel()},
        shared_bytes=160,
    ),
    case(
        two_in_one,
        lambda rng: (whole(rng, 0, 99, THREADS), np.zeros(THREADS, np.int32)),
        lambda x, _: {1: np.roll(x, -1) - 10 * np.roll(x, -2)},
        shared_bytes=8 * THREADS,
    ),
)
