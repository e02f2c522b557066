"""Fused multiply-add, and rounding in a chosen direction, exactly.

A GPU rounds each operation once: to the nearest (rn), towards zero (rz), up (ru) or down (rd). NumPy only knows the
first. The other three follow from it and from the *error* that it makes, since that is a number one can compute:

- a + b − fl(a + b) is found by six additions (TwoSum, Knuth);
- a·b − fl(a·b), a − fl(a/b)·b and x − fl(√x)² each take one fused multiply-add, which rounds only at its end;
- for a·b + c itself, two of these together (ErrFma, Boldo and Muller).

If the error says that the exact result lies beyond the rounded one in the wanted direction, the answer is the next
float there. Exact while no intermediate overflows or falls below the smallest normal number.

Source: J.-M. Muller et al., Handbook of Floating-Point Arithmetic, 2nd ed., 2018, chapters 4 and 5; NVIDIA, CUDA Math
API, "Single/Double Precision Intrinsics" for the names of the modes.
"""

import functools
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba.core import typing
from numba.extending import intrinsic

from kernels.simt.arithmetic.casts import convert
from kernels.simt.lanes import Number

Rounded = tuple[Number, Number]  # the nearest float, and something with the sign of what it lacks

TO_INTEGER: dict[str, Callable[..., Number]] = {"rn": np.rint, "rz": np.trunc, "ru": np.ceil, "rd": np.floor}
MODES = tuple(TO_INTEGER)


def _fma(context: Any, a: Any, b: Any, c: Any) -> Any:
    def instruction(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fma(*arguments)

    return typing.signature(a, a, b, c), instruction


_fma_instruction: Any = intrinsic(_fma)


@functools.cache
def _fused() -> Any:
    """Compiled for both types at once, when first asked: one that grows by need would widen float32 to what it has."""
    return numba.vectorize([f"{real}({real}, {real}, {real})" for real in ("float32", "float64")])(
        lambda a, b, c: _fma_instruction(a, b, c)
    )


def fused(a: Number, b: Number, c: Number) -> Number:
    """a·b + c, rounded once, which NumPy has not."""
    return _fused()(a, b, c)


def directed(rounded: Rounded, mode: str) -> Number:
    """The float that `mode` chooses, given the nearest one and the sign of the error."""
    nearest, error = rounded
    up, down = error > 0, error < 0
    if mode == "rn":
        return nearest
    if mode == "rz":
        up, down = up & (nearest < 0), down & (nearest > 0)
    zero = nearest.dtype.type(0)
    step = np.where(up & (mode != "rd"), np.inf, np.where(down & (mode != "ru"), -np.inf, zero))
    return np.where(step == 0, nearest, np.nextafter(nearest, step.astype(nearest.dtype)))[()]


def add(a: Number, b: Number) -> Rounded:
    """TwoSum."""
    total = a + b
    b_part = total - a
    return total, (a - (total - b_part)) + (b - b_part)


def subtract(a: Number, b: Number) -> Rounded:
    """a − b and its error."""
    return add(a, -b)


def multiply(a: Number, b: Number) -> Rounded:
    """a·b and its error."""
    product = a * b
    return product, fused(a, b, -product)


def divide(a: Number, b: Number) -> Rounded:
    """a / b, and the sign of its error."""
    quotient = a / b
    return quotient, fused(-quotient, b, a) * np.copysign(b.dtype.type(1), b)


def reciprocal(x: Number) -> Rounded:
    """1 / x, and the sign of its error."""
    return divide(x.dtype.type(1), x)


def square_root(x: Number) -> Rounded:
    """√x, and the sign of its error."""
    root = np.sqrt(x)
    return root, fused(-root, root, x)


def multiply_add(a: Number, b: Number, c: Number) -> Rounded:
    """a·b + c, rounded once, and its error (ErrFma)."""
    result = fused(a, b, c)
    product, low = multiply(a, b)
    c_sum, c_low = add(c, low)
    high, high_low = add(product, c_sum)
    return result, ((high - result) + high_low) + c_low


def converted(value: Number, target: np.dtype[Any], mode: str) -> Number:
    """`value` in another type, rounded by `mode`; into integers it saturates, as `convert` does."""
    if value.dtype.kind == "f" and target.kind in "iu":
        return convert(TO_INTEGER[mode](value), target)
    nearest = value.astype(target)
    if value.dtype.kind == "f":
        return directed((nearest, np.where(np.isinf(value), 0, value - nearest.astype(value.dtype))), mode)
    # in two halves, as a float64 cannot hold all of an int64: both differences are exact
    high = value >> 32 if value.dtype.itemsize == 8 else value.dtype.type(0)
    low = value - (high << 32) if value.dtype.itemsize == 8 else value
    error = (high * 2.0**32 - nearest.astype(np.float64)) + low.astype(np.float64)
    return directed((nearest, error), mode)
