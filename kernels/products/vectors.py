"""Vectors for CPU twins: as many neighboring numbers as a widest register holds, loaded, multiplied and kept as one.

A compiler vectorizes the innermost loop. In a product of a sparse matrix the innermost loop worth having goes over the
nonzeros of a row, and it is the *columns* of the result that lie side by side: a dozen sums that should stay in
registers from the first nonzero to the last. Left alone, the compiler loads and stores them at every nonzero, or
gathers numbers from far apart. A vector as a type of its own says what is wanted, and LLVM makes of it what the machine
has: one register of 64 bytes with AVX-512, two of 32 with AVX2, four of 16 with NEON.

`count` says how many of a vector's elements lie inside an array: the others load as zeros and are not stored, so loops
have no tail. Arrays have one axis and no gaps.

Source: LLVM Language Reference Manual, "Vector Type", "llvm.masked.load".
"""

from typing import Any

from llvmlite import ir
from numba import extending, types
from numba.extending import models, register_model

intrinsic: Any = extending.intrinsic  # its types speak of Python, not of what a twin sees
BYTES = 64  # of a vector: lanes = BYTES // array.itemsize


class Vector(types.Type):
    """So many neighboring numbers of one dtype."""

    def __init__(self, dtype: Any) -> None:
        self.dtype, self.lanes = dtype, BYTES * 8 // dtype.bitwidth
        super().__init__(f"vector({dtype}, {self.lanes})")


@register_model(Vector)
class VectorModel(models.PrimitiveModel):
    """LLVM's own vector: a value, not a place in memory."""

    def __init__(self, manager: Any, vector: Vector) -> None:
        lane = ir.FloatType() if vector.dtype == types.float32 else ir.DoubleType()
        super().__init__(manager, vector, ir.VectorType(lane, vector.lanes))


@intrinsic
def zeros(typing, array):
    """A vector of zeros in the array's dtype."""
    vector = Vector(array.dtype)
    return vector(array), lambda context, builder, signature, arguments: _zeros(context, vector)


@intrinsic
def take(typing, array, index, count):
    """The elements from `index` on."""
    vector = Vector(array.dtype)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = _pointer(context, builder, signature, arguments, vector)
        mask, align = _mask(builder, arguments[2], vector), ir.IntType(32)(vector.dtype.bitwidth // 8)
        zero = _zeros(context, vector)
        kinds = pointer.type, align.type, mask.type, zero.type
        function = _llvm(builder, "llvm.masked.load", vector, ir.FunctionType(zero.type, kinds))
        return builder.call(function, (pointer, align, mask, zero))

    return vector(array, types.intp, types.intp), generate


@intrinsic
def put(typing, array, index, count, vector):
    """Write the elements from `index` on."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = _pointer(context, builder, signature, arguments, vector)
        mask, align = _mask(builder, arguments[2], vector), ir.IntType(32)(vector.dtype.bitwidth // 8)
        kinds = arguments[3].type, pointer.type, align.type, mask.type
        function = _llvm(builder, "llvm.masked.store", vector, ir.FunctionType(ir.VoidType(), kinds))
        builder.call(function, (arguments[3], pointer, align, mask))
        return context.get_dummy_value()

    return types.none(array, types.intp, types.intp, vector), generate


@intrinsic
def plus_product(typing, total, factor, vector):
    """total + factor · vector, with one factor for all elements, in one instruction where there is one."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        total, factor, numbers = arguments
        product = builder.fmul(_everywhere(builder, factor, vector.lanes), numbers, flags=("contract",))
        return builder.fadd(product, total, flags=("contract",))

    return vector(vector, vector.dtype, vector), generate


@intrinsic
def plus_products(typing, total, one, other):
    """total + one · other, element by element."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        total, one, other = arguments
        return builder.fadd(builder.fmul(one, other, flags=("contract",)), total, flags=("contract",))

    return total(total, total, total), generate


@intrinsic
def total_of(typing, vector):
    """The sum of a vector's elements, by halves."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        (rest,), place, lanes = arguments, ir.IntType(32), vector.lanes
        while lanes > 1:
            lanes //= 2
            kind = ir.VectorType(place, lanes)
            low = ir.Constant(kind, list(range(lanes)))
            high = ir.Constant(kind, list(range(lanes, 2 * lanes)))
            rest = builder.fadd(
                builder.shuffle_vector(rest, rest, low), builder.shuffle_vector(rest, rest, high)
            )
        return builder.extract_element(rest, place(0))

    return vector.dtype(vector), generate


@intrinsic
def nibbles(typing, packed, index, like):
    """As many bytes as a vector of `like` has elements, from `index` on: their low and their high halves, less 8."""
    vector = Vector(like.dtype)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        view = context.make_array(signature.args[0])(context, builder, arguments[0])
        byte, wide = (ir.VectorType(ir.IntType(bits), vector.lanes) for bits in (8, 32))
        start = builder.bitcast(builder.gep(view.data, [arguments[1]]), byte.as_pointer())
        both = builder.zext(builder.load(start, align=1), wide)
        kind, eight = context.get_value_type(vector), ir.Constant(wide, [8] * vector.lanes)
        halves = (
            builder.and_(both, ir.Constant(wide, [15] * vector.lanes)),
            builder.lshr(both, ir.Constant(wide, [4] * vector.lanes)),
        )
        numbers = [builder.sitofp(builder.sub(half, eight), kind) for half in halves]
        return context.make_tuple(builder, signature.return_type, numbers)

    return types.UniTuple(vector, 2)(packed, types.intp, like), generate


def _zeros(context: Any, vector: Vector) -> Any:
    return ir.Constant(context.get_value_type(vector), [0.0] * vector.lanes)


def _everywhere(builder: Any, number: Any, lanes: int) -> Any:
    """A vector with this number in every lane."""
    place = ir.IntType(32)
    first = builder.insert_element(
        ir.Constant(ir.VectorType(number.type, lanes), ir.Undefined), number, place(0)
    )
    return builder.shuffle_vector(first, first, ir.Constant(ir.VectorType(place, lanes), [0] * lanes))


def _mask(builder: Any, count: Any, vector: Vector) -> Any:
    """True in the first `count` lanes."""
    places = ir.Constant(ir.VectorType(count.type, vector.lanes), list(range(vector.lanes)))
    return builder.icmp_signed("<", places, _everywhere(builder, count, vector.lanes))


def _llvm(builder: Any, name: str, vector: Vector, kind: Any) -> Any:
    """LLVM's function of this name for vectors like this one."""
    full = f"{name}.v{vector.lanes}f{vector.dtype.bitwidth}.p0"
    return builder.module.globals.get(full) or ir.Function(builder.module, kind, full)


def _pointer(context: Any, builder: Any, signature: Any, arguments: Any, vector: Vector) -> Any:
    """The address of array[index], as that of a vector."""
    view = context.make_array(signature.args[0])(context, builder, arguments[0])
    start = builder.gep(view.data, [arguments[1]])
    return builder.bitcast(start, context.get_value_type(vector).as_pointer())
