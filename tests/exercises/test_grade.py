"""Grading: what passes, what does not, and what is said about it."""

import dataclasses
import math
import sys

import numpy as np
import pytest
import torch

from workbench.exercises import Budget, Exercise, find, grade, prove
from workbench.exercises.attempt import attempt

ADD = find("start.bytes_of_add")


def double(x):
    """Twice x."""
    return x * 2


def _adds_two(x):
    """Twice x is x + x, not x + 2."""
    return x + 2


def _twice_by_parts(x):
    """One multiplication does it."""
    return x + x


def _calls(answer, x, functions=(torch.Tensor.add, torch.Tensor.__add__, torch.Tensor.__radd__)):
    """Counts how often the tensor is used in an operation, by subclass."""
    count = 0

    class Counting(torch.Tensor):
        @classmethod
        def __torch_function__(cls, function, types, args=(), kwargs=None):
            nonlocal count
            count += function in functions
            return super().__torch_function__(function, types, args, kwargs or {})

    answer(x.as_subclass(Counting))
    return count


def _multiplies(answer, x):
    return _calls(answer, x, (torch.Tensor.mul, torch.Tensor.__mul__))


DOUBLE = Exercise(
    name="local.double",
    lesson="local",
    title="Double",
    statement="Twice x.",
    signature="double(x)",
    solution=double,
    wrong={"adds instead of multiplying": _adds_two, "uses an addition": _twice_by_parts},
    inputs=lambda rng: {
        "small": (torch.from_numpy(rng.standard_normal(3)),),
        "ragged": (torch.from_numpy(rng.standard_normal((2, 5))),),
        "empty": (torch.zeros(0, 2),),
    },
    hints=("a", "b", "c"),
    budgets={"no additions": Budget(_calls, lambda x: 0, "additions")},
)


def bytes_of_add_stub(rows, columns, bytes_per_number): ...


def raises_not_implemented(rows, columns, bytes_per_number):
    raise NotImplementedError


@pytest.mark.parametrize(
    "answer",
    [
        None,
        ...,
        NotImplemented,
        bytes_of_add_stub,
        raises_not_implemented,
        lambda *_: ...,
        lambda *_: NotImplemented,
    ],
)
def test_an_untouched_stub_is_not_attempted(answer):
    result = grade(ADD, answer)
    assert result.status == "not attempted"
    assert not result.right


def test_a_local_exercise_with_a_budget_is_sound():
    prove(DOUBLE)
    result = grade(DOUBLE, _twice_by_parts)
    assert "takes 1 additions where 0 suffice (budget: no additions)" in result.message


def test_reports_the_smallest_failing_input_and_names_the_misconception():
    result = grade(ADD, lambda rows, columns, bytes_per_number: 2 * rows * columns * bytes_per_number)
    assert result.status == "wrong"
    assert result.misconception == "forgets the write"
    assert "written" in result.explanation
    assert result.counterexample.inputs == "rows=1, columns=1, bytes_per_number=4"
    assert (result.counterexample.expected, result.counterexample.got) == ("12", "8")


def test_a_mistake_nobody_has_named_gets_no_name():
    result = grade(ADD, lambda rows, columns, bytes_per_number: 17)
    assert (result.status, result.misconception) == ("wrong", None)


def test_a_mistake_on_one_kind_of_input_alone_is_found():
    def wrong_when_empty(rows, columns, bytes_per_number):
        return 3 * max(rows, 1) * columns * bytes_per_number

    result = grade(ADD, wrong_when_empty)
    assert result.status == "wrong"
    assert result.counterexample.label == "empty"


def test_an_answer_fitted_to_one_draw_fails():
    known = {case.inputs: ADD.solution(*case.inputs) for case in ADD.cases(seed=0)}
    assert grade(ADD, lambda *inputs: known[inputs], seed=0).right
    assert grade(ADD, lambda *inputs: known[inputs], seed=1).status == "wrong"


def test_the_readers_exception_is_shown_with_the_line_it_came_from():
    def broken(rows, columns, bytes_per_number):
        helper = [1]
        return helper[rows]  # the line to show

    result = grade(ADD, broken)
    assert result.status == "wrong"
    assert "IndexError" in result.message
    assert "return helper[rows]  # the line to show" in result.counterexample.got
    assert __file__ not in repr(result)


def test_an_exception_that_a_named_mistake_raises_too_is_named():
    intensity = find("start.intensity")

    def divides(rows, inner, columns, bytes_per_number):
        moved = (rows * inner + inner * columns + rows * columns) * bytes_per_number
        return rows * inner * columns * 2 / moved

    assert grade(intensity, divides).misconception == "fails on the empty case"


@pytest.mark.parametrize("answer", [lambda rows: rows, lambda a, b, c, d: a])
def test_a_function_that_takes_other_arguments_is_told_the_signature(answer):
    result = grade(ADD, answer)
    assert result.status == "wrong"
    assert "bytes_of_add(rows, columns, bytes_per_number)" in result.message


@pytest.mark.parametrize("answer", [12, "text", [1]])
def test_something_that_is_no_function_is_refused_in_words(answer):
    result = grade(ADD, answer)
    assert result.status == "wrong"
    assert "Expected a function" in result.message


def test_a_changed_argument_is_noticed_although_the_result_is_right():
    result = grade(DOUBLE, lambda x: x.mul_(2))
    assert result.status == "wrong"
    assert "changes its argument `x`" in result.message
    assert result.message.endswith(
        "Input (small): x=float64 Tensor of shape (3,): [0.12573, -0.132105, 0.640423]"
    )
    assert result.counterexample is None  # what is expected and what it got are the same


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda x: (x * 2).float(), "float64"),
        (lambda x: (x * 2).reshape(-1), "shape"),
        (lambda x: (x * 2).numpy(), "ndarray"),
        (lambda x: x * 2 if x.ndim == 1 else None, "nothing"),
        (lambda x: torch.full_like(x, math.nan), "differ"),
    ],
)
def test_wrong_type_shape_or_value_is_said(answer, said):
    result = grade(DOUBLE, answer)
    assert result.status == "wrong"
    assert said in result.message


def test_an_object_that_cannot_be_compared_is_wrong_not_a_crash():
    class Hostile:
        shape = property(lambda self: 1 / 0)

    result = grade(dataclasses.replace(DOUBLE, budgets={}), lambda x: Hostile())
    assert result.status == "wrong"


def test_a_call_of_exit_is_the_answers_error():
    result = grade(ADD, lambda rows, columns, bytes_per_number: sys.exit())
    assert "raises SystemExit" in result.message


def test_an_interrupt_is_not_caught():
    def endless(rows, columns, bytes_per_number):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        grade(ADD, endless)


def test_warnings_of_the_reader_do_not_reach_stderr(recwarn):
    def warns(rows, columns, bytes_per_number):
        np.float64(1) / np.float64(0)
        return 3 * rows * columns * bytes_per_number

    assert grade(ADD, warns).right
    assert not recwarn.list


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"solution": _adds_two}, "the solution does not pass|passes|is taken for"),
        ({"wrong": {"is right": double}}, "'is right' passes"),
        ({"wrong": {"one": _adds_two, "other": lambda x: x + 2}}, "'other' is taken for 'one'"),
        ({"wrong": {"silent": lambda x: x - 1}}, "'silent' has no docstring"),
    ],
)
def test_the_proof_refuses_an_unsound_exercise(changes, said):
    with pytest.raises(AssertionError, match=said):
        prove(dataclasses.replace(DOUBLE, **changes))


def _last_entry(answer, x, place):
    """How `ENTRY` runs an answer: it is a function of x alone, and the place is looked up afterwards."""
    changed = answer(x)
    return None if changed is None else changed[place]


def entry(x):
    return x + 1


def _unchanged(x):
    """One is to be added."""
    return x


ENTRY = Exercise(
    name="local.entry",
    lesson="local",
    title="Entry",
    statement="Add one.",
    signature="entry(x)",
    solution=entry,
    wrong={"does nothing": _unchanged},
    inputs=lambda rng: {
        "small": (torch.from_numpy(rng.standard_normal(1)), 0),
        "ragged": (torch.from_numpy(rng.standard_normal(5)), 3),
        "extreme": (torch.full((2,), 1e9), 1),
    },
    hints=("a", "b", "c"),
    run=_last_entry,
)


def test_an_exercise_may_run_answers_in_its_own_way():
    prove(ENTRY)
    result = grade(ENTRY, lambda x: x + 2)
    assert result.counterexample.inputs.startswith("x=")
    assert "place" not in result.counterexample.inputs
    assert "entry(x)" in grade(ENTRY, lambda x, place: x[place] + 1).message


def test_words_of_a_function_that_is_not_implemented_are_kept():
    def later(rows, columns, bytes_per_number):
        raise NotImplementedError("later, perhaps")

    assert grade(ADD, later).message == "later, perhaps"


def test_budgets_with_one_measure_share_one_measurement():
    measured = []

    def measure(answer, x):
        measured.append(1)
        return {"calls": 3, "bytes": 5}

    shared = {
        name: Budget(measure, lambda x, most=most: most, name, lambda spent, name=name: spent[name])
        for name, most in (("calls", 3), ("bytes", 4))
    }
    sharing = dataclasses.replace(DOUBLE, budgets=shared)
    case = sharing.cases()[-1]
    outcome = attempt(sharing, double, case, double(*case.inputs))
    assert outcome.overspent == {"bytes": 5}
    assert len(measured) == 1
    assert "takes 5 bytes where 4 suffice (budget: bytes)" in grade(sharing, double).message


def test_where_nothing_may_be_spent_any_amount_is_the_same_mistake():
    assert grade(DOUBLE, lambda x: x + x + (x + x) * 0).misconception == "uses an addition"


def _adds_in_turn(x):
    """Two additions are enough."""
    return (x + x) + (x + x) * 0 + (x + x) * 0


def test_overspending_has_a_name_if_it_breaks_the_same_budgets_about_as_far():
    few = Budget(_calls, lambda x: 2, "additions")
    patient = dataclasses.replace(
        DOUBLE, wrong={"adds in turn": _adds_in_turn}, budgets={"few additions": few}
    )
    prove(patient)
    assert grade(patient, lambda x: x + x + x * 0 + x * 0 + x * 0).misconception == "adds in turn"
    assert grade(patient, lambda x: sum((x * 0 for _ in range(30)), x + x)).misconception is None
    other = dataclasses.replace(
        patient, budgets={"one": few, "none": Budget(_multiplies, lambda x: 0, "products")}
    )
    assert grade(other, lambda x: sum((x - x for _ in range(4)), x + x)).misconception is None


def test_of_two_names_the_one_counts_that_spends_the_very_same():
    more = {"uses an addition": _twice_by_parts, "adds in turn": _adds_in_turn}
    prove(dataclasses.replace(DOUBLE, wrong=more))


def test_a_wrong_result_is_not_measured():
    def measure(answer, x):
        raise AssertionError("measured")

    spoiled = dataclasses.replace(DOUBLE, budgets={"none": Budget(measure, lambda x: 0, "calls")})
    case = spoiled.cases()[-1]
    assert attempt(spoiled, lambda x: x * 3, case, double(*case.inputs)).error is None
    assert isinstance(attempt(spoiled, double, case, double(*case.inputs)).error, AssertionError)


class SomeNotImplemented(NotImplementedError):
    """Such as the simulated GPU raises for code that it cannot run."""


def test_only_who_says_it_in_these_words_has_not_attempted_it():
    def unsupported(rows, columns, bytes_per_number):
        raise SomeNotImplemented("slices")

    result = grade(ADD, unsupported)
    assert result.status == "wrong"
    assert "slices" in result.counterexample.got


def test_a_difference_in_the_last_digits_is_in_the_message_and_not_in_two_like_lines():
    exact = dataclasses.replace(DOUBLE, tolerance=1e-12)
    result = grade(exact, lambda x: (x.float() * 2).to(x.dtype))
    assert "at [0]: expected 0.25146044, got 0.25146043 (3 of 3 values differ)" in result.message
    assert "Input (small): x=" in result.message
    assert result.counterexample is None


def test_each_part_of_a_tuple_is_shown():
    pair = dataclasses.replace(DOUBLE, solution=_pair, wrong={"forgets the square": _one}, budgets={})
    result = grade(pair, lambda x: (2 * x, x))
    assert "value 1, at [0]: " in result.message
    expected, got = result.counterexample.expected, result.counterexample.got
    assert expected.count("float64 Tensor of shape") == got.count("float64 Tensor of shape") == 2
    assert expected.split("Tensor")[2] != got.split("Tensor")[2]


def _pair(x):
    return 2 * x, x * x


def _one(x):
    """Both are wanted."""
    return (2 * x,)


def _needs_offset(x, offset):
    """It may be None."""
    return x - offset


MAYBE = dataclasses.replace(
    DOUBLE,
    signature="double(x, offset)",
    solution=lambda x, offset: x if offset is None else x - offset,
    wrong={"expects an offset": _needs_offset},
    inputs=lambda rng: {
        "small": (float(rng.normal()), None),
        "ragged": (rng.standard_normal((2, 5)), 1.0),
        "empty": (np.zeros(0), 1.0),
    },
    budgets={},
)


@pytest.mark.parametrize(
    "answer",
    [
        lambda x, offset: -offset + x,
        lambda x, offset: x - offset.real,
        lambda x, offset: x - float(offset),
    ],
)
def test_what_meets_a_none_is_one_mistake_in_whatever_words(answer):
    assert grade(MAYBE, answer).misconception == "expects an offset"


def test_an_error_of_another_cause_gets_no_name():
    assert grade(MAYBE, lambda x, offset: x - (offset or "0")).misconception is None
