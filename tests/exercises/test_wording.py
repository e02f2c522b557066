"""What a task says is shown as plain text: marks of emphasis would be read as asterisks."""

import inspect
import re

import pytest

from workbench import exercises
from workbench.exercises import Exercise

EMPHASIS = re.compile(r"(?<![\w*)\] ])\*[A-Za-z][\w ]*\*(?![\w*])|(?<= )\*[A-Za-z]+\*(?=[ .,;:?!])")


def texts(task):
    """All that a reader may be shown."""
    if isinstance(task, Exercise):
        return [
            task.title,
            task.statement,
            *task.hints,
            *task.wrong,
            *map(inspect.getdoc, task.wrong.values()),
        ]
    return [task.prompt, *task.options.values(), *task.why.values(), *task.hints]


@pytest.mark.parametrize("task", exercises.all(again=True), ids=lambda task: task.name)
def test_no_marks_of_emphasis(task):
    found = [text for text in texts(task) if EMPHASIS.search(text or "")]
    assert not found


def test_the_pattern_knows_emphasis_from_a_product():
    for text in ("which *modality* to trust", "*all* threads", "Root *mean* square"):
        assert EMPHASIS.search(text)
    for text in ("(6 + 3)*4", "2 * n * bytes", "x*y*z", "`weight * s`, `*=` does not"):
        assert not EMPHASIS.search(text)
