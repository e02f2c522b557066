"""Python's operators on numbers: + - * / // % ** << >> & | ^ ~ == < and their relatives.

Numba has chosen the types: int32 + int32 is computed in int64, float32 * float64 in float64; what is left here is
the arithmetic in those types.

- Integers wrap around. // rounds down and % has the divisor's sign, as in Python. Nothing is ever raised: x // 0 and
  x % 0 are 0, and so is the lowest integer // −1 (Numba's "numpy" error model, which its CUDA target uses).
- Floats: x / 0 is inf or nan, x // 0 as x / 0, x % 0 nan. NVIDIA's compiler finds x % y by x − ⌊x/y⌋·y, which is
  exact only while ⌊x/y⌋ is below 2²⁴ (2⁵³ in float64); the simulator's is exact always.
- A shift by the width of the type or more leaves 0, or −1 from a negative number: PTX clamps the count.
- −x and ~x of an unsigned or narrow integer are taken before it is widened.
- A comparison with nan is false, but != is true; bool(nan) is true.

Source: numba-cuda, cpython/numbers.py; PTX ISA, "shl", "shr", "div"; PTX that Numba emits for float % float.
"""

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types

from kernels.simt.arithmetic.casts import chosen, dtype_of, number
from kernels.simt.arithmetic.meaning import Meaning, dtypes, returning, taking
from kernels.simt.arithmetic.powers import power
from kernels.simt.lanes import Number

Make = Callable[[Any], Meaning]  # from a signature


def floor_divide(a: Number, b: Number) -> Number:
    """a // b of one dtype."""
    quotient = np.floor_divide(a, b)
    if a.dtype.kind == "i" and np.count_nonzero(negates := b == -1):
        overflows = negates & (a == np.iinfo(a.dtype).min)
        quotient = chosen(overflows, a.dtype.type(0), quotient)
    return quotient


def floor_divmod(a: Number, b: Number) -> tuple[Number, Number]:
    """a // b and a % b of one dtype."""
    return floor_divide(a, b), np.remainder(a, b)


def _binary(compute: Callable[..., Number], real: int = 1, complex_: int = 0) -> Make:
    """Both operands in the type of the result; costs of floats and of complex numbers."""

    def make(signature: Any) -> Meaning:
        kind = signature.return_type
        target = number(kind.dtype if isinstance(kind, types.UniTuple) else kind)
        flops = {"f": real, "c": complex_}.get(target.kind, 0)
        return Meaning(taking(compute, signature, target), flops)

    return make


def _unary(ufunc: np.ufunc) -> Make:
    def make(signature: Any) -> Meaning:
        own, target = number(signature.args[0]), number(signature.return_type)
        if own.kind == "b" and target != own:  # −True is −1
            return Meaning(taking(ufunc, signature, target))
        return Meaning(returning(ufunc, signature))

    return make


def _compare(ufunc: np.ufunc) -> Make:
    return lambda signature: Meaning(returning(ufunc, signature))


def _identical(signature: Any) -> Meaning:
    """`is` compares values of one type; values of different types are never the same."""
    one, other = (types.unliteral(kind) for kind in signature.args)
    same = np.bool_(one == other)
    return Meaning(np.equal if same and dtype_of(one) is not None else lambda a, b: same)


def _different(signature: Any) -> Meaning:
    identical = _identical(signature).compute
    return Meaning(lambda a, b: np.logical_not(identical(a, b)))


OPERATORS: dict[Any, Make] = {
    operator.add: _binary(np.add, complex_=2),
    operator.sub: _binary(np.subtract, complex_=2),
    operator.mul: _binary(np.multiply, complex_=6),
    operator.truediv: _binary(np.true_divide, complex_=9),
    operator.floordiv: _binary(floor_divide),
    operator.mod: _binary(np.remainder),
    divmod: _binary(floor_divmod),
    operator.pow: power,
    pow: power,
    operator.lshift: _binary(np.left_shift),
    operator.rshift: _binary(np.right_shift),
    operator.and_: _binary(np.bitwise_and),
    operator.or_: _binary(np.bitwise_or),
    operator.xor: _binary(np.bitwise_xor),
    operator.eq: _compare(np.equal),
    operator.ne: _compare(np.not_equal),
    operator.lt: _compare(np.less),
    operator.le: _compare(np.less_equal),
    operator.gt: _compare(np.greater),
    operator.ge: _compare(np.greater_equal),
    operator.neg: _unary(np.negative),
    operator.pos: _unary(np.positive),
    operator.invert: _unary(np.invert),
    operator.not_: _compare(np.logical_not),
}
IN_PLACE = {
    getattr(operator, "i" + name): getattr(operator, name if hasattr(operator, name) else name + "_")
    for name in (
        "add",
        "sub",
        "mul",
        "truediv",
        "floordiv",
        "mod",
        "pow",
        "lshift",
        "rshift",
        "and",
        "or",
        "xor",
    )
}
IDENTITY: dict[Any, Make] = {operator.is_: _identical, operator.is_not: _different}


def find(function: Any, signature: Any) -> Meaning | None:
    """The meaning of an operator on numbers; None for anything else."""
    if function in IDENTITY:
        return IDENTITY[function](signature)
    make = OPERATORS.get(IN_PLACE.get(function, function))
    return make(signature) if make is not None and dtypes(signature) is not None else None
