"""A quick question with one right option. A wrong one is answered by what it would mean, and may be tried again."""

from __future__ import annotations

from typing import Any

from workbench.exercises import Question, find
from workbench.learn import session, store
from workbench.learn.form import Form
from workbench.learn.panel import Panel, Verdict, show


class NotRight(AssertionError):
    """An answer that is not right, in a run where that must fail the cell (nbgrader)."""


def question(name: str, answer: Any = None) -> Verdict:
    """Asks the question of that name; with `answer`, such as "b", it is answered in code instead.

    Raises ValueError for an unknown name, TypeError when it names an exercise, and NotRight where nbgrader runs
    and the answer is missing or wrong.
    """
    task = find(name)
    if not isinstance(task, Question):
        raise TypeError(f"name: {name!r} is an exercise; use check(your_function, {name!r})")
    if answer is None and not session.graded():
        return _ask(task)
    panel = judge(task, answer)
    if panel.tone == "right":
        trouble = store.mark_done(task.name)
        panel = Panel(panel.tone, panel.title, panel.rows, (*panel.lines, *([trouble] if trouble else [])))
    show(panel)
    if session.graded() and panel.tone != "right":
        raise NotRight(f"{task.name}: {panel.title}")
    return Verdict(panel.tone == "right")


def judge(task: Question, answer: Any) -> Panel:
    """What there is to say about one answer: right, the misconception it shows, or that there is none yet."""
    if answer is None or answer is ... or answer == "":
        return Panel("note", "Not attempted: choose one of the options.")
    key = str(answer).strip().lower()
    if key not in task.options:
        return Panel("wrong", f"There is no option {answer!r}; there are {', '.join(task.options)}.")
    chosen = f"{key}) {task.options[key]}"
    if key == task.answer:
        return Panel("right", f"Right: {chosen}", lines=(task.why[key],))
    return Panel("wrong", f"Not quite: {chosen}", lines=(task.why[key],))


def _ask(task: Question) -> Verdict:
    verdict = Verdict(False)

    def answered(form: Form, entered: str) -> None:
        panel = judge(task, entered)
        verdict.right = panel.tone == "right"
        trouble = store.mark_done(task.name) if verdict.right else ""
        again = "" if verdict.right else "Have another look and try again."
        form.reply(panel.tone, panel.title, *panel.lines, again, trouble, locked=verdict.right)

    options = [[key, text] for key, text in task.options.items()]
    show(Form(answered, prompt=task.prompt, kind="choice", options=options, button="Check"))
    return verdict
