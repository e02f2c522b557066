"""Lines put in order in a page: the form runs them, a wrong order is explained, a right one moves progress."""

import pytest

from workbench.exercises import find
from workbench.learn import NotRight, arrange, store

NAME = "fusion.noisy_step"
TASK = find(NAME)
RIGHT = TASK.ordering.solution


def swapped(first, second):
    """The right order with two of its lines exchanged."""
    order = list(RIGHT)
    order[first], order[second] = order[second], order[first]
    return "".join(order)


def test_the_form_shows_the_code_and_the_scrambled_lines(shown):
    arrange(NAME)
    (form,) = shown
    assert form.kind == "order"
    assert [text for _, text in form.options] == list(TASK.ordering.shown.values())
    assert sorted(text for _, text in form.options) == sorted(TASK.ordering.lines)
    text = repr(form)
    assert text.index(TASK.ordering.head) < text.index("a) ") < text.index(TASK.ordering.tail)
    assert "<pre>" in form._repr_mimebundle_()[0]["text/html"]


def test_a_wrong_order_is_told_its_misconception_and_may_be_tried_again(shown):
    verdict = arrange(NAME)
    (form,) = shown
    form.enter(swapped(3, 4))
    assert (form.tone, form.locked, verdict.right) == ("wrong", False, False)
    assert "clears the gradients" in form.feedback
    assert store.load()["done"] == {}
    form.enter(RIGHT)
    assert (form.tone, form.locked, verdict.right) == ("right", True, True)
    assert list(store.load()["done"]) == [NAME]


def test_an_order_that_python_cannot_read_is_said_to_be_one(shown):
    lines = find("fusion.row_sum").ordering
    loop_last = lines.solution.replace(lines.solution[2], "") + lines.solution[2]
    assert not arrange("fusion.row_sum", loop_last).right
    assert "Python cannot read this order" in repr(shown[0])
    assert "`" in repr(shown[0])


@pytest.mark.parametrize(
    ("order", "right"), [(RIGHT, True), (f" {RIGHT.upper()} ", True), ("abc", False), ("", False)]
)
def test_answered_in_code(order, right, shown):
    assert arrange(NAME, order).right is right
    assert bool(store.load()["done"]) is right
    assert repr(shown[0])[0] == ("✓" if right else "✗" if order else "•")


@pytest.mark.parametrize("order", [None, "", "abc", swapped(4, 5)])
def test_a_grader_fails_whatever_is_not_right(order, grader, shown):
    with pytest.raises(NotRight, match=NAME):
        arrange(NAME, order)


def test_a_grader_passes_the_right_order_and_leaves_no_progress(grader, shown):
    assert arrange(NAME, RIGHT).right
    assert not store.path().exists()


@pytest.mark.parametrize("name", ["fusion.gate", "start.which_limit"])
def test_a_task_without_lines_is_refused(name, shown):
    with pytest.raises(TypeError, match="no lines to put in order"):
        arrange(name)
    assert not shown
