"""One call of an answer: what it gave or raised, what it changed and spent; and when two did the same.

The answer is called on copies, so that a function which changes its arguments cannot spoil its own judgment.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from workbench.exercises.compare import difference, kind
from workbench.exercises.errors import gist
from workbench.exercises.exercise import Budget, Case, Exercise

ABOUT = 2  # times as much is about as much


@dataclass(frozen=True)
class Outcome:
    """What one call did: a value or an error, the argument it changed, and, of a right value, what it overspent."""

    value: Any = None
    error: Exception | SystemExit | None = None
    differs: str | None = None  # from the expected value
    changed: str = ""
    overspent: dict[str, float] = field(default_factory=dict)  # by the name of the budget


def attempt(exercise: Exercise, answer: Callable[..., Any], case: Case, expected: Any) -> Outcome:
    """Runs `answer` on a copy of the case's inputs; a right one once more for each measurement of budgets."""
    inputs = copy.deepcopy(case.inputs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a grader takes anything on stderr for a failed cell
        try:
            value = value_of(exercise, answer, inputs)
            differs = _differ(expected, value, exercise.tolerance)
            overspent = _overspent(exercise, answer, case) if differs is None else {}
        except (Exception, SystemExit) as error:  # exit() would end the grader, not only the answer
            return Outcome(error=error)
    pairs = zip(
        exercise.parameters, case.inputs, inputs, strict=False
    )  # a kernel's outputs are parameters too
    changed = next((name for name, before, after in pairs if _differ(before, after, 0.0)), "")
    return Outcome(value, None, differs, changed, overspent)


def value_of(exercise: Exercise, answer: Callable[..., Any], inputs: tuple[Any, ...]) -> Any:
    """What an answer gives; values that it has written into outputs of its own get the names of those."""
    value = exercise.run(answer, *inputs)
    outputs = exercise.parameters[len(inputs) :]
    named = isinstance(value, tuple) and len(value) == len(outputs)
    return dict(zip(outputs, value, strict=True)) if named and outputs else value


def limit(budget: Budget, case: Case) -> float:
    """The most that an answer may spend on one case."""
    return budget.limit(*copy.deepcopy(case.inputs))


def alike(exercise: Exercise, case: Case, wrong: Outcome, reader: Outcome) -> bool:
    """Whether two outcomes on one case may come of one mistake."""
    if wrong.error is not None and reader.error is not None:
        return gist(wrong.error) == gist(reader.error)
    if wrong.error is not None or reader.error is not None or wrong.changed != reader.changed:
        return False
    same_value = _differ(wrong.value, reader.value, exercise.tolerance) is None
    return same_value and _overspent_alike(exercise, case, wrong.overspent, reader.overspent)


def identical(wrong: Outcome, reader: Outcome) -> bool:
    """Whether two outcomes that are alike agree in each number spent and each word of an error."""
    return wrong.overspent == reader.overspent and str(wrong.error) == str(reader.error)


def _overspent(exercise: Exercise, answer: Callable[..., Any], case: Case) -> dict[str, float]:
    """What an answer spends, by the name of each budget that it breaks."""
    measures = {budget.measure for budget in exercise.budgets.values()}
    measured = {measure: measure(answer, *copy.deepcopy(case.inputs)) for measure in measures}
    spent = {
        name: float(budget.reading(measured[budget.measure])) for name, budget in exercise.budgets.items()
    }
    return {name: much for name, much in spent.items() if much > limit(exercise.budgets[name], case)}


def _overspent_alike(
    exercise: Exercise, case: Case, wrong: dict[str, float], reader: dict[str, float]
) -> bool:
    """Whether the same budgets are broken, each about as far; where nothing may be spent, any amount is one mistake."""

    def about(name: str) -> bool:
        less, more = sorted((wrong[name], reader[name]))
        return more <= ABOUT * less or limit(exercise.budgets[name], case) == 0

    return set(wrong) == set(reader) and all(map(about, wrong))


def _differ(expected: Any, got: Any, tolerance: float) -> str | None:
    try:
        return difference(expected, got, tolerance)
    except Exception as error:  # an object of the reader's may refuse any question
        return f"expected {kind(expected)}, got a {type(got).__name__} that cannot be compared ({error})"
