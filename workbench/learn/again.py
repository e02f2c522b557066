"""A fresh task of the same shape, for who has needed the hints: the thought has to be had once more, and alone."""

from __future__ import annotations

from workbench.exercises import Exercise, KernelRun, find
from workbench.learn import session
from workbench.learn.panel import Panel, show


def again(exercise: str) -> None:
    """Shows the fresh task that follows an exercise, and opens a cell for it below this one.

    Raises ValueError for an unknown name and for an exercise that none follows.
    """
    task = find(exercise)
    fresh = task.again if isinstance(task, Exercise) else None
    if fresh is None:
        raise ValueError(f"exercise: no fresh task follows {exercise!r}")
    show(Panel("note", f"A fresh task of the same shape: {fresh.title}", lines=(fresh.statement,)))
    session.next_cell(cell(fresh))


def cell(task: Exercise) -> str:
    """What the reader starts from: the stub and its check."""
    name = task.name.partition(".")[2]
    decorator = "@gpu_kernel\n" if isinstance(task.run, KernelRun) else ""
    return f'{decorator}{task.stub}\n\ncheck({name}, "{task.name}")  # stuck? hint("{task.name}")'


def invitation(task: Exercise) -> str:
    """The line that tells of the fresh task, or "" where there is none."""
    return f'Another of the same shape, to be sure: again("{task.name}")' if task.again else ""
