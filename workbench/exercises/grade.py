"""Runs a reader's answer on every input of an exercise and says what came of it.

The answer is the reader's own object, called on copies, so that a function which changes its arguments cannot
spoil its own judgment. What is reported is the *smallest* failing input: it is the easiest to follow by hand.

A misconception is recognized by behavior, not by text: if on every failing input a named wrong solution does
just what the reader's function did (same result, same kind of error, same overspending), it is named.

An endless loop is stopped as any cell is, by interrupting the kernel: KeyboardInterrupt is not caught.
"""

from __future__ import annotations

import copy
import inspect
import linecache
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from workbench.exercises.compare import brief, difference, kind
from workbench.exercises.exercise import Budget, Case, Exercise

Status = Literal["right", "wrong", "not attempted"]


@dataclass(frozen=True)
class Counterexample:
    """The smallest input on which the answer fails: its kind and values, expected and got, as text."""

    label: str
    inputs: str
    expected: str
    got: str


@dataclass(frozen=True)
class Result:
    """What came of an answer: `misconception` is a name in `exercise.wrong`, `explanation` what is true instead."""

    status: Status
    message: str
    misconception: str | None = None
    explanation: str = ""
    counterexample: Counterexample | None = None

    @property
    def right(self) -> bool:
        """Whether the answer is right; neither a wrong one nor none is."""
        return self.status == "right"


@dataclass(frozen=True)
class Outcome:
    """What one call did: a value or an error, the argument it changed, and, of a right value, what it overspent."""

    value: Any = None
    error: Exception | None = None
    differs: str | None = None  # from the expected value
    changed: str = ""
    overspent: dict[str, float] = field(default_factory=dict)  # by the name of the budget


@dataclass(frozen=True)
class Trial:
    """One case, the value expected there, and what the reader's answer did."""

    case: Case
    expected: Any
    outcome: Outcome


def grade(exercise: Exercise, answer: Any, seed: int = 0) -> Result:
    """Judges `answer` on all inputs of `exercise`; the same answer and seed give the same result.

    A reader's exception is a wrong answer, not an error of this call.
    """
    if _is_marker(answer):
        return Result("not attempted", "There is no answer yet.")
    misfit = _misfit(exercise, answer)
    if misfit:
        return Result("wrong", misfit)
    trials = [_trial(exercise, answer, case) for case in exercise.cases(seed)]
    untouched = _untouched([trial.outcome for trial in trials])
    if untouched:
        return Result("not attempted", untouched)
    complaints = [complain(exercise, trial) for trial in trials]
    failing = [trial for trial, said in zip(trials, complaints, strict=True) if said]
    passing = [trial for trial, said in zip(trials, complaints, strict=True) if not said]
    if not failing:
        return Result("right", f"Right on all {len(trials)} inputs.")
    name = recognize(exercise, failing, passing)
    return Result(
        "wrong",
        f"Wrong on {len(failing)} of {len(trials)} inputs: {next(filter(None, complaints))}.",
        name,
        (inspect.getdoc(exercise.wrong[name]) or "") if name else "",
        _counterexample(exercise, answer, failing[0]),
    )


def attempt(exercise: Exercise, answer: Callable[..., Any], case: Case, expected: Any) -> Outcome:
    """Runs `answer` on a copy of the case's inputs; a right one once more for each measurement of budgets."""
    inputs = copy.deepcopy(case.inputs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a grader takes anything on stderr for a failed cell
        try:
            value = exercise.run(answer, *inputs)
            differs = _differ(expected, value, exercise.tolerance)
            overspent = _overspent(exercise, answer, case) if differs is None else {}
        except Exception as error:
            return Outcome(error=error)
    pairs = zip(
        exercise.parameters, case.inputs, inputs, strict=False
    )  # a kernel's outputs are parameters too
    changed = next((name for name, before, after in pairs if difference(before, after, 0.0)), "")
    return Outcome(value, None, differs, changed, overspent)


def complain(exercise: Exercise, trial: Trial) -> str | None:
    """What is wrong with one outcome, in a few words; None when nothing is."""
    outcome = trial.outcome
    if outcome.error is not None:
        return f"it raises {type(outcome.error).__name__}"
    if outcome.differs is not None:
        return outcome.differs
    if outcome.changed:
        return f"the result is right, but the call changes its argument `{outcome.changed}`"
    for name, spent in outcome.overspent.items():
        limit, unit = _limit(exercise.budgets[name], trial.case), exercise.budgets[name].unit
        return f"the result is right, but it takes {spent:,.0f} {unit} where {limit:,.0f} suffice (budget: {name})"
    return None


def recognize(exercise: Exercise, failing: list[Trial], passing: list[Trial]) -> str | None:
    """The misconception whose function does the same as the answer on every failing input, if there is one.

    Where several do, the one that agrees on most of the other inputs too.
    """

    def agrees(name: str, trial: Trial) -> bool:
        wrong = attempt(exercise, exercise.wrong[name], trial.case, trial.expected)
        return _alike(wrong, trial.outcome, exercise.tolerance)

    suspects = [name for name in exercise.wrong if all(agrees(name, trial) for trial in failing)]
    if len(suspects) < 2:
        return next(iter(suspects), None)
    return max(suspects, key=lambda name: sum(agrees(name, trial) for trial in passing))


def _alike(wrong: Outcome, reader: Outcome, tolerance: float) -> bool:
    if wrong.error is not None or reader.error is not None:
        return type(wrong.error) is type(reader.error)
    same_value = _differ(wrong.value, reader.value, tolerance) is None
    return same_value and wrong.changed == reader.changed and wrong.overspent == reader.overspent


def _trial(exercise: Exercise, answer: Callable[..., Any], case: Case) -> Trial:
    expected = exercise.run(exercise.solution, *copy.deepcopy(case.inputs))
    return Trial(case, expected, attempt(exercise, answer, case, expected))


def _overspent(exercise: Exercise, answer: Callable[..., Any], case: Case) -> dict[str, float]:
    """What an answer spends, by the name of each budget that it breaks."""
    measures = {budget.measure for budget in exercise.budgets.values()}
    measured = {measure: measure(answer, *copy.deepcopy(case.inputs)) for measure in measures}
    spent = {
        name: float(budget.reading(measured[budget.measure])) for name, budget in exercise.budgets.items()
    }
    return {name: much for name, much in spent.items() if much > _limit(exercise.budgets[name], case)}


def _limit(budget: Budget, case: Case) -> float:
    return budget.limit(*copy.deepcopy(case.inputs))


def _differ(expected: Any, got: Any, tolerance: float) -> str | None:
    try:
        return difference(expected, got, tolerance)
    except Exception as error:  # an object of the reader's may refuse any question
        return f"expected {kind(expected)}, got a {type(got).__name__} that cannot be compared ({error})"


def _text(value: Any) -> str:
    try:
        return brief(value)
    except Exception:
        return type(value).__name__


def _is_marker(value: Any) -> bool:
    return value is None or value is ... or value is NotImplemented


def _untouched(outcomes: list[Outcome]) -> str:
    """Why a function counts as not written yet, or ""."""
    if all(_is_marker(outcome.value) and outcome.error is None for outcome in outcomes):
        return "The function returns nothing yet. If you have filled it in: is a `return` missing?"
    if all(isinstance(outcome.error, NotImplementedError) for outcome in outcomes):
        return str(outcomes[0].error) or "The function says itself that it is not implemented yet."
    return ""


def _misfit(exercise: Exercise, answer: Any) -> str:
    """Why an answer cannot be called as the task asks, or ""."""
    if not callable(answer):
        return f"Expected a function {exercise.signature}, got {kind(answer)} {_text(answer)}."
    try:
        inspect.signature(answer).bind(*exercise.parameters)
    except TypeError as error:
        return f"The function cannot be called as {exercise.signature}: {error}."
    except ValueError:  # a built-in without a readable signature
        return ""
    return ""


def _counterexample(exercise: Exercise, answer: Any, trial: Trial) -> Counterexample:
    named = zip(exercise.parameters, trial.case.inputs, strict=False)
    error = trial.outcome.error
    return Counterexample(
        trial.case.label,
        ", ".join(f"{name}={brief(value)}" for name, value in named),
        brief(trial.expected),
        _reader_line(answer, error) if error else _text(trial.outcome.value),
    )


def _reader_line(answer: Callable[..., Any], error: Exception) -> str:
    """The error in one line and the reader's own line it came from; no path, which differs in every run."""
    short = f"{type(error).__name__}: {error}".strip().removesuffix(":")
    file = getattr(getattr(answer, "__code__", None), "co_filename", None)
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == file]
    line = lines[-1] if lines else getattr(error, "line", None)  # a kernel's hazard knows its line itself
    if not file or not isinstance(line, int):
        return short
    text = linecache.getline(file, line).strip()
    return f"{short} (line {line}: {text})" if text else f"{short} (line {line})"
