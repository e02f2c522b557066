"""Loads and stores: one element or four at a time, of any floating-point dtype, into numbers of the dtype of sums.

A warp that loads 4 bytes a lane asks for 128 bytes at once; with 16 bytes a lane it asks for 512, and memory is kept
four times as busy by the same number of instructions. `load4` and `store4` move four neighboring elements: one access
of 16 bytes in float32, two of 16 in float64, one of 8 in the half types. A vector access must start at a multiple of
its width and end within the array. Where it would not, in the last few columns of a row or in every second row of
an odd width, the four elements move one by one, those outside reading as `fill`.

Numbers come in the dtype in which operations sum: float32, float64 for float64. **bfloat16** has no type in most of
CUDA's Python; it is the upper half of a float32, so a kernel is given its bits as int16, and they are moved up on the
way in and rounded to the nearest, ties to even, on the way out.

All take an array of one axis with no gaps: `x[row]` is one.

Source: NVIDIA, CUDA C++ Best Practices Guide, "Coalesced Access to Global Memory"; J. Luitjens, CUDA Pro Tip: Increase
Performance with Vectorized Memory Access, NVIDIA, 2013.
"""

from typing import Any

from llvmlite import ir
from numba import types

from kernels.backend import intrinsic

LANES = 4  # elements that load4 and store4 move
WIDEST = 16  # bytes of the widest access that a GPU has


def real_type(array: Any) -> Any:
    """The Numba type in which the elements of an array of this Numba type are summed."""
    return types.float64 if array.dtype == types.float64 else types.float32


@intrinsic
def real_of(typing, array):
    """The dtype of sums for this array, to be called as a conversion: `zero = real_of(x)(0)`."""
    signature = types.NumberClass(real_type(array))(array)
    return signature, lambda context, builder, signature, arguments: context.get_dummy_value()


@intrinsic
def load(typing, array, index):
    """The element at `index`, in the dtype of sums."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _Place(context, builder, signature, arguments)
        return _widened(builder, builder.load(place.pointer()), place.dtype)

    return real_type(array)(array, types.intp), generate


@intrinsic
def store(typing, array, index, value):
    """Write `value`, rounded to the array's dtype, at `index`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _Place(context, builder, signature, arguments)
        builder.store(_narrowed(builder, arguments[2], place.dtype), place.pointer())
        return context.get_dummy_value()

    return types.none(array, types.intp, real_type(array)), generate


@intrinsic
def load4(typing, array, index, fill):
    """Four elements from `index` on, as a tuple; those beyond the array's end are `fill`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        dtype = signature.args[0].dtype
        place = _Place(context, builder, signature, arguments)
        with builder.if_else(place.fits()) as (together, one_by_one):
            with together:
                vector = [
                    _widened(builder, element, dtype)
                    for part in _parts(builder, place.pointer(), dtype)
                    for element in _unpacked(builder, builder.load(part, align=vector_bytes(dtype)), dtype)
                ]
                after_vector = builder.block
            with one_by_one:
                single = [place.guarded_load(lane, arguments[2]) for lane in range(LANES)]
                after_single = builder.block
        values = []
        for lane in range(LANES):
            value = builder.phi(vector[lane].type)
            value.add_incoming(vector[lane], after_vector)
            value.add_incoming(single[lane], after_single)
            values.append(value)
        return context.make_tuple(builder, signature.return_type, values)

    real = real_type(array)
    return types.UniTuple(real, LANES)(array, types.intp, real), generate


@intrinsic
def store4(typing, array, index, a, b, c, d):
    """Write four numbers from `index` on; those beyond the array's end are dropped."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        dtype = signature.args[0].dtype
        place = _Place(context, builder, signature, arguments)
        values = [_narrowed(builder, value, dtype) for value in arguments[2:]]
        with builder.if_else(place.fits()) as (together, one_by_one):
            with together:
                parts = _parts(builder, place.pointer(), dtype)
                each = LANES // len(parts)
                for number, part in enumerate(parts):
                    vector = _packed(builder, values[number * each : (number + 1) * each], dtype)
                    builder.store(vector, part, align=vector_bytes(dtype))
            with one_by_one:
                for lane, value in enumerate(values):
                    with builder.if_then(place.inside(lane)):
                        builder.store(value, place.pointer(lane))
        return context.get_dummy_value()

    real = real_type(array)
    return types.none(array, types.intp, real, real, real, real), generate


class _Place:
    """The place in an array where an access begins, while code for it is written."""

    def __init__(self, context: Any, builder: Any, signature: Any, arguments: Any) -> None:
        view = context.make_array(signature.args[0])(context, builder, arguments[0])
        self.builder, self.data, self.index = builder, view.data, arguments[1]
        self.length = builder.extract_value(view.shape, 0)
        self.dtype = signature.args[0].dtype

    def pointer(self, lane: int = 0) -> Any:
        """The address of the element: an array without gaps needs no strides."""
        return self.builder.gep(self.data, [self.builder.add(self.index, self.index.type(lane))])

    def inside(self, lane: int) -> Any:
        """Whether the array goes on so far."""
        beyond = self.builder.add(self.index, self.index.type(lane))
        return self.builder.icmp_signed("<", beyond, self.length)

    def fits(self) -> Any:
        """Whether all four elements are inside and begin where a vector access may."""
        address = self.builder.ptrtoint(self.pointer(), self.index.type)
        beside = self.builder.and_(address, self.index.type(vector_bytes(self.dtype) - 1))
        aligned = self.builder.icmp_unsigned("==", beside, self.index.type(0))
        return self.builder.and_(self.inside(LANES - 1), aligned)

    def guarded_load(self, lane: int, fill: Any) -> Any:
        """One element, or `fill` if the array ends before it."""
        before = self.builder.block
        with self.builder.if_then(self.inside(lane)):
            loaded = _widened(self.builder, self.builder.load(self.pointer(lane)), self.dtype)
            after = self.builder.block
        value = self.builder.phi(loaded.type)
        value.add_incoming(fill, before)
        value.add_incoming(loaded, after)
        return value


def vector_bytes(dtype: Any) -> int:
    """Bytes of a vector access to elements of this Numba dtype, which is also what it must be aligned to."""
    return min(LANES * dtype.bitwidth // 8, WIDEST)


def _parts(builder: Any, pointer: Any, dtype: Any) -> list[Any]:
    """Where each access to four elements begins, as a pointer to a vector."""
    vector = _vector(dtype)
    steps = range(0, LANES, vector_bytes(dtype) * 8 // dtype.bitwidth)
    return [
        builder.bitcast(builder.gep(pointer, [ir.IntType(32)(step)]), vector.as_pointer()) for step in steps
    ]


def _vector(dtype: Any) -> Any:
    """LLVM's vector of what one access moves: half types go by twos, as words, or LLVM would split the access."""
    lane = {types.float32: ir.FloatType(), types.float64: ir.DoubleType()}.get(dtype, ir.IntType(32))
    return ir.VectorType(lane, vector_bytes(dtype) // (8 if dtype == types.float64 else 4))


def _unpacked(builder: Any, vector: Any, dtype: Any) -> list[Any]:
    """The elements of a vector, half types as bits: the first of two is the lower half of their word."""
    words = [builder.extract_element(vector, ir.IntType(32)(lane)) for lane in range(vector.type.count)]
    if dtype.bitwidth > 16:
        return words
    low = ir.IntType(16)
    return [builder.trunc(part, low) for word in words for part in (word, builder.lshr(word, word.type(16)))]


def _packed(builder: Any, elements: list[Any], dtype: Any) -> Any:
    """The vector of some elements."""
    if dtype.bitwidth == 16:
        word = ir.IntType(32)
        wide = [builder.zext(element, word) for element in elements]
        elements = [
            builder.or_(low, builder.shl(high, word(16)))
            for low, high in zip(wide[::2], wide[1::2], strict=True)
        ]
    vector = ir.Constant(_vector(dtype), ir.Undefined)
    for lane, element in enumerate(elements):
        vector = builder.insert_element(vector, element, ir.IntType(32)(lane))
    return vector


def _widened(builder: Any, element: Any, dtype: Any) -> Any:
    """An element, or the bits of one, as a number of the dtype of sums."""
    if dtype == types.int16:  # bfloat16: the upper half of a float32
        bits = builder.shl(builder.zext(element, ir.IntType(32)), ir.IntType(32)(16))
        return builder.bitcast(bits, ir.FloatType())
    if dtype == types.float16:
        return builder.fpext(builder.bitcast(element, ir.HalfType()), ir.FloatType())
    return element


def _narrowed(builder: Any, number: Any, dtype: Any) -> Any:
    """A number as an element, or as the bits of one, rounded to the nearest."""
    if dtype == types.int16:
        word = ir.IntType(32)
        bits = builder.bitcast(number, word)
        odd = builder.and_(builder.lshr(bits, word(16)), word(1))  # a tie goes to the even one
        rounded = builder.lshr(builder.add(bits, builder.add(odd, word(0x7FFF))), word(16))
        nan = builder.fcmp_unordered("uno", number, number)  # its bits could round to those of infinity
        return builder.trunc(builder.select(nan, word(0x7FC0), rounded), ir.IntType(16))
    if dtype == types.float16:
        return builder.bitcast(builder.fptrunc(number, ir.HalfType()), ir.IntType(16))
    return number
