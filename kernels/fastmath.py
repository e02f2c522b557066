"""exp, tanh, erf and the normal distribution, as a CPU loop can compute them for many elements at once.

`math.exp` in a compiled loop is a call into the C library, one element at a time. The functions here are only
arithmetic, comparisons and bit operations, so LLVM vectorizes the loop around them. In float32 each is built from

- *range reduction*: exp(x) = 2ⁿ exp(r) with n = round(x / ln 2) and |r| ≤ ln 2 / 2; the 2ⁿ is written straight into
  the exponent bits of a float32;
- a *polynomial* on the small range that is left, fitted at Chebyshev points. The coefficients are computed
  when this file is imported, not copied from a table.

For small |x|, erf(x)/x and tanh(x)/x are polynomials in x². Further out erf(x) = 1 − exp(−g(x)) with a polynomial
g = −ln erfc, and tanh(x) = 1 − 2/(exp(2x) + 1). The normal distribution is Φ(−a) = 2^−g(a), Φ(a) = 1 − Φ(−a) for a ≥ 0,
and Φ(−a) is cut to 0 from a = 5.5 on.

Largest errors in float32, held by tests/kernels/test_fastmath.py: exp 2.5, erf 3.5 and tanh 2.5 units in the last
place; Φ(x) and x Φ(x) 3e-7, where torch's own float32 GELU has 1.2e-6. float64 arguments take the exact functions.

Source: J.-M. Muller, Elementary Functions: Algorithms and Implementation, 3rd ed., 2016, chapters 3 (polynomial
approximation) and 11 (range reduction).
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types
from numba.extending import overload, register_jitable
from numpy.polynomial import Chebyshev, Polynomial

# nothing here may be reordered: exp subtracts in two steps for the sake of its rounding
EXACT_ORDER: Any = {"fastmath": {"contract"}, "error_model": "numpy", "forceinline": True}


def fit(
    function: Callable[[float], float],
    degree: int,
    low: float,
    high: float,
    weight: Callable[[float], float] = lambda x: 1.0,
) -> tuple[np.float32, ...]:
    """Coefficients, lowest power first, of the polynomial nearest to `function` on [low, high].

    Nearest in the least squares of `weight` times the error at 256 Chebyshev points.
    """
    points = low + (high - low) * (1 - np.cos(np.pi * (np.arange(256) + 0.5) / 256)) / 2
    values, weights = np.vectorize(function)(points), np.vectorize(weight)(points)
    polynomial = Chebyshev.fit(points, values, degree, domain=[low, high], w=weights).convert(kind=Polynomial)
    return tuple(np.float32(coefficient) for coefficient in polynomial.coef)


def below(a: float) -> float:
    """Φ(−a), the probability below −a."""
    return math.erfc(a / math.sqrt(2)) / 2


ZERO, HALF, ONE, TWO = np.float32(0), np.float32(0.5), np.float32(1), np.float32(2)
TINY = 1e-300  # keeps 0/0 out of erf(x)/x and tanh(x)/x
EXP_LOW, EXP_HIGH = np.float32(-104), np.float32(89)  # beyond, exp is 0 and inf
ERF_SPLIT, ERF_END = np.float32(1), np.float32(4)  # from 4 on, erf rounds to 1
TANH_SPLIT = np.float32(0.6)
CDF_END = np.float32(5.5)  # Φ(−5.5) is 2e-8

EXP = fit(math.exp, 6, -math.log(2) / 2, math.log(2) / 2)
EXP2 = fit(math.exp2, 5, -0.5, 0.5)
ERF_SMALL = fit(lambda q: math.erf(math.sqrt(q)) / math.sqrt(q), 6, TINY, float(ERF_SPLIT) ** 2)
ERF_LARGE = fit(lambda x: -math.log(math.erfc(x)), 7, float(ERF_SPLIT), float(ERF_END))
TANH_SMALL = fit(lambda q: math.tanh(math.sqrt(q)) / math.sqrt(q), 5, TINY, float(TANH_SPLIT) ** 2)
# g(0) = 1 is built in, so Φ(0) is 1/2; the weight asks for exactness where a Φ(−a), which is what GELU adds, is large
CDF = (
    ONE,
    *fit(lambda a: (-math.log2(below(a)) - 1) / a, 6, 1e-9, float(CDF_END), lambda a: a * below(a) ** 0.75),
)

PER_LN2 = np.float32(1 / math.log(2))
LN2_HIGH = np.float32(0.693359375)  # has 9 bits, so n times this is exact
LN2_LOW = np.float32(math.log(2) - 0.693359375)


def exp(x: float) -> float:
    """e to the power x."""
    return math.exp(x)


def erf(x: float) -> float:
    """The error function, 2/√π ∫₀ˣ exp(−t²) dt."""
    return math.erf(x)


def tanh(x: float) -> float:
    """The hyperbolic tangent."""
    return math.tanh(x)


def normal_cdf(x: float) -> float:
    """Φ(x), the probability that a standard normal variable lies below x."""
    return math.erfc(-x * math.sqrt(0.5)) / 2


@register_jitable(**EXACT_ORDER)
def polynomial(coefficients: Any, x: Any) -> Any:
    """Horner's scheme for even and odd powers apart: a step waits for the one before, and short chains wait less."""
    square = x * x
    last_even, last_odd = (len(coefficients) - 1) // 2 * 2, len(coefficients) // 2 * 2 - 1
    even, odd = coefficients[last_even], coefficients[last_odd]
    for power in range(last_even - 2, -1, -2):
        even = even * square + coefficients[power]
    for power in range(last_odd - 2, 0, -2):
        odd = odd * square + coefficients[power]
    return odd * x + even


@register_jitable(**EXACT_ORDER)
def power_of_two(n: np.int32) -> np.float32:
    """2ⁿ for −126 ≤ n ≤ 127: a float32 keeps its exponent from bit 23 on, with 127 added."""
    return np.int32((n + np.int32(127)) << np.int32(23)).view(np.float32)


@overload(exp, jit_options=EXACT_ORDER)
def _exp(x):
    if x != types.float32:
        return lambda x: math.exp(x)

    def exp32(x):
        limited = min(max(x, EXP_LOW), EXP_HIGH)
        n = np.floor(limited * PER_LN2 + HALF)
        r = (
            limited - n * LN2_HIGH
        ) - n * LN2_LOW  # ln 2 in two parts: cancellation leaves the low bits right
        # two factors: 2ⁿ alone can be out of float32's range when the product is not
        first = np.int32(n) >> np.int32(1)
        return polynomial(EXP, r) * power_of_two(first) * power_of_two(np.int32(n) - first)

    return exp32


@overload(erf, jit_options=EXACT_ORDER)
def _erf(x):
    if x != types.float32:
        return lambda x: math.erf(x)

    def erf32(x):
        size = abs(x)
        small = x * polynomial(ERF_SMALL, x * x)
        large = math.copysign(ONE - exp(-polynomial(ERF_LARGE, min(size, ERF_END))), x)
        # both are computed and one is chosen: the lanes of a vector cannot branch apart
        return small if size < ERF_SPLIT else large

    return erf32


@overload(tanh, jit_options=EXACT_ORDER)
def _tanh(x):
    if x != types.float32:
        return lambda x: math.tanh(x)

    def tanh32(x):
        size = abs(x)
        small = x * polynomial(TANH_SMALL, x * x)
        large = math.copysign(ONE - TWO / (exp(TWO * size) + ONE), x)
        return small if size < TANH_SPLIT else large

    return tanh32


@overload(normal_cdf, jit_options=EXACT_ORDER)
def _normal_cdf(x):
    if x != types.float32:
        return lambda x: math.erfc(-x * math.sqrt(0.5)) / 2

    def normal_cdf32(x):
        size = abs(x)
        g = polynomial(CDF, min(size, CDF_END))
        n = np.floor(g + HALF)
        left = ZERO if size >= CDF_END else polynomial(EXP2, n - g) * power_of_two(-np.int32(n))  # Φ(−|x|)
        return left if x < ZERO else ONE - left

    return normal_cdf32
