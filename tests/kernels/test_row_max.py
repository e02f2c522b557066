"""The largest number of a row, by integers in the order of floats."""

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.row_max import row_max

inf = float("inf")


@numba.njit
def compiled(row):
    return row_max(row)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@settings(max_examples=200, deadline=None)
@given(numbers=st.lists(st.floats(width=32, allow_nan=False), max_size=40))
def test_is_the_largest(dtype, numbers):
    row = np.array(numbers, dtype)
    assert compiled(row) == row_max(row) == max([-inf, *row])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "numbers",
    [
        [],
        [-inf, -inf],
        [-1e-45, -1e-40],
        [-3e38, -inf],
        [5e-324, 0.0],
        [inf, 1.0],
        [-0.0],
        [-2.0, -1.0, -1.5],
    ],
    ids=str,
)
def test_at_the_ends_of_the_range(dtype, numbers):
    row = np.array(numbers, dtype)
    assert compiled(row) == max([-inf, *row])


def test_nan_is_beyond_both_infinities():
    nan = np.float32("nan")
    assert np.isnan(compiled(np.array([1, nan, inf], np.float32)))
    assert compiled(np.array([1, np.copysign(nan, -1), -inf], np.float32)) == 1


def test_the_loop_is_vectorized():
    """One maximum of whole vectors, or the twins that use it would be many times slower."""
    compiled(np.ones(4, np.float32))
    (text,) = (code for kinds, code in compiled.inspect_llvm().items() if "float32" in str(kinds))
    assert any("x i32>" in line and ("smax" in line or "icmp sgt" in line) for line in text.splitlines())
