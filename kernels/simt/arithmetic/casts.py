"""The number types of a kernel, and what it means on a GPU to turn one into another.

Between integers the low bits are kept: 300 as uint8 is 44. Into a float the nearest one is taken. A float into an
integer is where a GPU differs from a CPU: it cuts the fraction off and *saturates*, so that 1e10 as int32 is the
largest int32, where C leaves it undefined. The instruction has no 8-bit form: Numba's int8 and uint8 saturate at 16
bits and then keep the low 8. A nan becomes 0, but the pattern 100...0 where 64-bit floats or integers are involved.

Source: NVIDIA, PTX ISA, "cvt" (cvt.rzi, its notes on ranges and on nan); the 8-bit form from the PTX that Numba's
compiler emits for `numba.int8(x)`.
"""

from typing import Any

import numpy as np
from numba import types

from kernels.simt.lanes import Number

_NAMES = "int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64 complex64 complex128"
DTYPES: dict[Any, np.dtype[Any]] = {getattr(types, name): np.dtype(name) for name in _NAMES.split()}
DTYPES[types.boolean] = np.dtype(np.bool_)
TUPLES = (types.Tuple, types.UniTuple)


def dtype_of(kind: Any) -> np.dtype[Any] | None:
    """NumPy's dtype for a Numba type, that of its value for a literal; None for what is no number."""
    return DTYPES.get(types.unliteral(kind))


def number(kind: Any) -> np.dtype[Any]:
    """NumPy's dtype for a Numba type that is a number; TypeError for any other."""
    found = dtype_of(kind)
    if found is None:
        raise TypeError(f"expected a number type, got {kind}")
    return found


def cast(value: Number, from_type: Any, to_type: Any) -> Number:
    """`value` of one Numba type as another, by CUDA's rules.

    value: an array, a NumPy scalar, a Python number, or a tuple of these. Raises TypeError where a type is no number.
    """
    if isinstance(from_type, TUPLES) and isinstance(to_type, TUPLES):
        return tuple(map(cast, value, from_type.types, to_type.types))
    source, target = number(from_type), number(to_type)
    return convert(value if hasattr(value, "dtype") else source.type(value), target)


def chosen(test: Number, yes: Number, no: Number) -> Number:
    """`yes` where `test` is true, else `no`; one number where all three are one number."""
    found: Any = np.where(test, yes, no)
    return found[()]


def convert(value: Number, target: np.dtype[Any]) -> Number:
    """`value` in the dtype `target`, by CUDA's rules."""
    if value.dtype.kind == "f" and target.kind in "iu":
        return _truncated(value, target)
    return value.astype(target, copy=False)


def _truncated(value: Number, target: np.dtype[Any]) -> Number:
    """Rounded towards zero, saturated at the range of `target` or of 16 bits."""
    held = np.dtype(f"{target.kind}{max(target.itemsize, 2)}")
    if value.dtype == np.float16:
        value = value.astype(np.float32)  # which can hold the limits
    limits = np.iinfo(held)
    low, end = float(limits.min), float(limits.max + 1)  # powers of two: exact in every float
    inside = (value >= low) & (value < end)
    if inside.all():
        return value.astype(held).astype(target, copy=False)
    pattern = 1 << (8 * held.itemsize - 1) if value.dtype == np.float64 or held.itemsize == 8 else 0
    nan = np.uint64(pattern).astype(held)
    integer = np.where(inside, value, 0).astype(held)
    saturated = np.where(value < low, held.type(limits.min), held.type(limits.max))
    return np.where(inside, integer, np.where(np.isnan(value), nan, saturated)).astype(target)[()]
