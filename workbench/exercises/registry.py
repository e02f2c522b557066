"""Where tasks are found by name. A module of this package with a tuple `TASKS` is a track; adding one is enough."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from pathlib import Path

from workbench.exercises.exercise import Exercise, Question

Task = Exercise | Question
PACKAGE = "workbench.exercises"


def all() -> tuple[Task, ...]:
    """Every exercise and question there is, track by track."""
    modules = (
        importlib.import_module(f"{PACKAGE}.{m.name}")
        for m in pkgutil.iter_modules([str(Path(__file__).parent)])
    )
    return tuple(task for module in modules for task in getattr(module, "TASKS", ()))


def find(name: str) -> Task:
    """The exercise or question of that name, such as "start.bytes_of_add".

    Raises ValueError with the nearest names there are.
    """
    tasks = {task.name: task for task in all()}
    if name in tasks:
        return tasks[name]
    near = difflib.get_close_matches(str(name), tasks, n=3) or sorted(tasks)
    raise ValueError(f"name: no exercise or question is called {name!r}; there are: {', '.join(near)}")


def for_lesson(lesson: str) -> tuple[Task, ...]:
    """The tasks of one lesson, such as "3_fusion/1_easy", in the order they were written."""
    return tuple(task for task in all() if task.lesson == lesson)
