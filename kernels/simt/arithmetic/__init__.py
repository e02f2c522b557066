"""Arithmetic of the simulated GPU: what each operation of a kernel does, by CUDA's and Numba's rules.

Numba's typed representation calls Python objects: `operator.add`, `math.exp`, `np.float32`, `cuda.popc`. `find` gives
the meaning of each on all lanes at once, for the types that inference chose; what it does not find, the
simulator does not have. The rules are in the files that it asks:

| file | what |
|---|---|
| casts | the number types, and conversions between them |
| operators, powers | Python's operators |
| mathematics, special | built-in functions, math, cmath |
| ufuncs | NumPy's functions on single numbers |
| bits | popc, clz, brev, ffs, selp, fma, cbrt; `.view` and other methods of numbers |
| half, conversions | cuda.fp16 |
| libdevice, rounding | NVIDIA's library of device functions, and its directed rounding |
| meaning | what a meaning is, and how its cost is counted |
"""

from typing import Any

import numpy as np
from numba import types

from kernels.simt.arithmetic import bits, half, libdevice, mathematics, operators, ufuncs
from kernels.simt.arithmetic.casts import cast, convert, dtype_of
from kernels.simt.arithmetic.meaning import Meaning, dtypes

__all__ = ["Meaning", "cast", "convert", "dtype_of", "find"]


def find(function: Any, signature: Any) -> Meaning | None:
    """What `function` does with numbers of these types; None where the simulator does not know.

    function: what the kernel calls: an operator, a function, a NumPy scalar type or a Numba type as a cast, or the
    key that Numba gives a number's method. signature: Numba's, for this call.
    """
    if _is_type(function):
        target = dtype_of(signature.return_type)
        if target is None or not dtypes(signature):
            return None
        return Meaning(lambda value: convert(value, target))
    for known_here in (operators, mathematics, ufuncs, bits, half, libdevice):
        meaning = known_here.find(function, signature)
        if meaning is not None:
            return meaning
    return None


def _is_type(function: Any) -> bool:
    """Whether calling this converts: np.float32, numba.float32, or Numba's type of either."""
    if isinstance(function, types.NumberClass) or dtype_of(function) is not None:
        return True
    return isinstance(function, type) and issubclass(function, np.generic)
