"""Lines of code to be put in order, before the reader writes such code alone (see exercises/ordering.py)."""

from __future__ import annotations

from workbench.exercises import Exercise, Result, find, grade
from workbench.learn import session, store
from workbench.learn.check import report
from workbench.learn.form import Form
from workbench.learn.panel import Panel, Verdict, show
from workbench.learn.question import NotRight


def arrange(exercise: str, order: str | None = None) -> Verdict:
    """Shows the lines of an exercise out of order; with `order`, such as "badc", they are put in order in code instead.

    The lines are run as they stand, so any order that works is right. Raises ValueError for an unknown name, TypeError
    for an exercise without lines to order, and NotRight where nbgrader runs and the answer is missing or wrong.
    """
    task = find(exercise)
    if not isinstance(task, Exercise) or task.ordering is None:
        raise TypeError(f"exercise: {exercise!r} has no lines to put in order")
    if order is None and not session.graded():
        return _ask(task)
    panel = judge(task, order or "")
    if panel.tone == "right":
        store.mark_done(task.name)
    show(panel)
    if session.graded() and panel.tone != "right":
        raise NotRight(f"{task.name}: {panel.title}")
    return Verdict(panel.tone == "right")


def judge(task: Exercise, order: str) -> Panel:
    """What there is to say about one order of the letters: the lines are put together, and run."""
    assert task.ordering is not None
    if not order.strip():
        return Panel("note", f"{task.title}: not attempted. Put the lines in order.")
    try:
        function = task.ordering.function(task.name.partition(".")[2], order.strip().lower())
    except SyntaxError as error:
        line = (error.text or "").strip()
        result = Result("wrong", f"Python cannot read this order: {error.msg}, at `{line}`.")
    except ValueError as error:
        result = Result("wrong", f"{error}.")
    else:
        result = grade(task, function)
    return report(task, result)


def _numbers(panel: Panel) -> list[str]:
    """What was expected and got; only the error where there is one, and nothing where the mistake has a name."""
    rows = [f"{name}: {value}" for name, value in panel.rows]
    if panel.lines or not rows:
        return []
    return rows[-1:] if "raises" in panel.title else rows


def _ask(task: Exercise) -> Verdict:
    assert task.ordering is not None
    verdict = Verdict(False)

    def answered(form: Form, entered: str) -> None:
        panel = judge(task, entered)
        verdict.right = panel.tone == "right"
        trouble = store.mark_done(task.name) if verdict.right else ""
        form.reply(panel.tone, panel.title, *panel.lines, *_numbers(panel), trouble, locked=verdict.right)

    options = [[letter, line] for letter, line in task.ordering.shown.items()]
    form = Form(
        answered,
        prompt=task.statement,
        kind="order",
        options=options,
        above=task.ordering.head,
        below=task.ordering.tail,
        button="Check",
    )
    show(form)
    return verdict
