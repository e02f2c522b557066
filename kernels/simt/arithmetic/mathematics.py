"""Python's built-in functions on numbers, and the modules math and cmath.

Numba's types decide what comes out: `math.floor` of a float32 is a float32 (in Python it is an integer), and every
function of `math` takes an integer as a float64. What else differs from Python on a GPU:

- outside its domain a function is nan or inf, where Python raises: math.log(0.0) is −inf, math.sqrt(−1.0) nan;
- min and max of two floats ignore a nan; of more arguments, or of an integer and a float, they keep the first until
  one is smaller (larger), so a nan stays where it comes first and is passed over anywhere else;
- round(x) is the nearest int64, saturated; round(x, digits) goes through that int64 too, and so is wrong beyond 9e18.

A GPU's own results differ from these in the last bits: CUDA promises 1 or 2 units in the last place for most.

Source: numba-cuda, cudamath.py, mathimpl.py, cudaimpl.py (ptx_max, ptx_round, round_to_impl), cpython/builtins.py
(do_minmax); NVIDIA, CUDA C++ Programming Guide, "Mathematical Functions".
"""

import cmath
import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types

from kernels.simt.arithmetic import special
from kernels.simt.arithmetic.casts import chosen, convert, number
from kernels.simt.arithmetic.meaning import Meaning, dtypes, returning, taking
from kernels.simt.arithmetic.powers import by_squaring
from kernels.simt.lanes import Number

TRANSCENDENTAL: dict[Any, Callable[..., Number]] = {
    math.acos: np.arccos, math.acosh: np.arccosh, math.asin: np.arcsin, math.asinh: np.arcsinh,
    math.atan: np.arctan, math.atan2: np.arctan2, math.atanh: np.arctanh, math.cos: np.cos, math.cosh: np.cosh,
    math.erf: special.erf, math.erfc: special.erfc, math.exp: np.exp, math.exp2: np.exp2, math.expm1: np.expm1,
    math.gamma: special.gamma, math.hypot: np.hypot, math.lgamma: special.lgamma, math.log: np.log,
    math.log10: np.log10, math.log1p: np.log1p, math.log2: np.log2, math.pow: np.power, math.sin: np.sin,
    math.sinh: np.sinh, math.sqrt: np.sqrt, math.tan: np.tan, math.tanh: np.tanh,
    cmath.acos: np.arccos, cmath.asin: np.arcsin, cmath.asinh: np.arcsinh, cmath.atan: np.arctan,
    cmath.atanh: np.arctanh, cmath.cos: np.cos, cmath.exp: np.exp, cmath.log: np.log, cmath.sin: np.sin,
    cmath.sqrt: np.sqrt, cmath.tan: np.tan,
}  # fmt: skip
ONE_FLOP: dict[Any, Callable[..., Number]] = {
    math.degrees: np.degrees, math.radians: np.radians, math.fmod: np.fmod, math.remainder: special.remainder,
}  # fmt: skip
FREE: dict[Any, Callable[..., Number]] = {
    math.ceil: np.ceil, math.copysign: np.copysign, math.fabs: np.fabs, math.floor: np.floor, math.frexp: np.frexp,
    math.isfinite: np.isfinite, math.isinf: np.isinf, math.isnan: np.isnan, math.ldexp: np.ldexp,
    math.modf: np.modf, math.nextafter: np.nextafter, math.trunc: np.trunc,
    cmath.isfinite: np.isfinite, cmath.isinf: np.isinf, cmath.isnan: np.isnan,
}  # fmt: skip


def find(function: Any, signature: Any) -> Meaning | None:
    """The meaning of a built-in function, of math or of cmath, on numbers; None for anything else."""
    given = dtypes(signature)
    if given is None:
        return None
    if function in BUILTINS:
        return BUILTINS[function](signature)
    wide = any(dtype.kind in "iu" for dtype in given) and function is not math.ldexp
    for table, flops, transcendentals in ((TRANSCENDENTAL, 0, 1), (ONE_FLOP, 1, 0), (FREE, 0, 0)):
        if function in table:
            compute = table[function]
            if function is cmath.log and len(given) == 2:
                compute = _log_to_base
            if wide:  # integers go in as float64
                compute = taking(compute, signature, np.dtype(np.float64))
            return Meaning(returning(compute, signature), flops, transcendentals)
    return None


def _log_to_base(x: Number, base: Number) -> Number:
    return np.log(x) / np.log(base)


def _smallest(signature: Any) -> Meaning:
    return _extreme(signature, np.minimum, np.fmin, np.less)


def _largest(signature: Any) -> Meaning:
    return _extreme(signature, np.maximum, np.fmax, np.greater)


def _extreme(signature: Any, whole: np.ufunc, of_two_floats: np.ufunc, better: np.ufunc) -> Meaning:
    """min or max: `whole` for integers, `of_two_floats` for what has an instruction, `better` in turn for the rest."""
    target = number(signature.return_type)
    floats = {types.unliteral(kind) for kind in signature.args} <= {types.float32, types.float64}

    def of_two(first: Number, second: Number) -> Number:
        return chosen(better(second, first), second, first)

    if target.kind in "iub":
        pair: Callable[..., Number] = whole
    else:
        pair = of_two_floats if floats and len(signature.args) == 2 else of_two
    compute = pair if len(signature.args) == 2 else lambda *lanes: functools.reduce(pair, lanes)
    return Meaning(taking(compute, signature, target))


def _absolute(signature: Any) -> Meaning:
    kind = types.unliteral(signature.args[0])
    return Meaning(returning(np.absolute, signature), transcendentals=int(isinstance(kind, types.Complex)))


def _round(signature: Any) -> Meaning:
    return Meaning(
        returning(special.round_to_integer if len(signature.args) == 1 else round_digits, signature)
    )


def round_digits(x: Number, digits: Number) -> Number:
    """round(x, digits) in float64, as the GPU computes it: scaled, rounded to an int64, scaled back."""
    x64, size = x.astype(np.float64), np.abs(digits)
    ten = np.float64(10)
    first = by_squaring(ten, np.where(digits > 22, size - 22, size))
    second = np.where(digits > 22, 1e22, 1.0)  # two factors: one would overflow
    scaled = np.where(digits >= 0, (x64 * first) * second, x64 / first)
    whole = special.round_to_integer(scaled).astype(np.float64)
    halfway = np.abs(scaled - whole) == 0.5
    whole = np.where(halfway, 2.0 * special.round_to_integer(scaled / 2.0), whole)
    result = np.where(digits >= 0, (whole / second) / first, whole * first)
    untouched = ~np.isfinite(x64) | ((digits >= 0) & np.isinf(scaled))
    return chosen(untouched, x64, result)


def _convert(signature: Any) -> Meaning:
    target = number(signature.return_type)
    return Meaning(lambda value: convert(value, target))


def _complex(signature: Any) -> Meaning:
    if len(signature.args) == 1:
        return _convert(signature)
    target = number(signature.return_type)
    part = np.dtype(f"f{target.itemsize // 2}")
    return Meaning(
        lambda real, imag: (convert(real, part) + target.type(1j) * convert(imag, part)).astype(target)
    )


BUILTINS: dict[Any, Callable[[Any], Meaning]] = {
    abs: _absolute, min: _smallest, max: _largest, round: _round,
    bool: _convert, int: _convert, float: _convert, complex: _complex,
}  # fmt: skip
