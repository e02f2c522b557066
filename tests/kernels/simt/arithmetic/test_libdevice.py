"""libdevice and cuda.fp16: known values, relations between functions, and nothing of Numba's registries left out."""

import importlib
import math
from fractions import Fraction

import numpy as np
import pytest
from calling import call, check_types, lanes
from hypothesis import given, settings
from numba import types

from kernels.backend import cuda
from kernels.simt import arithmetic

# extremes are what is tested; the machine computes them under np.errstate as well
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

libdevice = importlib.import_module(f"{cuda.__name__}.libdevice")
X, Y = np.float64(0.7), np.float64(-1.3)
INT, LONG = np.int32, np.int64

KNOWN = {
    "acos": ((X,), math.acos(X)), "cospi": ((np.float64(1.5),), 0.0), "sinpi": ((np.float64(-0.5),), -1.0),
    "exp10": ((np.float64(3),), 1000.0), "erfinv": ((np.float64(math.erf(X)),), X),
    "erfcinv": ((np.float64(math.erfc(X)),), X), "erfcx": ((X,), math.exp(X * X) * math.erfc(X)),
    "normcdf": ((X,), math.erfc(-X / math.sqrt(2)) / 2), "normcdfinv": ((np.float64(0.5),), 0.0),
    "tgamma": ((np.float64(6),), 120.0), "lgamma": ((np.float64(6),), math.log(120)),
    "rsqrt": ((np.float64(4),), 0.5), "rcbrt": ((np.float64(8),), 0.5), "cbrt": ((np.float64(-27),), -3.0),
    "j0": ((np.float64(2.404825557695773),), 0.0), "j1": ((np.float64(3.8317059702075125),), 0.0),
    "y0": ((np.float64(1),), 0.08825696421567697), "y1": ((np.float64(1),), -0.7812128213002887),
    "powi": ((np.float64(1.1), INT(-3)), 1.1**-3), "fdim": ((X, Y), 2.0), "fmod": ((Y, X), math.fmod(Y, X)),
    "remainder": ((np.float64(5), np.float64(2)), 1.0), "round": ((np.float64(-2.5),), -3.0),
    "rint": ((np.float64(-2.5),), -2.0), "llround": ((np.float64(2.5),), 3), "llrint": ((np.float64(2.5),), 2),
    "logb": ((np.float64(10),), 3.0), "ilogb": ((np.float64(0.3),), -2), "scalbn": ((X, INT(3)), 8 * X),
    "saturatef": ((np.float32(np.nan),), 0.0), "fast_fdividef": ((np.float32(1), np.float32(4)), 0.25),
    "fast_exp10f": ((np.float32(2),), 100.0), "fast_powf": ((np.float32(2), np.float32(5)), 32.0),
    "isnand": ((np.float64(np.nan),), 1), "isinff": ((np.float32(-np.inf),), 1), "finitef": ((np.float32(1),), 1),
    "signbitd": ((np.float64(-0.0),), 1), "frsqrt_rn": ((np.float32(16),), 0.25),
    "umax": ((INT(-1), INT(1)), -1), "ullmin": ((LONG(-1), LONG(1)), 1), "max": ((INT(-1), INT(1)), 1),
    "hadd": ((INT(2**31 - 1), INT(2**31 - 3)), 2**31 - 2), "rhadd": ((INT(-3), INT(-4)), -3),
    "uhadd": ((INT(-1), INT(-1)), -1), "urhadd": ((INT(0), INT(-1)), -(2**31)),
    "sad": ((INT(-5), INT(7), INT(1)), 13), "usad": ((INT(-1), INT(0), INT(1)), 0),
    "mul24": ((INT(0x00FFFFFF), INT(3)), -3), "umul24": ((INT(-1), INT(2)), 0x01FFFFFE),
    "mulhi": ((INT(-(2**31)), INT(4)), -2), "umulhi": ((INT(-1), INT(2)), 1), "mul64hi": ((LONG(2**62), LONG(8)), 2),
    "umul64hi": ((LONG(-1), LONG(2)), 1), "popcll": ((LONG(-1),), 64), "clzll": ((LONG(1),), 63),
    "ffs": ((INT(8),), 4), "brev": ((INT(2),), 2**30),
    "byte_perm": ((INT(0x0A0B0C0D), INT(0), INT(0x0123)), 0x0D0C0B0A),
    "double2hiint": ((np.float64(1),), 0x3FF00000), "double2loint": ((np.float64(1),), 0),
    "hiloint2double": ((INT(0x3FF00000), INT(0)), 1.0), "float_as_int": ((np.float32(1),), 0x3F800000),
    "longlong_as_double": ((LONG(0x3FF0000000000000),), 1.0), "double2int_rd": ((np.float64(-1.5),), -2),
    "float2uint_rz": ((np.float32(4e9),), 4_000_000_000 - 2**32), "uint2float_rn": ((INT(-1),), 2.0**32),
    "uint2double_rn": ((INT(-1),), 2.0**32 - 1), "float2half_rn": ((np.float32(1),), 0x3C00),
    "half2float": ((np.int16(0x3C00),), 1.0), "dadd_ru": ((np.float64(1), np.float64(1e-30)), 1 + 2.0**-52),
    "fsub_rd": ((np.float32(1), np.float32(1e-20)), 1 - 2.0**-24), "ddiv_rz": ((np.float64(1), np.float64(3)), 1 / 3),
    "fmaf_rn": ((np.float32(2), np.float32(3), np.float32(1)), 7.0), "fma": ((X, X, Y), X * X + Y),
}  # fmt: skip


@pytest.mark.parametrize("name", KNOWN)
def test_known_values(name):
    values, expected = KNOWN[name]
    assert call(getattr(libdevice, name), *values) == pytest.approx(expected, rel=1e-13, abs=1e-13)


def test_several_results():
    sine, cosine = call(libdevice.sincos, X)
    assert (sine, cosine) == (math.sin(X), math.cos(X))
    assert call(libdevice.sincospif, np.float32(1)) == (0, -1)
    assert call(libdevice.fast_sincosf, np.float32(0)) == (0, 1)
    assert call(libdevice.modf, np.float64(-2.25)) == (-0.25, -2)
    assert call(libdevice.frexp, np.float64(10)) == (0.625, 4)


@settings(max_examples=150, deadline=None)
@given(lanes("float64", 5), lanes("float64", 5))
def test_remainder_and_the_bits_of_its_quotient(x, y):
    rest, quotient = call(libdevice.remquo, x, y)
    for a, b, r, bits in zip(x.tolist(), y.tolist(), rest.tolist(), quotient.tolist(), strict=True):
        if not math.isfinite(a) or math.isnan(b) or b == 0:
            assert math.isnan(r)
        else:
            assert r == math.remainder(a, b)
            exact = round(Fraction(a) / Fraction(b)) if math.isfinite(b) else 0  # ties to even
            assert abs(bits) == abs(exact) % 8
            assert bits * exact >= 0


@settings(deadline=None)
@given(lanes("float32"))
def test_sines_of_half_turns(x):
    finite = x[np.isfinite(x) & (np.abs(x) < 1e6)]
    turns = finite.astype(np.float64) % 2
    sine, cosine = call(libdevice.sincospif, finite)
    np.testing.assert_allclose(sine, np.sin(np.pi * turns), atol=2e-7)
    np.testing.assert_allclose(cosine, np.cos(np.pi * turns), atol=2e-7)


def test_exponents_of_what_has_none():
    x = np.array([0.0, np.inf, np.nan])
    assert call(libdevice.logb, x).tolist() == pytest.approx([-np.inf, np.inf, np.nan], nan_ok=True)
    assert call(libdevice.ilogb, x).tolist() == [-(2**31), 2**31 - 1, -(2**31)]


# -- float16 ----------------------------------------------------------------------------------------------------------

ONE, TWO, NAN = np.float16(1), np.float16(2), np.float16(np.nan)
HALF = {
    "hadd": ((ONE, TWO), 3), "hsub": ((ONE, TWO), -1), "hmul": ((TWO, TWO), 4), "hdiv": ((ONE, TWO), 0.5),
    "hfma": ((TWO, TWO, ONE), 5), "habs": ((-ONE,), 1), "hneg": ((ONE,), -1), "hmax": ((NAN, ONE), 1),
    "hmin": ((ONE, TWO), 1), "heq": ((NAN, NAN), False), "hne": ((NAN, NAN), True), "hsqrt": ((np.float16(4),), 2),
    "hrsqrt": ((np.float16(4),), 0.5), "hexp10": ((TWO,), 100), "hrcp": ((TWO,), 0.5), "hrint": ((np.float16(2.5),), 2),
    "__hadd_sat": ((ONE, TWO), 1), "__hsub_sat": ((ONE, TWO), 0), "__hmul_sat": ((NAN, ONE), 0),
    "__hfma_relu": ((-ONE, TWO, ONE), 0), "__hequ": ((NAN, ONE), True), "__hltu": ((TWO, ONE), False),
    "__hisinf": ((np.float16(-np.inf),), -1), "__hisnan": ((NAN,), True), "__hadd_rn": ((ONE, ONE), 2),
    "__half2int_rd": ((np.float16(-1.5),), -2), "__int2half_rn": ((INT(7),), 7), "__float2half": ((np.float32(3),), 3),
    "__int2half_rz": ((INT(10**6),), 65504), "__float2half_ru": ((np.float32(1.0001),), 1 + 2.0**-10),
    "__half_as_ushort": ((ONE,), 0x3C00), "__short_as_half": ((np.int16(0x4000),), 2),
    "__half2uchar_rz": ((np.float16(200.9),), 200), "__half2float": ((TWO,), 2),
}  # fmt: skip


@pytest.mark.parametrize("name", HALF)
def test_half_precision(name):
    values, expected = HALF[name]
    found = call(getattr(cuda.fp16, name), *values)
    assert found == pytest.approx(expected)


def test_half_maxima_that_keep_nan():
    assert np.isnan(call(cuda.fp16.__dict__["__hmax_nan"], NAN, ONE))
    assert np.isnan(call(cuda.fp16.__dict__["__hfma_relu"], NAN, ONE, ONE))


@settings(max_examples=200, deadline=None)
@given(lanes("float16", 9), lanes("float16", 9), lanes("float16", 9))
def test_half_arithmetic_rounds_once(a, b, c):
    fused = call(cuda.fp16.hfma, a, b, c)
    for x, y, z, found in zip(a.tolist(), b.tolist(), c.tolist(), fused, strict=True):
        if all(map(math.isfinite, (x, y, z))):
            exact = Fraction(x) * Fraction(y) + Fraction(z)
            gap = abs(Fraction(float(found)) - exact) if np.isfinite(found) else None
            for direction in (-np.inf, np.inf):
                other = np.nextafter(found, np.float16(direction))
                assert gap is None or not np.isfinite(other) or abs(Fraction(float(other)) - exact) >= gap


# -- completeness -----------------------------------------------------------------------------------------------------

ELSEWHERE = {  # what reads other lanes or memory, or makes no number: not arithmetic
    "activemask", "lanemask_lt", "match_all_sync", "match_any_sync", "atomicAdd", "range", "slice", "print",
    "nanosleep",
    "__shfl_sync", "__shfl_up_sync", "__shfl_down_sync", "__shfl_xor_sync", "__ldca", "__ldcg", "__ldcs", "__ldcv",
    "__ldg", "__ldlu", "__stcg", "__stcs", "__stwb", "__stwt", "threadfence", "threadfence_block", "threadfence_system",
}  # fmt: skip
REFUSED = {"jn", "jnf", "yn", "ynf"}
UNCOMPILED = {("ffs", bits) for bits in (8, 16)}  # Numba types them and cannot compile them


def typed_signatures():
    """Every function that Numba's CUDA target types by cases, with each case in which all is a number."""
    for name in ("cudamath", "cudadecl", "libdevicedecl", "fp16", "typing.builtins", "typing.cmathdecl"):
        module = importlib.import_module(f"{cuda.__name__}.{name}")
        registry = module.typing_registry if name == "fp16" else module.registry
        found = [(getattr(template, "key", None), [template]) for template in registry.functions]
        found += [(key, kind.templates) for key, kind in registry.globals if isinstance(kind, types.Function)]
        for key, templates in found:
            for template in templates:
                for signature in getattr(template, "cases", ()):
                    kinds = (
                        *signature.args,
                        *getattr(signature.return_type, "types", (signature.return_type,)),
                    )
                    if signature.args and all(arithmetic.dtype_of(kind) is not None for kind in kinds):
                        yield key, signature


def test_every_number_function_that_numba_types_has_a_meaning():
    missing, count = set(), 0
    for function, signature in typed_signatures():
        name = getattr(function, "__name__", str(function))
        width = getattr(signature.args[0], "bitwidth", None)
        if name in ELSEWHERE or (name, width) in UNCOMPILED:
            continue
        meaning = arithmetic.find(function, signature)
        if meaning is None:
            missing.add(name)
            continue
        count += 1
        for shape in ((3,), (0,), ()):
            values = [np.ones(shape, arithmetic.dtype_of(kind))[()] for kind in signature.args]
            with np.errstate(all="ignore"):
                check_types(meaning.compute(*values), signature.return_type, shape)
    assert missing == REFUSED
    assert count > 1000
