"""Runs a reader's answer on every input of an exercise and says what came of it.

The answer is the reader's own object (attempt.py). What is reported is the *smallest* failing input: it is the
easiest to follow by hand.

A misconception is recognized by behavior, not by text: if on every failing input a named wrong solution does
what the reader's function did (same result, same kind of error, same budgets broken), it is named.

An endless loop on the simulated GPU ends by itself, and the judging with it. Any other is stopped as any cell is, by
interrupting the kernel: KeyboardInterrupt is not caught.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from workbench.exercises.attempt import Outcome, alike, attempt, identical, limit, value_of
from workbench.exercises.compare import brief, kind
from workbench.exercises.errors import endless, reader_line
from workbench.exercises.exercise import Case, Exercise
from workbench.exercises.kernel_run import NothingWritten

WIDTH = 240  # characters of a value: two lines of a page

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
    """What came of an answer: `misconception` is a name in `exercise.wrong`, `explanation` what is true instead.

    There is no `counterexample` where expected and got look the same; `message` names the input then.
    """

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
    trials = _trials(exercise, answer, seed)
    untouched = _untouched([trial.outcome for trial in trials])
    if untouched:
        return Result("not attempted", untouched)
    complaints = [complain(exercise, trial) for trial in trials]
    failing = [trial for trial, said in zip(trials, complaints, strict=True) if said]
    passing = [trial for trial, said in zip(trials, complaints, strict=True) if not said]
    if not failing:
        return Result("right", f"Right on all {len(trials)} inputs.")
    name = None if endless(trials[-1].outcome.error) else recognize(exercise, failing, passing)
    message = f"Wrong on {len(failing)} of {len(trials)} inputs: {next(filter(None, complaints))}."
    shown = _counterexample(exercise, answer, failing[0])
    tells = shown.expected != shown.got
    return Result(
        "wrong",
        message if tells else f"{message} Input ({shown.label}): {shown.inputs}",
        name,
        (inspect.getdoc(exercise.wrong[name]) or "") if name else "",
        shown if tells else None,
    )


def complain(exercise: Exercise, trial: Trial) -> str | None:
    """What is wrong with one outcome, in a few words; None when nothing is."""
    outcome = trial.outcome
    if endless(outcome.error):
        return "it does not end, so that no further input was tried"
    if outcome.error is not None:
        return f"it raises {type(outcome.error).__name__}"
    if outcome.differs is not None:
        return outcome.differs
    if outcome.changed:
        return f"the result is right, but the call changes its argument `{outcome.changed}`"
    for name, spent in outcome.overspent.items():
        enough, unit = limit(exercise.budgets[name], trial.case), exercise.budgets[name].unit
        return f"the result is right, but it takes {spent:,.0f} {unit} where {enough:,.0f} suffice (budget: {name})"
    return None


def recognize(exercise: Exercise, failing: list[Trial], passing: list[Trial]) -> str | None:
    """The misconception whose function does the same as the answer on every failing input, if there is one.

    Where several do, the one that agrees on most of the other inputs too, and then in its very numbers and words.
    """

    def does(name: str, trial: Trial) -> Outcome:
        return attempt(exercise, exercise.wrong[name], trial.case, trial.expected)

    def agrees(name: str, trial: Trial) -> bool:
        return alike(exercise, trial.case, does(name, trial), trial.outcome)

    def closeness(name: str) -> tuple[int, int]:
        elsewhere = sum(agrees(name, trial) for trial in passing)
        return elsewhere, sum(identical(does(name, trial), trial.outcome) for trial in failing)

    suspects = [name for name in exercise.wrong if all(agrees(name, trial) for trial in failing)]
    return max(suspects, key=closeness) if len(suspects) > 1 else next(iter(suspects), None)


def _trials(exercise: Exercise, answer: Callable[..., Any], seed: int) -> list[Trial]:
    trials = []
    for case in exercise.cases(seed):
        expected = value_of(exercise, exercise.solution, copy.deepcopy(case.inputs))
        trials.append(Trial(case, expected, attempt(exercise, answer, case, expected)))
        if endless(trials[-1].outcome.error):
            break  # it would take as long again on every input
    return trials


def _text(value: Any) -> str:
    try:
        return brief(value, WIDTH)
    except Exception:
        return type(value).__name__


def _is_marker(value: Any) -> bool:
    return value is None or value is ... or value is NotImplemented


def _untouched(outcomes: list[Outcome]) -> str:
    """Why a function counts as not written yet, or ""."""
    if all(_is_marker(outcome.value) and outcome.error is None for outcome in outcomes):
        return "The function returns nothing yet. If you have filled it in: is a `return` missing?"
    # its exact type: the simulated GPU raises a NotImplementedError of its own, for code that it cannot run
    if all(type(outcome.error) in (NotImplementedError, NothingWritten) for outcome in outcomes):
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
        ", ".join(f"{name}={_text(value)}" for name, value in named),
        _text(trial.expected),
        reader_line(answer, error) if error is not None else _text(trial.outcome.value),
    )
