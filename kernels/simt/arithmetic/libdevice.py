"""libdevice: NVIDIA's library of device functions, all but jn and yn (Bessel functions of higher order).

A name without a trailing f works in float64, with it in float32; both have one line here, since the signature
says which it is. `fast_` functions are the exact ones: how far the hardware's quick approximations are off is not
simulated. Functions with several results return them in the order of the C function: result, then outputs.

Names of arithmetic with a direction, as `fadd_rd` or `dsqrt_rz`, are a type (f, d; fma has none), an operation and a
mode of `rounding.py`; names of conversions are read by `conversions.py`.

Source: NVIDIA, libdevice User's Guide; CUDA Math API.
"""

import importlib
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from kernels.backend import cuda
from kernels.simt.arithmetic import bits, rounding, special
from kernels.simt.arithmetic.casts import convert
from kernels.simt.arithmetic.conversions import conversion
from kernels.simt.arithmetic.meaning import Meaning, dtypes, returning
from kernels.simt.lanes import Number

INT32, INT64 = np.dtype(np.int32), np.dtype(np.int64)
DEVICE_FUNCTIONS = importlib.import_module(f"{cuda.__name__}.libdevice")


def _wide(x: Number, unsigned: bool = False) -> Number:
    """32-bit integers in 64 bits, read as unsigned if asked."""
    return (bits.unsigned(x) if unsigned else x).astype(INT64)


def _as_unsigned(compute: Callable[..., Number]) -> Callable[..., Number]:
    """On signed integers whose bits mean unsigned ones."""
    return lambda *lanes: compute(*(bits.unsigned(lane) for lane in lanes)).view(lanes[0].dtype)


def _low_24_bits(x: Number, unsigned: bool) -> Number:
    return _wide(x, unsigned) & 0xFFFFFF if unsigned else (_wide(x) << 40) >> 40


def _from_halves(high: Number, low: Number) -> Number:
    return ((_wide(high) << 32) | _wide(low, unsigned=True)).view(np.float64)


def _inverse_root(root: Callable[[Number], Number]) -> Callable[[Number], Number]:
    return lambda x: np.reciprocal(root(x.astype(np.float64)))


TRANSCENDENTAL: dict[str, Callable[..., Any]] = {
    "acos": np.arccos, "acosh": np.arccosh, "asin": np.arcsin, "asinh": np.arcsinh, "atan": np.arctan,
    "atan2": np.arctan2, "atanh": np.arctanh, "cbrt": np.cbrt, "cos": np.cos, "cosh": np.cosh, "erf": special.erf,
    "erfc": special.erfc, "erfcinv": special.erfc_inverse, "erfcx": special.erfcx, "erfinv": special.erfinv,
    "exp": np.exp, "exp10": lambda x: np.power(x.dtype.type(10), x), "exp2": np.exp2, "expm1": np.expm1,
    "hypot": np.hypot, "j0": special.bessel_j0, "j1": special.bessel_j1, "lgamma": special.lgamma, "log": np.log,
    "log10": np.log10, "log1p": np.log1p, "log2": np.log2, "normcdf": special.normal_cdf,
    "normcdfinv": special.normal_quantile, "pow": np.power, "powi": np.power, "rcbrt": _inverse_root(np.cbrt),
    "rsqrt": _inverse_root(np.sqrt), "frsqrt_rn": _inverse_root(np.sqrt), "sin": np.sin, "sinh": np.sinh,
    "sqrt": np.sqrt, "tan": np.tan, "tanh": np.tanh, "tgamma": special.gamma, "y0": special.bessel_y0,
    "y1": special.bessel_y1, "sincos": lambda x: (np.sin(x), np.cos(x)),
    "sincospi": special.sine_cosine_of_half_turns,
    "sinpi": lambda x: special.sine_cosine_of_half_turns(x)[0],
    "cospi": lambda x: special.sine_cosine_of_half_turns(x)[1],
}  # fmt: skip
ONE_FLOP: dict[str, Callable[..., Any]] = {
    "fdim": lambda x, y: np.where(x <= y, x.dtype.type(0), x - y), "fdivide": np.divide, "fmod": np.fmod,
    "remainder": special.remainder, "remquo": special.remainder_quotient,
}  # fmt: skip
FREE: dict[str, Callable[..., Any]] = {
    "ceil": np.ceil, "copysign": np.copysign, "fabs": np.fabs, "floor": np.floor, "fmax": np.fmax, "fmin": np.fmin,
    "frexp": np.frexp, "ilogb": special.integer_exponent, "ldexp": np.ldexp, "llrint": special.round_to_integer,
    "llround": lambda x: convert(special.round_half_away(x), INT64), "logb": special.exponent, "modf": np.modf,
    "nearbyint": np.rint, "nextafter": np.nextafter, "rint": np.rint, "round": special.round_half_away,
    "saturate": lambda x: np.fmin(np.fmax(x, x.dtype.type(0)), x.dtype.type(1)), "scalbn": np.ldexp,
    "trunc": np.trunc,
    "isnan": np.isnan, "isinf": np.isinf, "isfinite": np.isfinite, "finite": np.isfinite, "signbit": np.signbit,
}  # fmt: skip
INTEGER: dict[str, Callable[..., Any]] = {
    "abs": np.absolute, "llabs": np.absolute, "max": np.maximum, "min": np.minimum, "llmax": np.maximum,
    "llmin": np.minimum, "umax": _as_unsigned(np.maximum), "umin": _as_unsigned(np.minimum),
    "ullmax": _as_unsigned(np.maximum), "ullmin": _as_unsigned(np.minimum),
    "popc": bits.popc, "popcll": bits.popc, "clz": bits.clz, "clzll": bits.clz, "ffs": bits.ffs, "ffsll": bits.ffs,
    "brev": bits.brev, "brevll": bits.brev, "byte_perm": bits.byte_perm,
    "mulhi": bits.mulhi, "mul64hi": bits.mulhi, "umulhi": _as_unsigned(bits.mulhi),
    "umul64hi": _as_unsigned(bits.mulhi),
    "mul24": lambda x, y: _low_24_bits(x, False) * _low_24_bits(y, False),
    "umul24": lambda x, y: _low_24_bits(x, True) * _low_24_bits(y, True),
    # averages, rounded down or (r) up
    "hadd": lambda x, y: (_wide(x) + _wide(y)) >> 1,
    "rhadd": lambda x, y: (_wide(x) + _wide(y) + 1) >> 1,
    "uhadd": lambda x, y: (_wide(x, True) + _wide(y, True)) >> 1,
    "urhadd": lambda x, y: (_wide(x, True) + _wide(y, True) + 1) >> 1,
    # a sum of absolute differences takes steps of |x − y| + z
    "sad": lambda x, y, z: np.absolute(_wide(x) - _wide(y)) + z,
    "usad": lambda x, y, z: np.absolute(_wide(x, True) - _wide(y, True)) + z,
    "double2hiint": lambda x: x.view(INT64) >> 32, "double2loint": lambda x: x.view(INT64),
    "hiloint2double": _from_halves,
}  # fmt: skip
DIRECTED: dict[str, tuple[Callable[..., rounding.Rounded], int]] = {
    "add": (rounding.add, 1), "sub": (rounding.subtract, 1), "mul": (rounding.multiply, 1),
    "div": (rounding.divide, 1), "rcp": (rounding.reciprocal, 1), "sqrt": (rounding.square_root, 0),
    "ma": (rounding.multiply_add, 2),
}  # fmt: skip


def find(function: Any, signature: Any) -> Meaning | None:
    """The meaning of a libdevice function; None for one that is not there, and for anything else."""
    name = getattr(function, "__name__", "")
    if getattr(DEVICE_FUNCTIONS, name, None) is not function or dtypes(signature) is None:
        return None
    directed = re.fullmatch(r"[fd](add|sub|mul|div|rcp|sqrt|ma)f?_(rn|rz|ru|rd)", name)
    if directed:
        return _directed(directed[1], directed[2])
    if name in ("fma", "fmaf"):
        return Meaning(rounding.fused, flops=2)
    found = conversion(name, signature)
    if found is not None:
        return Meaning(found)
    for table, flops, transcendentals in (
        (TRANSCENDENTAL, 0, 1),
        (ONE_FLOP, 1, 0),
        (FREE, 0, 0),
        (INTEGER, 0, 0),
    ):
        for known in _spellings(name):
            if known in table:
                return Meaning(returning(table[known], signature), flops, transcendentals)
    return None


def _spellings(name: str) -> list[str]:
    """A name as it may stand in the tables: as it is, or without `fast_` and the letter of its type."""
    plain = name.removeprefix("fast_")
    return [name, plain, plain[:-1]] if plain[-1:] in ("f", "d") else [name, plain]


def _directed(operation: str, mode: str) -> Meaning:
    compute, flops = DIRECTED[operation]
    return Meaning(lambda *lanes: rounding.directed(compute(*lanes), mode), flops, int(operation == "sqrt"))
