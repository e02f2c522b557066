"""Conversions that CUDA names by their types and direction: `double2int_rd`, `float_as_int`, `__short2half_rn`.

`a2b_mode` gives the number in another type, rounded to the nearest (rn), towards zero (rz), up (ru) or down (rd);
`a_as_b` gives the bits another type. Numba declares some unsigned types signed, and a half as the int16 that holds it:
the names say how the bits are to be read.

Source: NVIDIA, CUDA Math API, "Type Casting Intrinsics".
"""

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from kernels.simt.arithmetic.casts import dtype_of
from kernels.simt.arithmetic.rounding import converted
from kernels.simt.lanes import Number

TYPES = {
    "char": np.int8, "uchar": np.uint8, "short": np.int16, "ushort": np.uint16, "int": np.int32, "uint": np.uint32,
    "ll": np.int64, "ull": np.uint64, "longlong": np.int64, "half": np.float16, "float": np.float32,
    "double": np.float64,
}  # fmt: skip
_NAMES = "|".join(TYPES)
_CONVERSION = re.compile(rf"({_NAMES})2({_NAMES})(?:_(rn|rz|ru|rd))?")
_REINTERPRETATION = re.compile(rf"({_NAMES})_as_({_NAMES})")


def conversion(name: str, signature: Any) -> Callable[[Number], Number] | None:
    """What the function of this name does, with its result in the signature's type; None for any other name."""
    result = dtype_of(signature.return_type)
    if result is None:
        return None
    if _REINTERPRETATION.fullmatch(name):
        return lambda value: value.view(result)
    match = _CONVERSION.fullmatch(name)
    if match is None:
        return None
    source, target, mode = match.groups()
    own, wanted = np.dtype(TYPES[source]), np.dtype(TYPES[target])
    return lambda value: converted(value.view(own), wanted, mode or "rn").view(result)
