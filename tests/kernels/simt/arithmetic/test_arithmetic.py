"""Operators and casts: held against Numba's own compiled code, Python's integers, and the PTX rules written out."""

import functools
import math
import operator

import numba
import numpy as np
import pytest
from calling import FLOATS, INTEGERS, call, lanes, signature_of
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import types

from kernels.backend import cuda
from kernels.simt import arithmetic

ARITHMETIC = (
    operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod,
)  # fmt: skip
COMPARISONS = (operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge)
BITWISE = (operator.and_, operator.or_, operator.xor)
UNARY = (operator.neg, operator.pos, operator.not_, operator.invert)


@functools.cache
def compiled(whole: bool):
    """Numba's code for a CPU under the error model of its CUDA target: the same rules for what both define."""
    model = numba.njit(error_model="numpy")
    if not whole:
        return model(lambda a, b: (
            a + b, a - b, a * b, a / b, a // b, a % b, a == b, a != b, a < b, a <= b, a > b, a >= b, -a, +a, not a,
        ))  # fmt: skip
    return model(lambda a, b: (
        a + b, a - b, a * b, a / b, a // b, a % b, a == b, a != b, a < b, a <= b, a > b, a >= b, -a, +a, not a, ~a,
        a & b, a | b, a ^ b,
    ))  # fmt: skip


PAIRS = [
    ("int32", "int32"), ("int64", "int64"), ("uint32", "int32"), ("uint8", "int64"), ("int64", "uint64"),
    ("float32", "float32"), ("float64", "float64"), ("float32", "int32"),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_operators_are_those_of_numba(one, other):
    whole = "float" not in one + other
    functions = (*ARITHMETIC, *COMPARISONS, *(UNARY if whole else UNARY[:3]), *(BITWISE if whole else ()))

    @settings(max_examples=60, deadline=None)
    @given(lanes(one), lanes(other))
    def check(a, b):
        expected = [compiled(whole)(x, y) for x, y in zip(a, b, strict=True)]
        for place, function in enumerate(functions):
            ours = call(function, a) if function in UNARY else call(function, a, b)
            wanted = np.array([row[place] for row in expected])
            np.testing.assert_array_equal(ours, wanted.astype(ours.dtype), err_msg=str(function))
            # -0.0 is not 0.0; the sign of a nan is left open by IEEE 754, section 6.3
            signed = ~np.isnan(wanted.astype(float))
            signs = (np.signbit(each.astype(float)[signed]) for each in (ours, wanted))
            np.testing.assert_array_equal(*signs, err_msg=str(function))

    check()


@settings(max_examples=40, deadline=None)
@given(lanes("int32"), lanes("int32"), lanes("float32"))
def test_one_number_for_all_lanes_is_the_same_number(a, b, x):
    for function in (*ARITHMETIC, *COMPARISONS, *BITWISE, operator.pow):
        for left, right in ((a, b), (x, b)):
            if left is x and function in BITWISE:
                continue
            together = call(function, left, right)
            np.testing.assert_array_equal([call(function, *pair) for pair in zip(left, right)], together)  # noqa: B905
            np.testing.assert_array_equal(call(function, left, right[0])[0], together[0])


@pytest.mark.parametrize("dtype", INTEGERS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_shifts_clamp_their_count(dtype, data):
    x, count = data.draw(lanes(dtype)), data.draw(st.integers(0, 200))
    left, right = call(operator.lshift, x, np.int64(count)), call(operator.rshift, x, np.int64(count))
    for value, shifted, back in zip(x.tolist(), left.tolist(), right.tolist(), strict=True):
        assert shifted % 2**64 == (value << count) % 2**64
        assert back == value >> count


@pytest.mark.parametrize("source", ["float16", *FLOATS])
@pytest.mark.parametrize("target", INTEGERS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_floats_become_integers_as_in_ptx(source, target, data):
    x = data.draw(lanes(source))
    limits = np.iinfo(target if np.dtype(target).itemsize > 1 else target.replace("8", "16"))
    with np.errstate(all="ignore"):
        ours = arithmetic.cast(x, getattr(types, source), getattr(types, target))
    for value, found in zip(x.tolist(), ours, strict=True):
        if math.isnan(value):
            exact = limits.min or 1 << (limits.bits - 1)
            exact = exact if source == "float64" or limits.bits == 64 else 0
        else:
            clipped = min(max(value, float(limits.min)), float(limits.max))
            exact = min(max(math.trunc(clipped), limits.min), limits.max)
        width = 2 ** (8 * found.dtype.itemsize)
        assert found.dtype == target
        assert int(found) % width == exact % width  # 8 bits are what is left of 16


@settings(deadline=None)
@given(lanes("int64"))
def test_integers_keep_their_low_bits(x):
    for name in INTEGERS:
        ours = arithmetic.cast(x, types.int64, getattr(types, name))
        assert [int(value) % 2 ** (8 * ours.dtype.itemsize) for value in ours] == [
            value % 2 ** (8 * ours.dtype.itemsize) for value in x.tolist()
        ]


def test_casts_of_truth_and_of_tuples():
    nan = np.array([np.nan, 0.0, -0.0, 3.0], np.float32)
    assert arithmetic.cast(nan, types.float32, types.boolean).tolist() == [True, False, False, True]
    assert arithmetic.cast(np.True_, types.boolean, types.float32) == np.float32(1)
    pair = arithmetic.cast(
        (3, nan), types.Tuple((types.int64, types.float32)), types.UniTuple(types.float64, 2)
    )
    assert [part.dtype for part in pair] == [np.float64, np.float64]
    assert isinstance(arithmetic.cast(7, types.int64, types.int32), np.int32)
    with pytest.raises(TypeError, match="expected a number type, got none"):
        arithmetic.cast(1, types.int64, types.none)


@pytest.mark.parametrize("function", [np.int32, types.NumberClass(types.int32), types.int32])
def test_types_are_casts(function):
    meaning = arithmetic.find(function, types.int32(types.float64))
    assert meaning.compute(np.array([1e10, -2.9])).tolist() == [2**31 - 1, -2]
    assert meaning.flops == 0


@pytest.mark.parametrize("base", ["int32", "int64", "uint64", *FLOATS])
def test_powers_are_those_of_numba(base):
    on_cpu = numba.njit(error_model="numpy")(lambda a, b: a**b)

    def reference(x, exponent):
        try:
            return on_cpu(x, exponent)
        except ZeroDivisionError:  # 1 / 0, which a GPU takes for an infinity
            return np.copysign(np.inf, x) if exponent % 2 else np.inf

    @settings(max_examples=80, deadline=None)
    @given(
        lanes(base),
        st.lists(st.integers(-9, 70) | st.sampled_from([65536, 65537, -65537]), min_size=7, max_size=7),
    )
    def check(a, b):
        exponents = np.array(b, np.int64)
        wanted = np.array([reference(x, y) for x, y in zip(a, exponents, strict=True)])
        far = np.abs(exponents) > 65536  # beyond, both call a library's pow
        ours = call(operator.pow, a, exponents)
        np.testing.assert_array_equal(ours[~far], wanted.astype(ours.dtype)[~far])
        np.testing.assert_array_equal(call(operator.pow, a, exponents[0])[0], ours[0])
        if base in FLOATS:
            np.testing.assert_allclose(ours[far], wanted[far], rtol=1e-6)

    check()


def test_the_lowest_exponent_ends():
    lowest = np.array([np.iinfo(np.int64).min])
    assert call(operator.pow, np.array([1.0]), lowest) == 1.0
    assert call(operator.pow, np.array([1]), lowest) == 1


def test_what_never_raises():
    one, zero = np.array([1, -7], np.int32), np.array([0, 0], np.int32)
    assert call(operator.floordiv, one, zero).tolist() == call(operator.mod, one, zero).tolist() == [0, 0]
    assert call(operator.truediv, one, zero).tolist() == [np.inf, -np.inf]
    assert call(operator.pow, zero, -one).tolist() == [np.iinfo(np.int64).min, 0]
    x = np.array([1.0, -0.0], np.float32)
    assert call(operator.pow, x - x, np.array([-2, -3])).tolist() == [np.inf, np.inf]
    assert call(operator.floordiv, x, np.float32(0)).tolist() == pytest.approx([np.inf, np.nan], nan_ok=True)


def test_costs():
    f32, i64, c64 = types.float32, types.int64, types.complex64
    cost = {
        (operator.add, f32, f32): 1, (operator.iadd, f32, f32): 1, (operator.truediv, i64, i64): 1,
        (operator.mod, f32, f32): 1, (operator.add, i64, i64): 0, (operator.lt, f32, f32): 0,
        (operator.neg, f32): 0, (operator.add, c64, c64): 2, (operator.mul, c64, c64): 6,
        (cuda.fma, f32, f32, f32): 2, (operator.pow, i64, i64): 0,
    }  # fmt: skip
    for (function, *kinds), flops in cost.items():
        meaning = arithmetic.find(function, signature_of(function, *kinds))
        assert (meaning.flops, meaning.transcendentals) == (flops, 0), function
    for exponent, flops in ((0, 0), (1, 0), (2, 1), (3, 2), (5, 3), (-1, 1), (-2, 2)):
        meaning = arithmetic.find(operator.pow, f32(f32, types.IntegerLiteral(exponent)))
        assert (meaning.flops, meaning.transcendentals) == (flops, 0)
    assert arithmetic.find(operator.pow, signature_of(operator.pow, f32, f32)).transcendentals == 1


def test_plain_cases_are_numpys_own_functions():
    for kind in (types.float32, types.float64, types.int32, types.int64, types.uint64):
        signature = signature_of(operator.add, kind, kind)
        assert arithmetic.find(operator.add, signature).compute is np.add
        assert arithmetic.find(operator.lt, signature_of(operator.lt, kind, kind)).compute is np.less


def test_identity():
    none = types.boolean(types.float32, types.none)
    assert arithmetic.find(operator.is_, none).compute(np.float32(0), None) == np.False_
    assert arithmetic.find(operator.is_not, none).compute(np.float32(0), None) == np.True_
    assert call(operator.is_, np.array([1, 2]), np.array([1, 3])).tolist() == [True, False]


def test_what_is_no_arithmetic_is_not_found():
    array = types.float32[::1]
    assert arithmetic.find(operator.add, types.none(array, array)) is None
    assert arithmetic.find(len, types.int64(array)) is None
    assert arithmetic.find(print, types.none(types.int64)) is None
    assert arithmetic.dtype_of(array) is arithmetic.dtype_of(types.none) is None
    assert arithmetic.dtype_of(types.IntegerLiteral(3)) == np.int64
