"""How exact the vectorizing functions are, over the whole range of float32."""

import math

import numba
import numpy as np
import pytest
import torch
from numba import prange

from kernels import fastmath
from kernels.twin import twin


@twin
def exp_loop(x, out):
    for row in prange(x.shape[0]):
        for column in range(x.shape[1]):
            out[row, column] = fastmath.exp(x[row, column])


@twin
def erf_loop(x, out):
    for row in prange(x.shape[0]):
        for column in range(x.shape[1]):
            out[row, column] = fastmath.erf(x[row, column])


@twin
def tanh_loop(x, out):
    for row in prange(x.shape[0]):
        for column in range(x.shape[1]):
            out[row, column] = fastmath.tanh(x[row, column])


@twin
def normal_cdf_loop(x, out):
    for row in prange(x.shape[0]):
        for column in range(x.shape[1]):
            out[row, column] = fastmath.normal_cdf(x[row, column])


LOOPS = {"exp": exp_loop, "erf": erf_loop, "tanh": tanh_loop, "normal_cdf": normal_cdf_loop}
EXACT = {
    "exp": torch.exp,
    "erf": torch.erf,
    "tanh": torch.tanh,
    "normal_cdf": lambda x: torch.erfc(-x * math.sqrt(0.5)) / 2,
}


def run(name, x):
    out = torch.empty_like(x)
    LOOPS[name](x[None], out[None])
    return out


def sample(low, high):
    """Evenly spaced numbers, and as many per octave down to the smallest denormal, of both signs."""
    even = torch.linspace(low, high, 400_001, dtype=torch.float64)
    octaves = torch.logspace(-45, math.log10(max(-low, high)), 200_001, dtype=torch.float64)
    x = torch.cat([even, octaves, -octaves]).float()
    return x[(x >= low) & (x <= high)]


def ulps(found, exact):
    """The error in units of the last place of the float32 nearest to the exact value."""
    spacing = np.spacing(np.abs(exact.float().numpy())).astype(np.float64)
    return (found.double() - exact).abs() / torch.from_numpy(spacing)


@pytest.mark.parametrize(
    ("name", "low", "high", "largest"),
    [("exp", -104, 88.72, 2.5), ("erf", -6, 6, 3.5), ("tanh", -12, 12, 2.5)],
)
def test_error_in_units_of_the_last_place(name, low, high, largest):
    x = sample(low, high)
    assert ulps(run(name, x), EXACT[name](x.double())).max() <= largest


def test_error_of_the_normal_distribution():
    x = sample(-40, 40)
    error = (run("normal_cdf", x).double() - EXACT["normal_cdf"](x.double())).abs()
    assert error.max() <= 3e-7
    assert (error * x.abs()).max() <= 3e-7  # what it adds to GELU


def test_gelu_is_more_exact_than_torchs():
    x = sample(-8, 8)
    exact = torch.nn.functional.gelu(x.double())
    assert ((x * run("normal_cdf", x)) - exact).abs().max() < (
        torch.nn.functional.gelu(x) - exact
    ).abs().max()


@pytest.mark.parametrize("name", LOOPS)
def test_special_values(name):
    x = torch.tensor([0.0, -0.0, 1e-45, -1e-39, 1e38, -1e38, math.inf, -math.inf, math.nan, 200.0, -200.0])
    found, exact = run(name, x), EXACT[name](x.double()).float()
    torch.testing.assert_close(found, exact, rtol=1e-6, atol=1e-45, equal_nan=True)
    if name in ("erf", "tanh"):
        assert torch.equal(torch.signbit(found[:2]), torch.tensor([False, True]))  # the sign of zero


@pytest.mark.parametrize("name", LOOPS)
def test_float64_is_the_c_librarys(name):
    x = torch.linspace(-9, 9, 1001, dtype=torch.float64)
    torch.testing.assert_close(run(name, x), EXACT[name](x), rtol=1e-13, atol=0)


@pytest.mark.parametrize("name", LOOPS)
def test_python_meaning(name):
    for x in (-3.0, -0.2, 0.0, 0.7, 2.5):
        exact = EXACT[name](torch.tensor(x, dtype=torch.float64)).item()
        assert getattr(fastmath, name)(x) == pytest.approx(exact, rel=1e-14)


@pytest.mark.parametrize("name", LOOPS)
def test_the_loop_is_vectorized(name):
    """LLVM turned the loop into packed arithmetic, with no call per element."""
    if torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512"):
        pytest.skip("the instruction names are those of x86 with AVX")
    fresh = numba.njit(error_model="numpy")(LOOPS[name].serial.py_func)  # one that no cache has compiled
    fresh(np.zeros((1, 64), np.float32), np.zeros((1, 64), np.float32))
    (assembly,) = fresh.inspect_asm().values()
    assert "vfmadd213ps" in assembly
    assert not any(f"{name}f" in line for line in assembly.splitlines() if "call" in line)
