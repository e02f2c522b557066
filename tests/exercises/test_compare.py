"""Results are compared by type, shape, dtype and value, and the difference is said in words."""

import functools
import math
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
        (torch.ones(2), torch.nn.Parameter(torch.ones(2))),
        ((8, 2), np.array([8, 2])),
        ((8, 2.0), torch.tensor([8.0, 2.0])),
        (Stubborn(), Stubborn()),
    ],
)
def test_same(expected, got):
    assert difference(expected, got) is None


@pytest.mark.parametrize(
    ("expected", "got", "said"),
    [
        (3, 4, "expected 3, got 4"),
        (10**18, 10**18 + 1, "expected 10{18}, got 10{17}1"),
        (1.0, 10**400, "expected 1, got 10{39}$"),
        (3, None, r"nothing \(None\)"),
        (3, "3", "expected a number, got str"),
        (10**400, 10**400 + 1, "the values differ"),
        (0.1, 0.1 + 1e-9, r"expected 0.1, got 0.100000001$"),
        (True, False, "expected True, got False"),
        (True, 1, "True or False"),
        (1, True, "expected a number, got bool"),
        (3, np.zeros(2), r"float64 ndarray of shape \(2,\)"),
        ((1, 2), 3, "expected 2 values"),
        ((1, 2), (1, 2, 3), "expected 2 values, got 3"),
        ((1, 2), (1, 3), "value 1: expected 2, got 3"),
        ((1, 2), np.zeros(3), "expected 2 values, got 3"),
        ((torch.zeros(1), 2), np.zeros(2), "expected 2 values, got float64 ndarray"),
        ((1,), (2,), "value 0: expected 1, got 2"),
        ({"a": 1}, {"b": 1}, "dictionary with 'a'"),
        ({"a": 1}, {"a": 2}, "'a': expected 1, got 2"),
        ("memory", "arithmetic", "values differ"),
        ("memory", 3, "expected str, got int"),
        (torch.zeros(2, 3), torch.zeros(3, 2), r"shape \(2, 3\), got float32 Tensor of shape \(3, 2\)"),
        (torch.zeros(2), torch.zeros(2).double(), "got float64 Tensor"),
        (torch.zeros(2), np.zeros(2, np.float32), "got float32 ndarray"),
        (
            torch.zeros(3),
            torch.tensor([0.0, 1.0, 0.0]),
            r"^at \[1\]: expected 0, got 1 \(1 of 3 values differ\)$",
        ),
        (torch.zeros(2, 3), torch.eye(2, 3), r"at \[0, 0\]: expected 0, got 1 \(2 of 6"),
        (torch.zeros(1), torch.ones(1), "^expected 0, got 1$"),
        (torch.zeros(2), torch.full((2,), math.nan), "expected 0, got nan"),
        (torch.ones(2).double(), torch.ones(2).double() * (1 + 1e-9), "expected 1, got 1.000000001"),
        (torch.ones(2).bfloat16(), torch.ones(2).bfloat16() * 2, "expected 1, got 2"),
        (
            (torch.zeros(2), torch.zeros(2)),
            (torch.zeros(2), torch.ones(2)),
            r"^value 1, at \[0\]: expected 0",
        ),
        (torch.tensor([True, True]), torch.tensor([True, False]), r"at \[1\]: expected True, got False"),
        (torch.tensor([1, 2]), torch.tensor([1, 3]), "expected 2, got 3"),
        (torch.nn.Linear(2, 2), torch.nn.Linear(2, 2), r"'weight', at \[0, 0\]: .*4 of 4"),
    ],
)
def test_different(expected, got, said):
    found = difference(expected, got, 1e-12) or "the same"
    assert re.search(said, found)


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
        (("sum",), "('sum',)"),
        ({"a": torch.zeros(2)}, "{'a': float32 Tensor of shape (2,): [0, 0]}"),
        ((one for one in ()), "<generator object <genexpr>>"),
        (["x", Stubborn()], "['x', Stubborn]"),
        (functools.partial(brief, limit=3), "functools.partial(<function brief>, limit=3)"),
        (torch.nn.Sequential(torch.nn.ReLU()), "Sequential( (0): ReLU() )"),
        (torch.full((2,), 1 + 2j), "complex64 Tensor of shape (2,): [1+2j, 1+2j]"),
    ],
)
def test_brief_is_one_short_line_without_an_address(value, text):
    assert brief(value) == text


def test_a_tuple_that_is_too_long_keeps_something_of_each_part():
    text = brief((torch.zeros(3, 4), torch.ones(40, 4), torch.full((2, 2), 0.5)), 180)
    assert len(text) <= 180
    assert "(3, 4): [0, 0, 0, 0, 0, 0, …]" in text
    assert "(40, 4): [1, 1, " in text
    assert "(2, 2): [0.5, 0.5, 0.5, 0.5]" in text


def test_many_parts_are_cut_off_at_the_end():
    text = brief(list(range(1000)))
    assert text.startswith("[0, 1, 2, ")
    assert text.endswith("…")
    assert len(text) == 120
