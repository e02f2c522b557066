"""Functions that NumPy lacks: erf and its relatives, gamma, Bessel functions, IEEE remainder, sines of half turns.

erf, lgamma, the normal distribution and the Bessel functions are torch's, gamma is the C library's by way of Numba.
The *remainder* of x by y is x − n·y with n the integer nearest to x / y (even where two are), always exact: below 8|y|
it is found by subtracting 4|y|, 2|y| and |y| where they fit, each without rounding, and n's last three bits are known.

Source: J.-M. Muller, Elementary Functions, 3rd ed., 2016, chapter 11 (exact reduction); C11 7.12.10 (remquo).
"""

import math
from collections.abc import Callable

import numba
import numpy as np
import torch

from kernels.simt.arithmetic.casts import convert
from kernels.simt.lanes import Number


def _torch(function: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[Number], Number]:
    def compute(x: Number) -> Number:
        # a copy: torch refuses read-only arrays and negative strides
        found = function(torch.from_numpy(np.array(x, ndmin=1, order="C")))
        return found.numpy().reshape(np.shape(x))[()]

    return compute


erf, erfc, erfcx, erfinv = map(_torch, (torch.erf, torch.erfc, torch.special.erfcx, torch.erfinv))
lgamma = _torch(torch.lgamma)
normal_cdf, normal_quantile = _torch(torch.special.ndtr), _torch(torch.special.ndtri)
bessel_j0, bessel_j1 = _torch(torch.special.bessel_j0), _torch(torch.special.bessel_j1)
bessel_y0, bessel_y1 = _torch(torch.special.bessel_y0), _torch(torch.special.bessel_y1)
gamma = numba.vectorize(lambda x: math.gamma(x))  # compiled when first called


def erfc_inverse(x: Number) -> Number:
    """The y with erfc(y) = x; by the normal distribution, since 1 − x would lose a small x."""
    return (-normal_quantile(x.astype(np.float64) / 2) / math.sqrt(2)).astype(x.dtype)


def remainder(x: Number, y: Number) -> Number:
    """IEEE 754 remainder; nan for an infinite x or for y = 0."""
    return remainder_quotient(x, y)[0]


def remainder_quotient(x: Number, y: Number) -> tuple[Number, Number]:
    """The remainder, and the last three bits of n with the sign of x / y (int32)."""
    size, divisor = np.abs(x), np.abs(y)
    rest, n = np.fmod(size, 8 * divisor), np.zeros(np.shape(x), np.int32)
    for times in (4, 2, 1):
        fits = rest >= times * divisor
        rest, n = np.where(fits, rest - times * divisor, rest), n + times * fits
    twice = divisor - rest  # compared with half the divisor, which may be too small a number to have a half
    up = (rest > twice) | ((rest == twice) & (n & 1 == 1))
    rest, n = np.where(up, rest - divisor, rest), (n + up) & 7
    rest = np.where(np.isinf(divisor) & np.isfinite(size), size, rest)
    signed = np.where(np.signbit(x) != np.signbit(y), -n, n)
    signed = np.where(np.isfinite(rest), signed, 0).astype(np.int32)[()]
    return (np.copysign(1, x).astype(x.dtype) * rest).astype(x.dtype)[()], signed


def sine_cosine_of_half_turns(x: Number) -> tuple[Number, Number]:
    """sin(πx) and cos(πx): exact where they are 0, 1 or −1."""
    quarter = np.rint(2 * x)
    angle = np.pi * (x - quarter / 2).astype(np.float64)  # at most π/4
    sine, cosine = np.sin(angle), np.cos(angle)
    turn = np.where(np.isfinite(quarter), quarter % 4, 0).astype(np.int8)
    whole = np.select([turn == 0, turn == 1, turn == 2], [sine, cosine, -sine], -cosine)
    shifted = np.select([turn == 0, turn == 1, turn == 2], [cosine, -sine, -cosine], sine)
    nan = np.where(np.isfinite(x), 0.0, np.nan)
    return (whole + nan).astype(x.dtype)[()], (shifted + nan).astype(x.dtype)[()]


def round_half_away(x: Number) -> Number:
    """C's round: the nearest integer, halves away from zero."""
    whole = np.trunc(x)
    return (whole + np.copysign(abs(x - whole) >= 0.5, x)).astype(x.dtype)[()]


def round_to_integer(x: Number) -> Number:
    """Python's round(x) on a GPU: the nearest int64, halves to even."""
    return convert(np.rint(x), np.dtype(np.int64))


def exponent(x: Number) -> Number:
    """C's logb: the power of two of x's leading bit, as a float; −inf for 0, inf for an infinity."""
    _, power = np.frexp(x)
    found = np.select([x == 0, np.isinf(x)], [-np.inf, np.inf], power - 1.0)
    return np.where(np.isnan(x), x, found).astype(x.dtype)[()]


def integer_exponent(x: Number) -> Number:
    """C's ilogb (int32): the lowest integer for 0 and nan, the largest for an infinity."""
    found = exponent(x)
    return np.where(np.isnan(found), np.iinfo(np.int32).min, convert(found, np.dtype(np.int32))).astype(
        np.int32
    )[()]
