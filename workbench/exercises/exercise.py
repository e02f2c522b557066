"""What an exercise and a question are: data, so that the same task serves notebook, test and classroom.

An exercise can only teach if a wrong answer fails, and fails with a reason. So it carries its own evidence:

* `inputs` draws the arguments to try, at random, of several shapes, one of them *ragged* (no two sides alike)
  and one *empty* or *extreme*. An answer fitted to one example does not survive them.
* `wrong` holds the mistakes people make, each as a function under the name of the misconception; its
  docstring says what is true instead. A reader whose results equal one of them is told that name.
* `budgets` limit what an answer may spend, such as the bytes it moves, where "right, but slow" is not right.
* `run` is for an answer that is not simply called with the inputs, such as a GPU kernel (kernel_run.py).
* `again` is a fresh task of the same shape, for who has needed the hints: an exercise off the lesson's path.
* `ordering` holds lines of a solution to be put in order first (ordering.py).

`grade` (grade.py) runs an answer; `prove` (prove.py) shows that the exercise itself is sound.
"""

from __future__ import annotations

import inspect
import math
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from workbench.exercises.ordering import Ordering

LADDER = ("nudge", "principle", "worked step")  # what the three hints of a task are, in order
INDENT = 4 * " "
DRAWS = 3  # times each labeled input is drawn anew


def call(answer: Callable[..., Any], *inputs: Any) -> Any:
    """The value of an answer that is a plain function of the inputs."""
    return answer(*inputs)


@dataclass(frozen=True)
class Budget:
    """How much of something an answer may spend on one input.

    `measure(answer, *inputs)` returns what it spent, `limit(*inputs)` the most it may; both in `unit`. Budgets with the
    same `measure` share one measurement, from which each takes its number by `reading`.
    """

    measure: Callable[..., Any]
    limit: Callable[..., float]
    unit: str
    reading: Callable[[Any], float] = float


@dataclass(frozen=True)
class Case:
    """One set of arguments to try, with the label of its kind, such as "ragged"."""

    label: str
    inputs: tuple[Any, ...]


@dataclass(frozen=True)
class Exercise:
    """A task that asks for a function, with everything needed to judge one.

    `name` is "track.task"; `signature` is the first line of the function asked for, without `def` and colon;
    `inputs(rng)` returns {label: arguments} with at least three labels, among them "ragged" and one of "empty"
    and "extreme"; `wrong` maps a misconception to a function that has it; `hints` are three (see `LADDER`).
    `run(answer, *inputs)` makes of an answer the value that is compared; None means that it has not done anything.
    `again` is a fresh task of the same shape, `ordering` the lines of a solution out of order. Raises ValueError naming
    the field that does not fit. `prove` checks what only running can show.
    """

    name: str
    lesson: str
    title: str
    statement: str
    signature: str
    solution: Callable[..., Any]
    wrong: Mapping[str, Callable[..., Any]]
    inputs: Callable[[np.random.Generator], Mapping[str, tuple[Any, ...]]]
    hints: tuple[str, ...]
    budgets: Mapping[str, Budget] = field(default_factory=dict)
    points: int = 1
    tolerance: float = 1e-6
    run: Callable[..., Any] = call
    again: Exercise | None = None
    ordering: Ordering | None = None

    def __post_init__(self) -> None:
        _check_task(self.name, self.hints)
        if not self.signature.startswith(self.name.partition(".")[2] + "("):
            raise ValueError(f"signature: expected the function {self.name!r} names, got {self.signature!r}")
        if not self.wrong:
            raise ValueError(f"wrong: {self.name} names no misconception")
        if self.points < 1:
            raise ValueError(f"points: expected at least 1, got {self.points}")
        if self.again is not None and (self.again.again is not None or self.again.lesson != self.lesson):
            raise ValueError(f"again: expected a last task of {self.lesson!r}, got {self.again.name!r}")

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the answer's arguments, in order; where `run` calls it otherwise, the inputs come first."""
        return tuple(inspect.signature(self.solution).parameters)

    @property
    def stub(self) -> str:
        """The text a reader starts from: the function with its task and nothing in it."""
        task = textwrap.fill(f'"""{self.statement}"""', 88, initial_indent=INDENT, subsequent_indent=INDENT)
        return f"def {self.signature}:\n{task}\n    ...  # your answer here\n"

    def cases(self, seed: int = 0) -> list[Case]:
        """The inputs to try, smallest first; the same seed draws the same ones.

        Raises ValueError when a kind of input that every exercise needs is missing.
        """
        cases = []
        for draw in range(DRAWS):
            labeled = self.inputs(np.random.default_rng([seed, draw]))
            kinds = set(labeled)
            if len(kinds) < 3 or "ragged" not in kinds or not kinds & {"empty", "extreme"}:
                raise ValueError(
                    f"inputs: {self.name} needs three kinds, among them 'ragged' and 'empty' or 'extreme', "
                    f"got {sorted(kinds)}"
                )
            cases += [Case(label, tuple(arguments)) for label, arguments in labeled.items()]
        return sorted(cases, key=lambda case: size(case.inputs))


@dataclass(frozen=True)
class Question:
    """A multiple-choice question: `why` holds, for every option, what choosing it shows or why it is right.

    `options` maps a letter to its text, `answer` is the right letter. Options keep their order, so that a text
    may speak of "b". Raises ValueError naming the field that does not fit.
    """

    name: str
    lesson: str
    prompt: str
    options: Mapping[str, str]
    answer: str
    why: Mapping[str, str]
    hints: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_task(self.name, self.hints or LADDER)
        if len(self.options) < 2 or self.answer not in self.options:
            raise ValueError(
                f"answer: expected one of two or more options, got {self.answer!r} in {self.name}"
            )
        if set(self.why) != set(self.options):
            raise ValueError(
                f"why: {self.name} must explain each of {sorted(self.options)}, got {sorted(self.why)}"
            )


def size(value: Any) -> float:
    """How large an input is, so that the smallest failing one can be shown: numbers by value, arrays by length."""
    if isinstance(value, (bool, int, float, np.generic)):
        return abs(float(value)) if math.isfinite(value) else math.inf
    if isinstance(value, Mapping):
        return sum(size(part) for part in value.values())
    if isinstance(value, (tuple, list)):
        return len(value) + sum(size(part) for part in value)
    return float(math.prod(value.shape)) if hasattr(value, "shape") else 0.0


def _check_task(name: str, hints: tuple[str, ...]) -> None:
    track, dot, task = name.partition(".")
    if not (track.isidentifier() and dot and task.isidentifier()):
        raise ValueError(f"name: expected 'track.task', got {name!r}")
    if len(hints) != len(LADDER):
        raise ValueError(f"hints: {name} needs {len(LADDER)} ({', '.join(LADDER)}), got {len(hints)}")
