"""A claim shows a line, and fails a run when it is false."""

import math

import numpy as np
import pytest
import torch

from workbench.learn import ClaimFailed, claim

TRUE = [
    (1, "<", 2),
    (2, "<=", 2),
    (2.0, "==", 2),
    (2, ">=", 2),
    (3, ">", 2),
    (4.1, "~", 4),
    (0.0, "~", 0),
    (-4.1, "~", -4),
    (3, "in", {1, 3}),
    (3, "in", range(1, 4)),
    (3.5, "in", (3, 4)),
    ("memory", "==", "memory"),
    ("memory", "in", ["memory", "arithmetic"]),
    (torch.tensor(3.0), ">", torch.tensor([2])),
    (np.float32(0.5), "<", np.int64(1)),
    (np.array([[7]]), "==", 7),
    (math.inf, ">", 1e300),
    (True, "==", True),
]
FALSE = [
    (2, "<", 2),
    (3, "<=", 2),
    (2.0000001, "==", 2),
    (1, ">=", 2),
    (2, ">", 2),
    (4.3, "~", 4),
    (math.inf, "~", 4),
    (2, "in", {1, 3}),
    (4, "in", range(1, 4)),
    (4.5, "in", (3, 4)),
    ("arithmetic", "==", "memory"),
    *[
        (math.nan, relation, bound)
        for relation, bound in [("<", 1), (">", 1), ("~", 1), ("==", 1), ("in", (0, 1))]
    ],
    (math.nan, "in", {math.nan}),
    (torch.tensor(math.nan), "==", math.nan),
]


@pytest.mark.parametrize(("value", "relation", "bound"), TRUE)
def test_a_true_claim_shows_a_green_line(value, relation, bound, shown):
    claim("it is so", value, relation, bound)
    (line,) = shown
    assert repr(line).startswith("✓ it is so: holds")
    assert "✓" in line._repr_html_()


@pytest.mark.parametrize(("value", "relation", "bound"), FALSE)
def test_a_false_claim_shows_a_red_line_and_fails_the_run(value, relation, bound, shown):
    with pytest.raises(ClaimFailed, match="it is so"):
        claim("it is so", value, relation, bound)
    (line,) = shown
    assert repr(line).startswith("✗ it is so: does not hold")
    assert "does not hold" in line._repr_html_()


def test_a_person_reads_on_after_a_false_claim(person, shown):
    claim("it is so", 1, ">", 2)
    assert "does not hold" in repr(shown[0])


def test_a_grader_started_from_a_notebook_still_fails(person, grader, shown):
    with pytest.raises(AssertionError):
        claim("it is so", 1, ">", 2)


@pytest.mark.parametrize(
    ("arguments", "error", "named"),
    [
        ((1, "=>", 2), ValueError, "relation"),
        ((1, "", 2), ValueError, "relation"),
        ((torch.zeros(2), ">", 1), TypeError, "value"),
        ((None, ">", 1), TypeError, "value"),
        ((1j, "==", 1), TypeError, "value"),
        ((1, ">", "two"), ValueError, "bound"),
        (("two", ">", 1), ValueError, "bound"),
        ((1, ">", None), ValueError, "bound"),
        ((1, "in", 3), ValueError, "bound"),
        ((1, "in", (1, 2, 3)), ValueError, "bound"),
        (("a", "~", "b"), ValueError, "relation"),
    ],
)
def test_bad_input_is_named_before_anything_is_shown(arguments, error, named, shown):
    with pytest.raises(error, match=f"^{named}:"):
        claim("it is so", *arguments)
    assert not shown


@pytest.mark.parametrize(
    ("value", "options", "text"),
    [
        (4.0, {}, "found 4)"),
        (16_777_216, {}, "found 16,777,216)"),
        (1 / 3, {}, "found 0.33)"),
        (1 / 3, {"show": ".4f"}, "found 0.3333)"),
        (1 / 3, {"show": lambda value: f"{value:.0%}"}, "found 33%)"),
        (1 / 3, {"varies": True}, "measured on the machine that ran this page)"),
    ],
)
def test_digits_shown(value, options, text, shown):
    claim("it is so", value, ">", 0, **options)
    assert text in repr(shown[0])
    assert text in shown[0]._repr_html_()


def test_a_varying_value_is_shown_to_a_person(person, shown):
    claim("it is so", 1 / 3, ">", 0, varies=True)
    assert "found 0.33" in repr(shown[0])


def test_a_failing_value_is_shown_in_full(person, shown):
    claim("at least twice", 1.9999, ">=", 2)
    assert "found 1.9999" in repr(shown[0])


def test_text_is_escaped(shown):
    claim("a<b & c", 1, "<", 2)
    assert "a&lt;b &amp; c" in shown[0]._repr_html_()


def test_the_members_of_a_set_are_named_in_one_order(shown):
    claim("it is so", "c", "in", {"c", "a", "b"})
    assert "in a, b, c" in repr(shown[0])
