"""Lines to be put in order: what is shown, what is run, and that only orders that work pass."""

import itertools
from contextlib import suppress

import pytest

from workbench.exercises import Exercise, all, find, grade
from workbench.exercises.ordering import Ordering

ORDERED = [task for task in all() if isinstance(task, Exercise) and task.ordering is not None]
SMALL = Ordering(
    setup="import math",
    head="def f(x):",
    lines=("    y = math.sqrt(x)", "    y = 2 * y", "    y = y + 1"),
    tail="    return y",
)


@pytest.mark.parametrize("task", ORDERED, ids=lambda task: task.name)
def test_the_authors_order_passes_and_the_one_shown_does_not(task):
    ordering, name = task.ordering, task.name.partition(".")[2]
    assert grade(task, ordering.function(name, ordering.solution)).right
    shown = "".join(ordering.shown)
    with suppress(SyntaxError):  # what Python cannot read is not right either
        assert not grade(task, ordering.function(name, shown)).right


@pytest.mark.parametrize("task", ORDERED, ids=lambda task: task.name)
def test_what_is_put_together_is_the_exercises_own_function(task):
    assert f"def {task.signature.partition('(')[0]}(" in task.ordering.source(task.ordering.solution)


def test_a_function_runs_its_lines_in_the_order_given():
    letter = {line: key for key, line in SMALL.shown.items()}
    found = set()
    for lines in itertools.permutations(SMALL.lines[1:]):
        order = "".join(letter[line] for line in (SMALL.lines[0], *lines))
        found.add(SMALL.function("f", order)(9.0))
    assert found == {2 * 3 + 1.0, 2 * (3 + 1.0)}


@pytest.mark.parametrize("order", ["", "ab", "abb", "abcd", "ab1"])
def test_what_is_no_order_of_the_letters_is_refused(order):
    with pytest.raises(ValueError, match=r"^order: .*abc"):
        SMALL.function("f", order)


@pytest.mark.parametrize("lines", [(), ("a", "b"), ("a", "b", "b")])
def test_lines_that_cannot_be_told_apart_are_refused(lines):
    with pytest.raises(ValueError, match=r"^lines:"):
        Ordering("", "def f(x):", lines)


NOISY, SUM = find("fusion.noisy_step"), find("fusion.row_sum")


@pytest.mark.parametrize("place", range(4))
def test_another_order_that_works_is_right_too(place):
    """The old gradients may be cleared anywhere before `backward`."""
    *before, clear, backward, step = NOISY.ordering.lines
    lines = [*before[:place], clear, *before[place:], backward, step]
    assert grade(NOISY, NOISY.ordering.function("noisy_step", letters(NOISY, lines))).right


@pytest.mark.parametrize(
    ("moves", "misconception"),
    [
        ([(0, 1)], "spoils the inputs after the model has looked"),
        ([(3, 4)], "clears the gradients before the step has used them"),
        ([(4, 5)], "clears the gradients before the step has used them"),
    ],
)
def test_a_wrong_order_of_a_step_is_told_what_it_does(moves, misconception):
    assert misconception_of(NOISY, moves) == misconception


@pytest.mark.parametrize(
    ("moves", "misconception"),
    [
        ([(0, 1)], "reads a share before it is sure to be there"),
        ([(6, 5), (5, 4), (4, 3)], "halves the distance before adding"),
        ([(5, 4), (4, 3)], None),  # a barrier at the head of each round works as well
    ],
)
def test_a_wrong_order_of_a_kernel_is_told_what_it_does(moves, misconception):
    assert misconception_of(SUM, moves) == misconception


def misconception_of(task, moves):
    """What an order is told that comes from the author's by moving lines: from one place to another, in turn."""
    lines = list(task.ordering.lines)
    for source, target in moves:
        lines.insert(target, lines.pop(source))
    result = grade(task, task.ordering.function(task.name.partition(".")[2], letters(task, lines)))
    assert result.right == (result.misconception is None)
    return result.misconception


def letters(task, lines):
    """The letters under which lines are shown."""
    letter = {line: key for key, line in task.ordering.shown.items()}
    return "".join(letter[line] for line in lines)
