"""Shared memory that moves 16 bytes a lane: arrays that begin at a multiple of 16, and accesses to four elements.

A product of tiles reads shared memory more often than anything else, and the widest access asks for the most with one
instruction. It must begin at a multiple of 16 bytes. `cuda.shared.array` promises only the alignment of one element,
so arrays for wide accesses are declared by `shared_array`; a row of one begins at a multiple of 16 if its width is a
multiple of four.

Unlike `kernels.loads.load4`, nothing here asks whether four elements fit: whoever lays out a tile knows that they do.
"""

import math
from typing import Any

from llvmlite import ir
from numba import types

from kernels.backend import intrinsic
from kernels.loads import LANES, WIDEST

SHARED = 3  # the address space of shared memory in NVVM's LLVM


@intrinsic
def shared_array(typing, shape, dtype):
    """An array in shared memory that begins at a multiple of 16 bytes; shape: a tuple of plain numbers."""
    if not all(isinstance(axis, types.IntegerLiteral) for axis in shape):
        return None  # no signature: Numba says which argument types it has not been given
    sizes = tuple(axis.literal_value for axis in shape)
    array = types.Array(dtype.dtype, len(sizes), "C")

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        element = context.get_data_type(array.dtype)
        storage = ir.ArrayType(element, math.prod(sizes))
        name = f"shared_array_{len(builder.module.global_values)}"
        place = ir.GlobalVariable(builder.module, storage, name, addrspace=SHARED)
        place.align, place.initializer = WIDEST, ir.Constant(storage, ir.Undefined)
        generic = builder.addrspacecast(place, ir.IntType(8).as_pointer())
        made = context.make_array(array)(context, builder)
        item = array.dtype.bitwidth // 8
        strides = [item * math.prod(sizes[axis + 1 :]) for axis in range(len(sizes))]
        integer = ir.IntType(64)
        context.populate_array(
            made,
            data=builder.bitcast(generic, element.as_pointer()),
            shape=[integer(size) for size in sizes],
            strides=[integer(stride) for stride in strides],
            itemsize=integer(item),
            meminfo=None,
        )
        return made._getvalue()

    return array(shape, dtype), generate


@intrinsic
def take4(typing, array, index):
    """Four neighboring elements of a row of a shared array, from a multiple of four on, as a tuple."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        values = []
        for part in _parts(context, builder, signature, arguments):
            vector = builder.load(part, align=WIDEST)
            values += [
                builder.extract_element(vector, ir.IntType(32)(lane)) for lane in range(vector.type.count)
            ]
        return context.make_tuple(builder, signature.return_type, values)

    return types.UniTuple(array.dtype, LANES)(array, types.intp), generate


@intrinsic
def put4(typing, array, index, a, b, c, d):
    """Write four neighboring elements of a row of a shared array, from a multiple of four on."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        values = list(arguments[2:])
        for part in _parts(context, builder, signature, arguments):
            vector = ir.Constant(part.type.pointee, ir.Undefined)
            for lane in range(vector.type.count):
                vector = builder.insert_element(vector, values.pop(0), ir.IntType(32)(lane))
            builder.store(vector, part, align=WIDEST)
        return context.get_dummy_value()

    element = array.dtype
    return types.none(array, types.intp, element, element, element, element), generate


def _parts(context: Any, builder: Any, signature: Any, arguments: Any) -> list[Any]:
    """Where the accesses to four elements begin, as pointers to vectors of 16 bytes: one in float32, two in float64."""
    array = signature.args[0]
    first = builder.gep(context.make_array(array)(context, builder, arguments[0]).data, [arguments[1]])
    count = WIDEST * 8 // array.dtype.bitwidth
    vector = ir.VectorType(context.get_data_type(array.dtype), count)
    steps = [ir.IntType(32)(step) for step in range(0, LANES, count)]
    return [builder.bitcast(builder.gep(first, [step]), vector.as_pointer()) for step in steps]
