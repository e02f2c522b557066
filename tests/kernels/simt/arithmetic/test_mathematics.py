"""math, cmath, the built-in functions and NumPy's on lanes: against Python's own, one number at a time, in float64."""

import cmath
import math

import numpy as np
import pytest
from calling import FLOATS, INTEGERS, call, lanes, signature_of
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import types
from numba.cuda.typing import npydecl

from kernels.backend import cuda
from kernels.simt import arithmetic
from kernels.simt.arithmetic import mathematics

# extremes are what is tested; the machine computes them under np.errstate as well
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

UNARY = (
    math.acos, math.acosh, math.asin, math.asinh, math.atan, math.atanh, math.ceil, math.cos, math.cosh, math.degrees,
    math.erf, math.erfc, math.exp, math.exp2, math.expm1, math.fabs, math.floor, math.gamma, math.lgamma, math.log,
    math.log10, math.log1p, math.log2, math.radians, math.sin, math.sinh, math.sqrt, math.tan, math.tanh, math.trunc,
)  # fmt: skip
BINARY = (math.atan2, math.copysign, math.fmod, math.hypot, math.nextafter, math.pow, math.remainder)
PREDICATES = (math.isnan, math.isinf, math.isfinite)
EXACT = {math.copysign, math.fmod, math.remainder, math.ceil, math.floor, math.trunc, math.fabs, math.sqrt}
MODERATE = st.floats(-30, 30, width=32)


def without_raising(function, *values):
    """Python's answer, or the nan or infinity that C gives where Python raises."""
    try:
        return float(function(*values))
    except OverflowError:
        return math.inf
    except ValueError:
        return math.nan


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("function", UNARY, ids=lambda function: function.__name__)
@settings(max_examples=30, deadline=None)
@given(st.lists(MODERATE, min_size=1, max_size=6))
def test_functions_of_one_number(dtype, function, values):
    x = np.array(values, dtype)
    ours = call(function, x)
    wanted = np.array([without_raising(function, float(value)) for value in x])
    ordinary = np.isfinite(wanted)
    steep = (
        math.gamma,
        math.lgamma,
    )  # close to their poles and zeros: as far off as the argument's own rounding
    tolerance = 2e-5 if function in steep else 4 * np.finfo(dtype).eps
    if function in steep:
        ordinary &= (abs(x - np.rint(x)) > 1e-3) | (x >= 1)
    # the answer's rounding; and of float32, what lies beyond it is inf or 0
    np.testing.assert_allclose(
        ours[ordinary],
        wanted.astype(dtype)[ordinary],
        rtol=tolerance,
        atol=4 * np.finfo(dtype).tiny + tolerance / 8,
    )
    if function in EXACT:
        np.testing.assert_array_equal(ours[ordinary], wanted.astype(dtype)[ordinary])


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("function", BINARY, ids=lambda function: function.__name__)
def test_functions_of_two_numbers(dtype, function):
    @settings(max_examples=60, deadline=None)
    @given(lanes(dtype), lanes(dtype))
    def check(x, y):
        ours = call(function, x, y)
        with np.errstate(over="ignore"):
            # nextafter depends on the type, where NumPy's is C's
            wanted = [without_raising(function, float(a), float(b)) for a, b in zip(x, y, strict=True)]
            expected = np.nextafter(x, y) if function is math.nextafter else np.array(wanted).astype(dtype)
        if function is math.pow:  # Python's answer to a pole is an error of the same kind as to a domain
            plain = np.isfinite(np.array(wanted))
            np.testing.assert_allclose(ours[plain], expected[plain], rtol=8 * np.finfo(dtype).eps)
        elif function in EXACT:
            np.testing.assert_array_equal(ours, expected)
        else:
            np.testing.assert_allclose(
                ours, expected, rtol=4 * np.finfo(dtype).eps, atol=4 * np.finfo(dtype).tiny
            )

    check()


def test_where_python_raises_a_gpu_answers():
    x = np.array([0.0, -1.0], np.float32)
    assert call(math.log, x).tolist() == pytest.approx([-np.inf, np.nan], nan_ok=True)
    assert call(math.exp, np.float32(1000)) == np.inf
    assert call(math.pow, np.float64(0), np.float64(-1)) == np.inf
    assert math.isnan(call(math.fmod, np.float32(1), np.float32(0)))
    assert call(math.gamma, np.array([0.0, 5.0])).tolist() == [np.inf, 24.0]


@pytest.mark.parametrize("function", [*UNARY, *PREDICATES], ids=lambda function: function.__name__)
def test_integers_go_in_as_float64(function):
    values = np.array([1, 7], np.int64) if function is not math.atanh else np.array([0, 0])
    as_float = np.asarray(call(function, values.astype(np.float64)), dtype=np.float64)
    np.testing.assert_array_equal(np.asarray(call(function, values), dtype=np.float64), as_float)


@settings(deadline=None)
@given(lanes("float32"))
def test_predicates_and_parts(x):
    for function in PREDICATES:
        assert call(function, x).tolist() == [function(value) for value in x.tolist()]
    finite = x[np.isfinite(x)]
    fraction, power = call(math.frexp, finite)
    assert [(float(a), int(b)) for a, b in zip(fraction, power, strict=True)] == [
        math.frexp(v) for v in finite.tolist()
    ]
    np.testing.assert_array_equal(call(math.ldexp, fraction, power), finite)
    part, whole = call(math.modf, finite)
    assert [(float(a), float(b)) for a, b in zip(part, whole, strict=True)] == [
        math.modf(v) for v in finite.tolist()
    ]


@pytest.mark.parametrize("dtype", INTEGERS)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_absolute_values(dtype, data):
    a = data.draw(lanes(dtype))
    width = 1 << np.iinfo(dtype).bits
    assert [int(found) % width for found in call(abs, a)] == [abs(value) % width for value in a.tolist()]


@settings(deadline=None)
@given(lanes("float32"), lanes("float32"), lanes("float64"), lanes("int32"))
def test_extremes_and_nan(a, b, wide, whole):
    for function, ignoring in ((min, np.fmin), (max, np.fmax)):
        np.testing.assert_array_equal(call(function, a, b), ignoring(a, b))
        np.testing.assert_array_equal(call(function, a, wide), ignoring(a, wide))
        in_turn = [function(*row) for row in zip(a.tolist(), wide.tolist(), whole.tolist(), strict=True)]
        np.testing.assert_array_equal(call(function, a, wide, whole), in_turn)  # Python's own rule
        mixed = [function(*row) for row in zip(whole.tolist(), wide.tolist(), strict=True)]
        np.testing.assert_array_equal(call(function, whole, wide), mixed)
    assert call(max, np.int32(-1), np.uint32(1)) == 1
    assert call(min, np.True_, np.False_) == np.False_


@settings(deadline=None)
@given(st.lists(st.floats(-1e12, 1e12), min_size=1, max_size=6), st.integers(-13, 5))
def test_rounding(values, digits):
    x = np.array(values)
    assert call(round, x).tolist() == [round(value) for value in values]
    ours = call(round, x, np.int64(digits))
    np.testing.assert_allclose(
        ours, np.round(x, digits), rtol=1e-15, atol=0.6 * 10.0 ** -max(digits, 0) * 1e-3
    )
    assert call(round, np.float32(2.5)) == 2
    assert call(round, np.float64(1e300)) == np.iinfo(np.int64).max  # as the instruction saturates
    assert call(round, np.float64(np.nan), np.int64(2)) != call(round, np.float64(np.nan), np.int64(2))
    assert call(round, np.float64(0.125), np.int64(2)) == 0.12


def test_number_types_as_functions():
    x = np.array([1.9, -1.9, np.nan], np.float32)
    assert call(int, x).tolist() == [1, -1, -(2**63)]
    assert call(bool, x).tolist() == [True, True, True]
    assert call(float, np.array([3], np.int32)).dtype == np.float64
    assert call(float, x).dtype == np.float32
    assert call(complex, x[:1], -x[:1]).tolist() == [complex(x[0], -x[0])]
    assert call(complex, np.float32(2)).dtype == np.complex64


COMPLEX = "acos asin asinh atan atanh cos exp log sin sqrt tan isnan isinf isfinite"


@pytest.mark.parametrize("name", COMPLEX.split())
def test_complex_functions(name):
    z = np.array([0.3 + 0.4j, -0.5 + 0.1j, 2 - 1j])
    expected = [getattr(cmath, name)(value) for value in z.tolist()]
    np.testing.assert_allclose(call(getattr(cmath, name), z), expected, rtol=1e-14)
    np.testing.assert_allclose(call(getattr(cmath, name), z.astype(np.complex64)), expected, rtol=1e-6)
    assert call(cmath.log, np.complex128(8), np.complex128(2)) == pytest.approx(3)
    assert call(abs, np.complex64(3 + 4j)) == 5


@pytest.mark.parametrize("ufunc", npydecl.supported_ufuncs, ids=lambda ufunc: ufunc.__name__)
def test_functions_of_numpy(ufunc):
    """Each, in every combination of these types that Numba has, is NumPy's own in the types that Numba chose."""
    found = 0
    for dtype in ("int32", "uint64", "float32", "float64"):
        values = [np.array([3, 1, 2], dtype), np.array([2, 1, 1], dtype)][: ufunc.nin]
        if ufunc is np.ldexp:
            values[1] = values[1].astype(np.int32)
        signature = _signature_or_none(ufunc, values)
        if signature is None or arithmetic.dtype_of(signature.args[0]) is None:
            continue
        found += 1
        for ours, theirs in zip(
            np.atleast_2d(call(ufunc, *values)), np.atleast_2d(ufunc(*values)), strict=True
        ):
            np.testing.assert_allclose(ours.astype(float), theirs.astype(float), rtol=1e-6)
    assert found or ufunc is np.isnat


def _signature_or_none(ufunc, values):
    try:
        return signature_of(
            ufunc, *(getattr(types, value.dtype.name.replace("bool", "bool_")) for value in values)
        )
    except Exception:  # each kind of refusal has an exception of its own
        return None


def test_numpy_on_half_numbers_and_negative_powers():
    half = np.array([0.5, 2.0], np.float16)
    np.testing.assert_array_equal(call(np.sin, half), np.sin(half.astype(np.float32)))
    assert call(np.power, np.array([2, 1]), np.array([-1, -1])).tolist() == [0, 1]
    assert call(np.floor_divide, np.array([-7, 5]), np.array([2, 0])).tolist() == [-4, 0]
    x = np.array([np.nan, 1.0], np.float32)
    assert np.isnan(call(np.maximum, x, x[::-1])).all()
    assert not np.isnan(call(np.fmax, x, x[::-1])).any()


def test_costs():
    f32 = types.float32
    for function in mathematics.TRANSCENDENTAL:
        for kinds in ((f32,), (f32, f32), (types.complex64,)):
            try:
                signature = signature_of(function, *kinds)
            except Exception:  # another number of arguments
                continue
            if signature is not None:
                meaning = arithmetic.find(function, signature)
                assert (meaning.flops, meaning.transcendentals) == (0, 1)
    meaning = arithmetic.find(np.multiply, signature_of(np.multiply, f32, f32))
    assert (meaning.flops, meaning.transcendentals) == (1, 0)
    meaning = arithmetic.find(cuda.cbrt, signature_of(cuda.cbrt, f32))
    assert (meaning.flops, meaning.transcendentals) == (0, 1)
