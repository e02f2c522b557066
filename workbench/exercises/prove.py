"""The proof that an exercise is sound: a test of the test.

A check that lets a wrong answer pass teaches something false. So every exercise has to show, by running, that
its solution passes, that its untouched stub neither passes nor counts as an attempt, and that each of its named
mistakes is caught *under its own name*. `prove` is what the tests call; use it while writing an exercise.
"""

from __future__ import annotations

from typing import Any

from workbench.exercises.exercise import Exercise
from workbench.exercises.grade import grade


def prove(exercise: Exercise, seed: int = 0) -> None:
    """Raises AssertionError naming the first thing that does not hold (see the module's text)."""
    result = grade(exercise, exercise.solution, seed)
    _hold(result.right, exercise, f"the solution does not pass: {result.message}")
    namespace: dict[str, Any] = {}
    exec(exercise.stub, namespace)  # the stub is the exercise's own text
    stub = namespace[exercise.name.partition(".")[2]]
    _hold(grade(exercise, stub, seed).status == "not attempted", exercise, "the stub counts as an attempt")
    for name, wrong in exercise.wrong.items():
        result = grade(exercise, wrong, seed)
        _hold(result.status == "wrong", exercise, f"{name!r} passes")
        _hold(result.misconception == name, exercise, f"{name!r} is taken for {result.misconception!r}")
        _hold(bool(result.explanation), exercise, f"{name!r} has no docstring that says what is true")


def _hold(true: bool, exercise: Exercise, complaint: str) -> None:
    if not true:
        raise AssertionError(f"{exercise.name}: {complaint}")
