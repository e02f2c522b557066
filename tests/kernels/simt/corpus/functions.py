"""Functions that kernels call, inlined or compiled apart, and the names from outside that they freeze."""

import math

import numpy as np
from corpus.case import Case, normal, whole
from numba import float32

from kernels.backend import blocks, cuda, device_function

THREADS = 32
SCALE = 3  # frozen: the compiler writes its value into the kernel
OFFSETS = (4, -1, 2)
COEFFICIENTS = np.array([1.5, -2.0, 0.25], np.float32)


@device_function
def clamp(value, low, high):
    """Returns from three places, and is inlined all the same."""
    if value < low:
        return low
    if value > high:
        return high
    return value


@device_function
def squashed(value):
    """A device function that calls one."""
    return clamp(value * float32(2), float32(-1), float32(1))


@cuda.jit(device=True)
def apart(value):
    """Not inlined: on a GPU a call, with a body of its own."""
    if value < 0:
        return -value
    return value


@cuda.jit(device=True)
def euclid(a, b):
    """A loop of its own for each caller."""
    while b:
        a, b = b, a % b
    return a


@device_function
def weighted(value, weight=3, shift=0):
    """Arguments may be left out, or named."""
    return value * weight + shift


@device_function
def polar(x, y):
    """Two results at once."""
    return math.hypot(x, y), math.atan2(y, x)


@device_function
def swap_in_shared(items, i, j):
    """Works on the caller's array and returns nothing."""
    items[i], items[j] = items[j], items[i]


def powered(exponent):
    """Builds a kernel around a number: a closure."""

    @cuda.jit
    def raise_all(x, out):
        i = cuda.grid(1)
        if i < x.size:
            result = 1
            for _ in range(exponent):
                result *= x[i]
            out[i] = result

    return raise_all


def mapped(function):
    """Builds a kernel around a device function."""

    @cuda.jit
    def apply(x, out):
        i = cuda.grid(1)
        if i < x.size:
            out[i] = function(x[i]) + function(-x[i])

    return apply


@device_function
def shifted_square(value):
    return (value + 1) * (value + 1)


@cuda.jit
def nested(x, out):
    i = cuda.grid(1)
    if i < x.size:
        out[i] = squashed(x[i]) + clamp(x[i], float32(0), float32(0.5))


@cuda.jit
def called(x, out):
    i = cuda.grid(1)
    if i < x.size:
        out[i] = apart(x[i]) + apart(x[i] - float32(1))


@cuda.jit
def common_divisor(a, b, out):
    i = cuda.grid(1)
    if i < a.size:
        out[i] = euclid(a[i], b[i])


@cuda.jit
def two_results(x, y, radius, angle):
    i = cuda.grid(1)
    if i < x.size:
        radius[i], angle[i] = polar(x[i], y[i])


@cuda.jit
def frozen_names(x, out):
    """A number, a tuple and an array from outside, and a constant of the math module."""
    i = cuda.grid(1)
    if i < x.size:
        total = SCALE * x[i] + OFFSETS[0]
        for offset in OFFSETS:
            total += offset
        for k in range(len(COEFFICIENTS)):
            total += COEFFICIENTS[k]
        out[i] = total if total < math.pi * 100 else math.inf


@cuda.jit
def by_keyword(x, out):
    i = cuda.grid(1)
    if i < x.size:
        out[i] = weighted(x[i]) + weighted(x[i], shift=100) + weighted(shift=i, weight=2, value=x[i])


@cuda.jit
def local_functions(x, out):
    """Functions defined on the spot; an assertion costs nothing unless the kernel is compiled for debugging."""
    i = cuda.grid(1)

    def doubled(value):
        return value + value

    increased = lambda value: doubled(value) + 1  # noqa: E731 - that it works is the point
    if i < x.size:
        assert x.size == out.size
        out[i] = increased(x[i]) ** 2


@cuda.jit
def reversed_pairs(x):
    """A device function that writes to shared memory."""
    items = cuda.shared.array(THREADS, float32)
    t = cuda.threadIdx.x
    items[t] = x[t]
    cuda.syncthreads()
    if t < THREADS // 2:
        swap_in_shared(items, t, THREADS - 1 - t)
    cuda.syncthreads()
    x[t] = items[t]


def floats(kernel, expected, tolerance=1e-6):
    return Case(
        kernel,
        (blocks(50, THREADS),),
        (THREADS,),
        lambda rng: (normal(rng, 50), np.zeros(50, np.float32)),
        lambda x, _: {1: expected(x.astype(np.float64))},
        tolerance=tolerance,
    )


def ints(kernel, expected, label="", **options):
    return Case(
        kernel,
        (2,),
        (THREADS,),
        lambda rng: (whole(rng, -9, 9, 50), np.zeros(50, np.int64)),
        lambda x, _: {1: expected(x.astype(np.int64))},
        label,
        **options,
    )


CASES = (
    floats(nested, lambda x: np.clip(2 * x, -1, 1) + np.clip(x, 0, 0.5)),
    floats(called, lambda x: abs(x) + abs(x - 1)),
    Case(
        common_divisor,
        (1,),
        (THREADS,),
        lambda rng: (whole(rng, 1, 500, 30), whole(rng, 0, 500, 30), np.zeros(30, np.int32)),
        lambda a, b, _: {2: np.gcd(a, b)},
    ),
    Case(
        two_results,
        (1,),
        (THREADS,),
        lambda rng: (normal(rng, 30), normal(rng, 30), np.zeros(30, np.float32), np.zeros(30, np.float32)),
        lambda x, y, *_: {2: np.hypot(x, y), 3: np.arctan2(y, x)},
        tolerance=1e-6,
    ),
    floats(frozen_names, lambda x: 3 * x + 4 + sum(OFFSETS) + COEFFICIENTS.sum()),
    Case(reversed_pairs, (1,), (THREADS,), lambda rng: (normal(rng, THREADS),), lambda x: {0: x[::-1]}),
    *(ints(powered(exponent), lambda x, e=exponent: x**e, str(exponent)) for exponent in (0, 3)),
    ints(
        by_keyword,
        lambda x: 8 * x + 100 + np.arange(x.size),
        not_in_numba="Numba's simulator knows no keywords",
    ),
    ints(local_functions, lambda x: (2 * x + 1) ** 2),
    ints(mapped(shifted_square), lambda x: (x + 1) ** 2 + (1 - x) ** 2),
    ints(mapped(apart), lambda x: 2 * abs(x), "apart"),
)
