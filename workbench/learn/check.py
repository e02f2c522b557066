"""Judges a reader's own answer at once, and says where it fails and what idea may be behind that."""

from __future__ import annotations

from typing import Any

from workbench.exercises import Exercise, Result, find, grade
from workbench.learn import session, store
from workbench.learn.again import invitation
from workbench.learn.panel import Panel, Verdict, show
from workbench.learn.question import NotRight


def check(answer: Any, exercise: str | Exercise, reference: bool = False) -> Verdict:
    """Runs `answer`, the reader's own function, on every input of the exercise and shows what came of it.

    An error in the answer is shown, not raised. `reference` is for the lesson's own solution: it is not counted
    as the reader's progress. Raises ValueError for an unknown name, TypeError when it names a question, and NotRight
    where nbgrader runs, or where a test runs a reference, and the answer is not right.
    """
    task = find(exercise) if isinstance(exercise, str) else exercise
    if not isinstance(task, Exercise):
        raise TypeError(f"exercise: {exercise!r} is a question; use question({exercise!r})")
    result = grade(task, answer)
    trouble = store.mark_done(task.name) if result.right and not reference else ""
    show(report(task, result, reference, trouble))
    must_pass = session.graded() or (reference and not session.by_person())
    if must_pass and not result.right:
        raise NotRight(f"{task.name}: {result.status}. {result.message}")
    return Verdict(result.right)


def report(task: Exercise, result: Result, reference: bool = False, trouble: str = "") -> Panel:
    """The panel of a result: the smallest failing input, expected and got side by side, the misconception."""
    whose = f"{task.title}, the lesson's solution" if reference else task.title
    lines = (trouble,) if trouble else ()
    if result.right:
        more = () if reference or not task.again else (invitation(task),)
        return Panel("right", f"{whose}: right. {result.message}", lines=(*lines, *more))
    # the page says it in fewer words, and with a wrong answer one reads it again
    asked = () if task.ordering else (f"The task: {task.statement}",)
    if result.status == "not attempted":
        return Panel("note", f"{whose}: not attempted. {result.message}", lines=(*asked, *lines))
    rows: tuple[tuple[str, str], ...] = ()
    if failing := result.counterexample:
        rows = (
            (f"Input ({failing.label})", failing.inputs),
            ("Expected", failing.expected),
            ("Got", failing.got),
        )
    if result.misconception:
        lines = (f"This looks like: {result.misconception}. {result.explanation}", *lines)
    return Panel("wrong", f"{whose}: not right yet. {result.message}", rows, (*lines, *asked))
