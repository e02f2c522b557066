"""Floating point: which precision, which way it rounds, and what is neither a number nor finite."""

import math

import numpy as np
from corpus.case import normal, one_each, zeros
from numba import complex64, float32, float64, types

from kernels.backend import cuda

float16 = types.float16


@cuda.jit
def accumulators(x, wide, narrow):
    """`0.0` makes a float64 of what is added to it; float32(0) does not."""
    i = cuda.grid(1)
    if i < x.shape[0]:
        total, short = 0.0, float32(0)
        for k in range(x.shape[1]):
            total += x[i, k]
            short += x[i, k]
        wide[i], narrow[i] = total, short


@cuda.jit
def float_modulo(x, y, quotients, rests):
    """// and % of floats go toward minus infinity, as in Python."""
    i = cuda.grid(1)
    if i < x.size:
        quotients[i] = x[i] // y[i]
        rests[i] = x[i] % y[i]


@cuda.jit
def rounding(x, down, up, near, cut):
    """Four ways to a whole number; int() goes toward zero."""
    i = cuda.grid(1)
    if i < x.size:
        down[i] = math.floor(x[i])
        up[i] = math.ceil(x[i])
        near[i] = round(x[i])
        cut[i] = int(x[i])


@cuda.jit
def powers(x, out):
    """Whole powers of float32, and a square root twice over."""
    i = cuda.grid(1)
    if i < x.size:
        out[i] = x[i] ** 2 + x[i] ** 3 - math.sqrt(abs(x[i])) + math.pow(abs(x[i]), float32(0.5))


@cuda.jit
def transcendental(x, out):
    """Each of these is a call into libdevice, and a few units in the last place off."""
    i = cuda.grid(1)
    if i < x.size:
        v = x[i]
        out[0, i], out[1, i], out[2, i] = math.sin(v), math.cos(v), math.tanh(v)
        out[3, i], out[4, i], out[5, i] = math.exp(v), math.log1p(abs(v)), math.erf(v)
        out[6, i], out[7, i] = math.atan2(v, float32(2)), math.hypot(v, float32(1))


@cuda.jit
def special_values(x, flags):
    """nan is not equal to itself, and infinity is greater than anything."""
    i = cuda.grid(1)
    if i < x.size:
        flag = 0
        if math.isnan(x[i]):
            flag += 1
        if math.isinf(x[i]):
            flag += 2
        if x[i] == x[i]:
            flag += 4
        if x[i] > float32(3e38):
            flag += 8
        flags[i] = flag


@cuda.jit
def selecting(x, y, out):
    """`selp` takes both sides and picks one, without a branch; fma rounds once."""
    i = cuda.grid(1)
    if i < x.size:
        out[i] = cuda.selp(x[i] < y[i], cuda.fma(x[i], y[i], float64(1)), x[i] - y[i])


@cuda.jit
def half_precision(x, y, out):
    """float16 in memory, float32 in between: half the bytes, and one rounding."""
    i = cuda.grid(1)
    if i < x.size:
        out[i] = float16(float32(x[i]) * float32(y[i]) + float32(0.5))


@cuda.jit
def half_arithmetic(x, y, out):
    """Each operation rounds to float16."""
    i = cuda.grid(1)
    if i < x.size:
        out[i] = x[i] * y[i] + x[i]


@cuda.jit
def complex_square(z, out, sizes):
    """complex64: a product of four and two, and the parts by name."""
    i = cuda.grid(1)
    if i < z.size:
        w = z[i] * z[i] + complex64(complex(0.5, -1))
        out[i] = w.conjugate()
        sizes[i] = w.real * w.real + w.imag * w.imag


def table(x):
    v = x.astype(np.float64)
    erf = np.array([math.erf(value) for value in v])
    rows = (
        np.sin(v),
        np.cos(v),
        np.tanh(v),
        np.exp(v),
        np.log1p(abs(v)),
        erf,
        np.arctan2(v, 2),
        np.hypot(v, 1),
    )
    return {1: np.stack(rows)}


def classes(x, _):
    return {1: np.isnan(x) + 2 * np.isinf(x) + 4 * (x == x) + 8 * (x > 3e38)}


def odd_values(rng, n):
    x = normal(rng, n)
    x[:4] = np.nan, np.inf, -np.inf, 0
    return x, np.zeros(n, np.int32)


def running(x, *_):
    """Left to right, as a thread adds: in float64, and rounded to float32 at each step."""
    return {1: x.cumsum(1, dtype=np.float64)[:, -1], 2: x.cumsum(1, dtype=np.float32)[:, -1]}


def halves(rng, n):
    """Halves, quarters and whole numbers: ties, too."""
    return (normal(rng, n) * 20).round() / np.float32(4)


def squared(z):
    return z.astype(np.complex128) ** 2 + 0.5 - 1j


CASES = (
    one_each(
        accumulators, lambda rng, n: (normal(rng, n, 30), *zeros(n, np.float64, np.float32)), running, 1e-6
    ),
    one_each(
        float_modulo,
        lambda rng, n: (
            rng.standard_normal(n) * 9,
            rng.standard_normal(n),
            *zeros(n, np.float64, np.float64),
        ),
        lambda x, y, *_: {2: x // y, 3: x % y},
        1e-12,
    ),
    one_each(
        rounding,
        lambda rng, n: (halves(rng, n), *zeros(n, *[np.int32] * 4)),
        lambda x, *_: {1: np.floor(x), 2: np.ceil(x), 3: np.rint(x), 4: np.trunc(x)},
    ),
    one_each(
        powers,
        lambda rng, n: (normal(rng, n), *zeros(n, np.float32)),
        lambda x, _: {1: x.astype(np.float64) ** 2 + x.astype(np.float64) ** 3},
        1e-6,
    ),
    one_each(
        transcendental,
        lambda rng, n: (normal(rng, n), np.zeros((8, n), np.float32)),
        lambda x, _: table(x),
        1e-6,
    ),
    one_each(special_values, odd_values, classes),
    one_each(
        selecting,
        lambda rng, n: (rng.standard_normal(n), rng.standard_normal(n), *zeros(n, np.float64)),
        lambda x, y, _: {2: np.where(x < y, x * y + 1, x - y)},
        1e-15,
    ),
    one_each(
        half_precision,
        lambda rng, n: (*np.float16(normal(rng, 2, n)), *zeros(n, np.float16)),
        lambda x, y, _: {
            2: (x.astype(np.float32) * y.astype(np.float32) + np.float32(0.5)).astype(np.float16)
        },
        1e-3,
    ),
    one_each(
        half_arithmetic,
        lambda rng, n: (*np.float16(normal(rng, 2, n)), *zeros(n, np.float16)),
        lambda x, y, _: {2: x * y + x},
        2e-3,
        linked="cuda_fp16",
    ),
    one_each(
        complex_square,
        lambda rng, n: (
            (normal(rng, n) + 1j * normal(rng, n)).astype(np.complex64),
            *zeros(n, np.complex64, np.float32),
        ),
        lambda z, *_: {1: squared(z).conj(), 2: np.abs(squared(z)) ** 2},
        1e-6,
    ),
)
