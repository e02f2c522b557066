"""Powers, by the rules of Numba's compiler.

float ** float is the transcendental function. With an integer exponent Numba multiplies: it squares the base again
and again and keeps the squares that the exponent's bits ask for, so x ** 2 is x * x and x ** 5 takes three
multiplications; a negative exponent divides 1 by the result. Exponents beyond 65536 take the transcendental function
again. Among integers the result wraps, a negative exponent gives 0 unless the base is 1 or −1, and 0 to a negative
exponent gives the lowest integer.

Source: numba-cuda, cpython/numbers.py, int_power_impl and static_power_impl.
"""

from typing import Any

import numpy as np
from numba import types

from kernels.simt.arithmetic.casts import chosen, convert, number
from kernels.simt.arithmetic.meaning import Meaning, returning, taking
from kernels.simt.lanes import Number

LARGEST = 0x10000  # exponents beyond it are not unrolled


def power(signature: Any) -> Meaning:
    """The meaning of `base ** exponent`.

    An exponent that the signature gives as a literal counts its multiplications; any other, of floats, one
    transcendental call.
    """
    target = number(signature.return_type)
    if number(signature.args[1]).kind in "fc":
        return Meaning(taking(np.power, signature, target), transcendentals=1)
    compute = returning(lambda a, b: by_squaring(convert(a, target), b), signature)
    if target.kind in "iu":
        return Meaning(compute)
    literal = signature.args[1]
    if isinstance(literal, types.IntegerLiteral) and abs(literal.literal_value) <= LARGEST:
        return Meaning(compute, flops=multiplications(literal.literal_value))
    return Meaning(compute, transcendentals=1)


def multiplications(exponent: int) -> int:
    """How many floating-point operations a constant exponent costs: squarings, products, and a division if negative."""
    size = abs(exponent)
    return max(size.bit_length() - 1, 0) + max(size.bit_count() - 1, 0) + (exponent < 0)


def by_squaring(base: Number, exponent: Number) -> Number:
    """base ** exponent in base's dtype, for integer exponents."""
    if exponent.ndim == 0 and abs(int(exponent)) <= LARGEST:
        result = _uniform(base, abs(int(exponent)))
        return _inverse(base, result) if exponent < 0 else result
    negative = exponent < 0
    size = np.where(negative, -exponent, exponent).astype(np.uint64)
    result, square, left = base.dtype.type(1), base, np.where(size > LARGEST, 0, size)
    while left.any():
        result = np.where(left & 1, result * square, result)
        square, left = square * square, left >> 1
    far = np.power(base.astype(np.float64), exponent.astype(np.float64))
    result = np.where(size > LARGEST, convert(far, base.dtype), result)
    inverted = negative & (size <= LARGEST) if base.dtype.kind == "f" else negative
    return chosen(inverted, _inverse(base, result), result)


def _uniform(base: Number, exponent: int) -> Number:
    """base to one power for all lanes, in no more multiplications than it takes."""
    result, square = None, base
    while exponent:
        if exponent & 1:
            result = square if result is None else result * square
        exponent >>= 1
        square = square * square if exponent else square
    return np.ones_like(base)[()] if result is None else result


def _inverse(base: Number, result: Number) -> Number:
    """1 / result; of integers, what Numba makes of it."""
    if base.dtype.kind == "f":
        return base.dtype.type(1) / result
    lowest = np.array(1 << (8 * base.dtype.itemsize - 1), np.uint64).astype(base.dtype)
    return chosen(base == 0, lowest, np.where((base == 1) | (base == -1), result, 0)).astype(base.dtype)
