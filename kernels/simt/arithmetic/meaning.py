"""A *meaning*: what one operation of a kernel computes on all lanes at once, and what it costs a lane.

Types are settled before a meaning is looked up. Numba's inference has given the operation a signature, arguments
arrive in its types, and the result must have its return type. Where NumPy's function comes out there by itself, it
*is* the computation, with nothing between the simulator and its loop; elsewhere a conversion follows.

Costs: `flops` counts floating-point additions, subtractions, multiplications, divisions and remainders as 1 and a
fused multiply-add as 2; on complex numbers an addition is 2, a multiplication 6, a division 9. Integers,
comparisons, minimum, maximum, absolute value, sign, rounding and conversions are free. `transcendentals` counts calls
of what a GPU has no single exact instruction for: roots, exp, log, sin, erf, gamma, powers and their relatives,
1 each.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from kernels.simt.arithmetic.casts import TUPLES, convert, dtype_of, number
from kernels.simt.lanes import Number


@dataclass(frozen=True)
class Meaning:
    """What an operation computes, on arrays of the active lanes or on NumPy scalars, and its cost a lane."""

    compute: Callable[
        ..., Number
    ]  # arguments in the signature's types; a tuple of lanes where it returns a tuple
    flops: int = 0
    transcendentals: int = 0


def dtypes(signature: Any) -> tuple[np.dtype[Any], ...] | None:
    """The dtypes of a signature's arguments; None where one is no number."""
    found = tuple(dtype for kind in signature.args if (dtype := dtype_of(kind)) is not None)
    return found if len(found) == len(signature.args) else None


def returning(compute: Callable[..., Number], signature: Any) -> Callable[..., Number]:
    """`compute` with its result converted to the signature's return type, or itself where nothing is to be done."""
    if isinstance(signature.return_type, TUPLES):
        wanted = [number(kind) for kind in signature.return_type.types]
        return lambda *lanes: tuple(part[()] for part in map(convert, compute(*lanes), wanted))
    target = number(signature.return_type)
    if isinstance(compute, np.ufunc):
        given = [number(kind) for kind in signature.args]
        if compute.resolve_dtypes((*given, None))[-1] == target:
            return compute
    # [()]: NumPy makes arrays of single numbers at times
    return lambda *lanes: convert(compute(*lanes), target)[()]


def taking(compute: Callable[..., Number], signature: Any, dtype: np.dtype[Any]) -> Callable[..., Number]:
    """`compute` with its arguments converted to `dtype`, or itself where they have it already."""
    if dtypes(signature) == (dtype,) * len(signature.args):
        return compute
    return lambda *lanes: compute(*(convert(lane, dtype) for lane in lanes))
