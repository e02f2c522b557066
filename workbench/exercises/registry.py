"""Where tasks are found by name. A module of this package with a tuple `TASKS` is a track; adding one is enough."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from pathlib import Path

from workbench.exercises.exercise import Exercise, Question

Task = Exercise | Question
PACKAGE = "workbench.exercises"


def all(again: bool = False) -> tuple[Task, ...]:
    """Every exercise and question there is, track by track; with `again` also the fresh tasks that follow one."""
    modules = (
        importlib.import_module(f"{PACKAGE}.{m.name}")
        for m in pkgutil.iter_modules([str(Path(__file__).parent)])
    )
    tasks = tuple(task for module in modules for task in getattr(module, "TASKS", ()))
    fresh = tuple(task.again for task in tasks if isinstance(task, Exercise) and task.again) if again else ()
    return tasks + fresh


def find(name: str) -> Task:
    """The exercise or question of that name, such as "start.bytes_of_add".

    Raises ValueError with the nearest names there are.
    """
    tasks = {task.name: task for task in all(again=True)}
    if name in tasks:
        return tasks[name]
    near = difflib.get_close_matches(str(name), tasks, n=3) or sorted(tasks)
    raise ValueError(f"name: no exercise or question is called {name!r}; there are: {', '.join(near)}")


def for_lesson(lesson: str) -> tuple[Task, ...]:
    """The tasks on the path of one lesson, such as "3_fusion/1_easy", in the order they were written."""
    return tuple(task for task in all() if task.lesson == lesson)
