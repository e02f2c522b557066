"""Results are compared by type, shape, dtype and value, and the difference is said in words."""

import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from workbench.exercises.compare import brief, difference


class Stubborn:
    """An object that knows only who it is."""


@pytest.mark.parametrize(
    ("expected", "got"),
    [
        (3, 3),
        (3, 3.0),
        (3, np.int64(3)),
        (0.1 + 0.2, 0.3),
        (0.5, torch.tensor(0.5)),
        (float("nan"), float("nan")),
        (float("inf"), np.inf),
        (True, np.bool_(True)),
        ((1, 2.0), [1, 2.0]),
        ({"a": 1}, {"a": 1}),
        ("memory", "memory"),
        (torch.tensor([1.0, float("nan")]), torch.tensor([1.0, float("nan")])),
        (torch.zeros(0, 3), torch.zeros(0, 3)),
        (torch.ones(2, dtype=torch.bfloat16), torch.ones(2, dtype=torch.bfloat16)),
        (torch.nn.Identity(), torch.nn.Identity()),
        (Stubborn(), Stubborn()),
    ],
)
def test_same(expected, got):
    assert difference(expected, got) is None


@pytest.mark.parametrize(
    ("expected", "got", "said"),
    [
        (3, 4, "values differ"),
        (10**18, 10**18 + 1, "values differ"),
        (1.0, 10**400, "values differ"),
        (3, None, r"nothing \(None\)"),
        (3, "3", "expected a number, got str"),
        (True, 1, "True or False"),
        (1, True, "expected a number, got bool"),
        (3, np.zeros(2), r"float64 ndarray of shape \(2,\)"),
        ((1, 2), 3, "expected 2 values"),
        ((1, 2), (1, 2, 3), "expected 2 values, got 3"),
        ((1, 2), (1, 3), "value 1: the values differ"),
        ({"a": 1}, {"b": 1}, "dictionary with 'a'"),
        ({"a": 1}, {"a": 2}, "'a': the values differ"),
        ("memory", "arithmetic", "values differ"),
        ("memory", 3, "expected str, got int"),
        (torch.zeros(2, 3), torch.zeros(3, 2), r"shape \(2, 3\), got float32 Tensor of shape \(3, 2\)"),
        (torch.zeros(2), torch.zeros(2).double(), "got float64 Tensor"),
        (torch.zeros(2), np.zeros(2, np.float32), "got float32 ndarray"),
        (torch.zeros(3), torch.tensor([0.0, 1.0, 0.0]), "1 of 3 values differ"),
        (torch.tensor([1, 2]), torch.tensor([1, 3]), "values differ"),
        (torch.nn.Linear(2, 2), torch.nn.Linear(2, 2), "'weight': 4 of 4"),
    ],
)
def test_different(expected, got, said):
    assert re.search(said, difference(expected, got) or "the same")


@given(
    hnp.arrays(
        np.float64, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0), elements=st.floats(-1e6, 1e6)
    ),
    st.floats(0.01, 10),
)
def test_an_array_equals_itself_and_no_shifted_one(array, shift):
    assert difference(array, array.copy()) is None
    shifted = array + shift * (1 + np.abs(array).max(initial=0.0))
    assert (difference(array, shifted) is None) == (array.size == 0)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (12, "12"),
        (1 / 3, "0.333333"),
        (torch.tensor(2.5), "2.5"),
        (np.float32(0.5), "0.5"),
        ((8, 2.0), "(8, 2)"),
        ([], "[]"),
        (torch.arange(8.0).reshape(2, 4), "float32 Tensor of shape (2, 4): [0, 1, 2, 3, 4, 5, …]"),
        (torch.zeros(0, 2), "float32 Tensor of shape (0, 2): []"),
        (Stubborn(), "Stubborn"),
        (brief, "the function brief"),
        ("x" * 500, "'" + "x" * 118 + "…"),
    ],
)
def test_brief_is_one_short_line_without_an_address(value, text):
    assert brief(value) == text
