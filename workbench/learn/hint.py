"""A ladder of three hints: a nudge, the principle, a worked step. One at a time, and only when asked for."""

from __future__ import annotations

from workbench.exercises import Exercise, find
from workbench.exercises.exercise import LADDER
from workbench.exercises.registry import Task
from workbench.learn import session, store
from workbench.learn.again import invitation
from workbench.learn.form import Form
from workbench.learn.panel import Panel, show


def hint(exercise: str, step: int | None = None) -> None:
    """Shows the next hint of an exercise, by a button where there are buttons, otherwise at each call.

    After the last comes the name of a fresh task of the same shape, where there is one.

    `step` (1 to 3) shows the hints up to that one in code. Running a cell with the button uses up no hint, so
    "Run All" gives nothing away. Raises ValueError for an unknown name, for a task without hints, and for a step
    that is not on the ladder.
    """
    task = find(exercise)
    if not task.hints:
        raise ValueError(f"exercise: {exercise!r} has no hints")
    if step is not None and step not in range(1, len(LADDER) + 1):
        raise ValueError(f"step: expected 1 to {len(LADDER)}, got {step!r}")
    used = store.load()["hints"].get(task.name, 0)
    if step is None and session.has_buttons():
        _offer(task, used if session.by_person() else 0)
        return
    count = min(used + 1, len(LADDER)) if step is None else step
    store.use_hints(task.name, count)
    show(Panel("note", f"Hints, {count} of {len(LADDER)}", lines=tuple(ladder(task, count))))


def ladder(task: Task, count: int) -> list[str]:
    """The first `count` hints, each with the name of its rung; after the last, the fresh task."""
    named = zip(LADDER, task.hints, strict=True)
    rungs = [f"{rung.capitalize()}: {text}" for rung, text in list(named)[:count]]
    more = invitation(task) if isinstance(task, Exercise) and count == len(LADDER) else ""
    return [*rungs, more] if more else rungs


def _offer(task: Task, used: int) -> None:
    shown = used

    def next_one(form: Form, _entered: str) -> None:
        nonlocal shown
        shown = min(shown + 1, len(LADDER))
        trouble = store.use_hints(task.name, shown)
        form.button = _button(shown)
        form.reply("note", *ladder(task, shown), trouble, locked=shown == len(LADDER))

    form = Form(
        next_one, prompt=f"Stuck? There are {len(LADDER)} hints: {', '.join(LADDER)}.", button=_button(used)
    )
    if used:
        form.reply("note", *ladder(task, used), locked=used == len(LADDER))
    show(form)


def _button(used: int) -> str:
    return f"Show the {LADDER[used]}" if used < len(LADDER) else "All hints are shown"
