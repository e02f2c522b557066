"""NumPy's functions on single numbers: `np.sqrt(x[i])` and its like are allowed in a kernel.

The computation is NumPy's own, in the types that Numba chose. Three differ where NumPy would raise or where a
GPU's integers have rules of their own: power, floor_divide and divmod are those of the operators. Unlike the
built-in min and max, np.minimum and np.maximum keep a nan; np.fmin and np.fmax ignore it.

Source: numba-cuda, typing/npydecl.py (the functions and their types), ufuncs.py and np/npyfuncs.py.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from kernels.simt.arithmetic.casts import dtype_of
from kernels.simt.arithmetic.meaning import Meaning, dtypes, returning, taking
from kernels.simt.arithmetic.operators import floor_divide, floor_divmod
from kernels.simt.arithmetic.powers import by_squaring
from kernels.simt.lanes import Number

TRANSCENDENTAL = {
    np.arccos, np.arccosh, np.arcsin, np.arcsinh, np.arctan, np.arctan2, np.arctanh, np.cbrt, np.cos, np.cosh, np.exp,
    np.exp2, np.expm1, np.float_power, np.hypot, np.log, np.log10, np.log1p, np.log2, np.logaddexp, np.logaddexp2,
    np.power, np.sin, np.sinh, np.sqrt, np.tan, np.tanh,
}  # fmt: skip
ONE_FLOP = {
    np.add, np.deg2rad, np.degrees, np.divide, np.divmod, np.floor_divide, np.fmod, np.multiply, np.rad2deg,
    np.radians, np.reciprocal, np.remainder, np.square, np.subtract,
}  # fmt: skip
COMPLEX_FLOPS = {np.add: 2, np.subtract: 2, np.multiply: 6, np.square: 6, np.divide: 9, np.reciprocal: 9}
FREE = {
    np.absolute, np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.ceil, np.conjugate, np.copysign, np.equal,
    np.fabs, np.floor, np.fmax, np.fmin, np.gcd, np.greater, np.greater_equal, np.invert, np.isfinite, np.isinf,
    np.isnan, np.lcm, np.ldexp, np.left_shift, np.less, np.less_equal, np.logical_and, np.logical_not, np.logical_or,
    np.logical_xor, np.maximum, np.minimum, np.negative, np.nextafter, np.not_equal, np.positive, np.right_shift,
    np.rint, np.sign, np.signbit, np.spacing, np.trunc,
}  # fmt: skip


def find(function: Any, signature: Any) -> Meaning | None:
    """The meaning of a NumPy ufunc on numbers; None for anything else."""
    given = dtypes(signature)
    if not isinstance(function, np.ufunc) or given is None:
        return None
    if function not in TRANSCENDENTAL | ONE_FLOP | FREE:
        return None
    target = dtype_of(signature.return_type)
    kind = target.kind if target is not None else ""  # of what returns two numbers: none
    flops = COMPLEX_FLOPS.get(function, 0) if kind == "c" else int(kind == "f")
    whole = all(dtype.kind in "iub" for dtype in given)
    compute: Callable[..., Number] = OF_INTEGERS.get(function, function) if whole else function
    if (
        target is not None
        and kind == "f"
        and function is not np.ldexp
        and all(dtype.kind != "c" for dtype in given)
    ):
        compute = taking(compute, signature, target)  # float16 goes in as the float32 that comes out
    transcendentals = int(function in TRANSCENDENTAL and kind in "fc")
    return Meaning(returning(compute, signature), flops if function in ONE_FLOP else 0, transcendentals)


def _common(compute: Callable[..., Number]) -> Callable[..., Number]:
    """`compute` on arguments in the dtype that both fit in."""

    def on_both(a: Number, b: Number) -> Number:
        common = np.result_type(a, b)
        return compute(a.astype(common, copy=False), b.astype(common, copy=False))

    return on_both


OF_INTEGERS: dict[Any, Callable[..., Number]] = {
    np.power: _common(by_squaring),
    np.floor_divide: _common(floor_divide),
    np.divmod: _common(floor_divmod),
}
