"""Bits against Python's integers, fused multiply-add and directed rounding against exact fractions."""

import math
from fractions import Fraction

import numpy as np
import pytest
from calling import FLOATS, INTEGERS, call, lanes, signature_of
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import types

from kernels.backend import cuda
from kernels.simt import arithmetic
from kernels.simt.arithmetic import bits, rounding

# extremes are what is tested; the machine computes them under np.errstate as well
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

OPERATIONS = {
    "add": (2, lambda a, b: a + b), "subtract": (2, lambda a, b: a - b), "multiply": (2, lambda a, b: a * b),
    "divide": (2, lambda a, b: a / b), "reciprocal": (1, lambda a: 1 / a),
    "multiply_add": (3, lambda a, b, c: a * b + c),
}  # fmt: skip


def pattern(value, width):
    return int(value) % (1 << width)


@pytest.mark.parametrize("dtype", INTEGERS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_counts_of_bits(dtype, data):
    x = data.draw(lanes(dtype))
    width = np.iinfo(dtype).bits
    patterns = [f"{pattern(value, width):0{width}b}" for value in x.tolist()]
    assert call(cuda.popc, x).tolist() == [text.count("1") for text in patterns]
    assert call(cuda.clz, x).tolist() == [len(text) - len(text.lstrip("0")) for text in patterns]
    assert [pattern(value, width) for value in bits.brev(x).tolist()] == [
        int(text[::-1], 2) for text in patterns
    ]
    assert bits.ffs(x).tolist() == [text[::-1].find("1") + 1 for text in patterns]


def test_intrinsics_have_numbas_types():
    for dtype in ("int32", "uint32", "int64", "uint64"):
        assert call(cuda.ffs, np.array([0, 1, 8], dtype)).tolist() == [0, 1, 4]
    assert call(cuda.brev, np.uint32(1)) == 1 << 31
    assert call(cuda.brev, np.uint64(1)) == 1 << 63
    assert call(cuda.popc, np.int64(-1)) == 64
    assert call(cuda.cbrt, np.array([27.0, -8.0], np.float32)) == pytest.approx([3, -2])
    test, x = np.array([True, False]), np.array([1.0, 2.0])
    assert call(cuda.selp, test, x, -x).tolist() == [1, -2]
    assert call(cuda.fma, np.float32(2), np.float32(3), np.float32(4)) == 10


def test_what_numba_types_and_cannot_compile_is_not_found():
    for kind in (types.int8, types.uint8, types.int16, types.uint16):
        assert arithmetic.find(cuda.ffs, signature_of(cuda.ffs, kind)) is None


@settings(deadline=None)
@given(lanes("float32"), lanes("uint64"))
def test_views_and_methods(x, words):
    view = arithmetic.find((types.Float, "view"), types.int32(types.NumberClass(types.int32))).compute
    np.testing.assert_array_equal(view(x), x.view(np.int32))
    assert isinstance(view(x[0]), np.int32)
    back = arithmetic.find((types.Integer, "view"), types.float64(types.NumberClass(types.float64))).compute
    np.testing.assert_array_equal(back(words).view(np.uint64), words)
    count = arithmetic.find((types.Integer, "bit_count"), types.uint64()).compute
    assert count(words).tolist() == [value.bit_count() for value in words.tolist()]
    assert arithmetic.find("number.item", types.float32()).compute(x) is x
    z = x + 1j * x
    np.testing.assert_array_equal(arithmetic.find("imag", types.float32(types.complex64)).compute(z), z.imag)
    assert arithmetic.find("anything", types.float32()) is None


@settings(deadline=None)
@given(st.data())
def test_upper_halves_of_products(data):
    for name in ("int32", "uint32", "int64", "uint64"):
        x, y = data.draw(lanes(name)), data.draw(lanes(name))
        width = 8 * x.dtype.itemsize
        expected = [(a * b) >> width for a, b in zip(x.tolist(), y.tolist(), strict=True)]
        assert bits.mulhi(x, y).tolist() == expected
        assert bits.mulhi(x[0], y[0]) == expected[0]


def test_byte_permutation():
    x, y = np.uint32(0x33221100).view(np.int32), np.uint32(0x77665544).view(np.int32)
    assert bits.byte_perm(x, y, np.int32(0x3210)) == x
    assert bits.byte_perm(x, y, np.int32(0x7654)) == y
    assert bits.byte_perm(x, y, np.int32(0x0123)) == 0x00112233
    assert (
        bits.byte_perm(x, y, np.int32(0x8FA0)).view(np.uint32) == 0x00772200
    )  # the digit's top bit is ignored


def neighbors(exact, dtype):
    """The floats around an exact number that rounding down and up choose."""
    nearest = np.array(float(exact), np.float64).astype(dtype)[()]
    while Fraction(float(nearest)) > exact:
        nearest = np.nextafter(nearest, dtype(-np.inf))
    while Fraction(float(np.nextafter(nearest, dtype(np.inf)))) <= exact:
        nearest = np.nextafter(nearest, dtype(np.inf))
    above = nearest if Fraction(float(nearest)) == exact else np.nextafter(nearest, dtype(np.inf))
    return nearest, above


@pytest.mark.parametrize("name", FLOATS)
@pytest.mark.parametrize("operation", OPERATIONS)
@settings(max_examples=150, deadline=None)
@given(
    values=st.lists(st.floats(2.0**-20, 2.0**20) | st.floats(-(2.0**20), -(2.0**-20)), min_size=3, max_size=3)
)
def test_rounding_in_a_direction(name, operation, values):
    count, exactly = OPERATIONS[operation]
    dtype = getattr(np, name)
    operands = [dtype(value) for value in values[:count]]
    exact = exactly(*(Fraction(float(value)) for value in operands))
    below, above = neighbors(exact, dtype)
    rounded = getattr(rounding, operation)(*operands)
    assert rounding.directed(rounded, "rd") == below
    assert rounding.directed(rounded, "ru") == above
    assert rounding.directed(rounded, "rz") == (below if exact > 0 else above)
    nearest = rounding.directed(rounded, "rn")
    assert nearest in (below, above)
    assert 2 * abs(Fraction(float(nearest)) - exact) <= Fraction(float(above)) - Fraction(float(below))


@settings(max_examples=100, deadline=None)
@given(st.floats(2.0**-100, 2.0**100))
def test_square_roots_in_a_direction(value):
    for dtype in (np.float32, np.float64):
        x = dtype(value)
        rounded = rounding.square_root(x)
        below, above = rounding.directed(rounded, "rd"), rounding.directed(rounded, "ru")
        assert Fraction(float(below)) ** 2 <= Fraction(float(x)) <= Fraction(float(above)) ** 2
        assert above in (below, np.nextafter(below, dtype(np.inf)))
        assert rounding.directed(rounded, "rz") == below


@settings(deadline=None)
@given(lanes("int64"), lanes("uint64"), lanes("float64"))
def test_conversions_in_a_direction(signed, unsigned, real):
    for x, target in ((signed, np.float32), (signed, np.float64), (unsigned, np.float32), (real, np.float32)):
        with np.errstate(all="ignore"):
            found = {mode: rounding.converted(x, np.dtype(target), mode) for mode in rounding.MODES}
        for place, value in enumerate(x.tolist()):
            if not math.isfinite(value) or abs(value) > np.finfo(target).max or 0 < abs(value) < 1e-300:
                continue
            below, above = neighbors(Fraction(value), target)
            assert found["rd"][place] == below
            assert found["ru"][place] == above
            assert found["rz"][place] == (below if value > 0 else above)
            assert found["rn"][place] in (below, above)


def test_conversion_of_what_no_float_holds():
    huge = np.array([1e300, -1e300])
    with np.errstate(all="ignore"):
        down = rounding.converted(huge, np.dtype(np.float32), "rz")
        assert down.tolist() == [np.finfo(np.float32).max, -np.finfo(np.float32).max]
        assert rounding.converted(np.array([np.inf]), np.dtype(np.float32), "rd")[0] == np.inf
        assert rounding.converted(np.float64(-1.5), np.dtype(np.int32), "rd") == -2
        assert rounding.converted(np.float64(2.5), np.dtype(np.int32), "rn") == 2
        assert rounding.converted(np.float64(1e20), np.dtype(np.int32), "ru") == 2**31 - 1
