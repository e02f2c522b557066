"""Questions: the wrong option names its misconception, the right one moves progress."""

import pytest

from workbench.exercises import find
from workbench.learn import NotRight, question, store

NAME = "start.which_limit"
TASK = find(NAME)


def test_a_wrong_option_names_the_misconception_and_may_be_tried_again(shown):
    verdict = question(NAME)
    (form,) = shown
    form.enter("a")
    assert (form.tone, form.locked, verdict.right) == ("wrong", False, False)
    assert TASK.why["a"] in form.feedback
    assert store.load()["done"] == {}
    form.enter("b")
    assert (form.tone, form.locked, verdict.right) == ("right", True, True)
    assert TASK.why["b"] in form.feedback
    assert list(store.load()["done"]) == [NAME]


def test_nothing_chosen_is_not_an_attempt(shown):
    question(NAME)
    shown[0].enter("")
    assert shown[0].tone == "note"
    assert "Not attempted" in shown[0].feedback


def test_text_shows_prompt_and_options_in_a_fixed_order(shown):
    question(NAME)
    assert repr(shown[0]).splitlines() == [
        TASK.prompt,
        *(f"  {key}) {text}" for key, text in TASK.options.items()),
    ]


@pytest.mark.parametrize(
    ("answer", "right"), [("b", True), (" B ", True), ("a", False), ("z", False), (3, False), (..., False)]
)
def test_answered_in_code(answer, right, shown):
    assert question(NAME, answer=answer).right is right
    assert bool(store.load()["done"]) is right
    assert repr(shown[0])[0] == ("✓" if right else "•" if answer is ... else "✗")


@pytest.mark.parametrize("answer", [None, ..., "", "a", "z", False])
def test_a_grader_fails_whatever_is_not_right(answer, grader, shown):
    with pytest.raises(NotRight, match=NAME):
        question(NAME, answer=answer)


def test_a_grader_passes_the_right_answer_and_leaves_no_progress(grader, shown):
    assert question(NAME, answer="b").right
    assert not store.path().exists()


def test_unknown_names_and_exercises_are_refused(shown):
    with pytest.raises(ValueError, match=r"start\.which_limit"):
        question("start.which_limits")
    with pytest.raises(TypeError, match="use check"):
        question("start.bytes_of_add")
