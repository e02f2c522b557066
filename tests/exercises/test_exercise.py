"""The exercise format: what it refuses, and that its inputs are drawn as promised."""

import dataclasses

import numpy as np
import pytest

from workbench.exercises import Exercise, Question, find
from workbench.exercises.exercise import size

ADD = find("start.bytes_of_add")
ASK = find("start.which_limit")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"name": "no dot"}, "name"),
        ({"signature": "other(x)"}, "signature"),
        ({"hints": ("one",)}, "hints"),
        ({"wrong": {}}, "wrong"),
        ({"points": 0}, "points"),
        ({"again": find("fusion.gate")}, "again"),
    ],
)
def test_refuses_a_field_that_does_not_fit(changes, named):
    assert isinstance(ADD, Exercise)
    with pytest.raises(ValueError, match=f"^{named}:"):
        dataclasses.replace(ADD, **changes)


@pytest.mark.parametrize(
    "labels",
    [("one", "two", "three"), ("ragged", "empty"), ("one", "empty", "extreme"), ("one", "two", "ragged")],
)
def test_refuses_inputs_without_the_needed_kinds(labels):
    poor = dataclasses.replace(ADD, inputs=lambda rng: dict.fromkeys(labels, (1, 1, 1)))
    with pytest.raises(ValueError, match=r"^inputs: .*ragged"):
        poor.cases()


def test_cases_are_random_reproducible_and_sorted():
    assert [case.inputs for case in ADD.cases(3)] == [case.inputs for case in ADD.cases(3)]
    assert [case.inputs for case in ADD.cases(3)] != [case.inputs for case in ADD.cases(4)]
    sizes = [size(case.inputs) for case in ADD.cases()]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"answer": "z"}, "answer"),
        ({"why": {"a": "because"}}, "why"),
        ({"options": {"b": "only"}}, "answer|why"),
    ],
)
def test_refuses_a_question_that_does_not_fit(changes, named):
    assert isinstance(ASK, Question)
    with pytest.raises(ValueError, match=f"^({named}):"):
        dataclasses.replace(ASK, **changes)


def test_size_orders_inputs_by_how_hard_they_are_to_follow():
    assert size((1, 1)) < size((2, 1)) < size((float("inf"), 1))
    assert size((np.zeros((2, 3)),)) < size((np.zeros((4, 3)),)) < size((np.zeros((4, 3)), [1.0, 2.0]))
    assert size({"a": 3}) == 3
    assert size("text") == 0
