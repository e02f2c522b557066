"""Bits of integers and floats: population count, leading zeros, reversal, high products, reinterpretation.

All work on the unsigned pattern, whatever the type, and each follows from a few others:

- clz: or-ing x with itself shifted by 1, 2, 4, ... fills everything below the leading bit; count what is left;
- ffs: x & −x keeps the lowest bit; below it lie as many zeros as x & −x, minus 1, has bits;
- brev: swap neighboring bits, then pairs, then nibbles, ...: log₂(width) steps;
- mulhi of 64 bits: four products of 32-bit halves, as on paper.

Source: H. S. Warren, Hacker's Delight, 2nd ed., 2012, chapters 2, 5, 7, 8; NVIDIA, PTX ISA, "popc", "clz", "brev",
"mul", "prmt", "fma"; CUDA Math API, "Integer Intrinsics".
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types

from kernels.backend import cuda
from kernels.simt.arithmetic.casts import chosen, dtype_of
from kernels.simt.arithmetic.meaning import Meaning, dtypes, returning
from kernels.simt.arithmetic.rounding import fused
from kernels.simt.lanes import Number


def unsigned(x: Number) -> Number:
    """The same bits as an unsigned integer."""
    return x.view(f"u{x.dtype.itemsize}")


def popc(x: Number) -> Number:
    """How many bits are set (uint8)."""
    return np.bitwise_count(unsigned(x))


def clz(x: Number) -> Number:
    """How many zeros lead: the width for 0 (uint8)."""
    filled, width = unsigned(x), 8 * x.dtype.itemsize
    step = 1
    while step < width:
        filled = filled | (filled >> step)
        step *= 2
    return np.uint8(width) - popc(filled)


def ffs(x: Number) -> Number:
    """The place of the lowest set bit, counted from 1; 0 for 0 (uint8)."""
    bits = unsigned(x)
    lowest = bits & (~bits + bits.dtype.type(1))
    return chosen(bits == 0, np.uint8(0), popc(lowest - bits.dtype.type(1)) + np.uint8(1))


def brev(x: Number) -> Number:
    """The bits in reverse order."""
    bits, width = unsigned(x), 8 * x.dtype.itemsize
    everything = (1 << width) - 1
    step = 1
    while step < width:
        low = bits.dtype.type(everything // ((1 << step) + 1))  # 0101..., 00110011..., ...
        bits = ((bits >> step) & low) | ((bits & low) << step)
        step *= 2
    return bits.view(x.dtype)


def mulhi(x: Number, y: Number) -> Number:
    """The upper half of the product of two 32- or 64-bit integers, in their dtype."""
    if x.dtype.itemsize == 4:
        wide = np.int64 if x.dtype.kind == "i" else np.uint64
        return ((x.astype(wide) * y.astype(wide)) >> 32).astype(x.dtype)
    a, b, low = unsigned(x), unsigned(y), np.uint64(0xFFFFFFFF)
    middle = (a >> 32) * (b & low) + ((a & low) * (b & low) >> 32)
    other = (a & low) * (b >> 32) + (middle & low)
    high = (a >> 32) * (b >> 32) + (middle >> 32) + (other >> 32)
    if x.dtype.kind == "i":  # a negative number's pattern is 2⁶⁴ too large
        high = high - np.where(x < 0, b, np.uint64(0)) - np.where(y < 0, a, np.uint64(0))
    return high.view(x.dtype)[()]


def byte_perm(x: Number, y: Number, selector: Number) -> Number:
    """Four of the eight bytes of x (0 to 3) and y (4 to 7): those that the selector's four low hex digits name."""
    both = unsigned(x).astype(np.uint64) | (unsigned(y).astype(np.uint64) << 32)
    chosen: Any = np.uint64(0)
    for place in range(4):
        number = (unsigned(selector).astype(np.uint64) >> (4 * place)) & 7
        chosen = chosen | (((both >> (number * 8)) & 0xFF) << (8 * place))
    return chosen.astype(np.uint32).view(x.dtype)


def _counting(compute: Callable[..., Number]) -> Callable[[Any], Meaning]:
    return lambda signature: Meaning(returning(compute, signature))


def _select(signature: Any) -> Meaning:
    return Meaning(chosen)


def _find_first_set(signature: Any) -> Meaning | None:
    wide = (
        types.unliteral(signature.args[0]).bitwidth >= 32
    )  # Numba types narrower ones, and compiles none of them
    return Meaning(returning(ffs, signature)) if wide else None


INTRINSICS: dict[Any, Callable[[Any], Meaning | None]] = {
    cuda.popc: _counting(popc),
    cuda.clz: _counting(clz),
    cuda.brev: _counting(brev),
    cuda.ffs: _find_first_set,
    cuda.selp: _select,
    cuda.fma: lambda signature: Meaning(fused, flops=2),
    cuda.cbrt: lambda signature: Meaning(np.cbrt, transcendentals=1),
}


def find(function: Any, signature: Any) -> Meaning | None:
    """The meaning of an intrinsic on bits, or of a number's method; None for anything else.

    A method comes as Numba's key for it: (types.Float, "view"), (types.Integer, "bit_count"), "number.item",
    "complex.conjugate"; an attribute as its name, "real" or "imag". Their `compute` takes the number alone.
    """
    target = dtype_of(signature.return_type)
    if isinstance(function, tuple) and len(function) == 2 and target is not None:
        methods = {"view": lambda x: x.view(target), "bit_count": returning(popc, signature)}
        return Meaning(methods[function[1]]) if function[1] in methods else None
    if isinstance(function, str):
        parts: dict[str, Callable[[Number], Number]] = {
            "number.item": lambda x: x, "complex.conjugate": np.conjugate, "real": np.real, "imag": np.imag,
        }  # fmt: skip
        return Meaning(parts[function]) if function in parts and target is not None else None
    make = INTRINSICS.get(function)
    return make(signature) if make is not None and dtypes(signature) is not None else None
