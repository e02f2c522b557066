"""The knobs of an explorer: a choice, a number in a range, a switch; each becomes the browser's own input.

A control knows its name in the state, its visible label, its first value, and which values it accepts: what comes
from a browser is checked here before any frame is computed from it.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol


class Control(Protocol):
    """What an explorer asks of a knob."""

    @property
    def name(self) -> str: ...
    @property
    def label(self) -> str: ...
    @property
    def first(self) -> Any:
        """The value before anyone has touched it."""

    def checked(self, value: Any) -> Any:
        """The value as the frame gets it; ValueError says what was expected."""

    def worded(self, value: Any) -> str:
        """The value as a reader sees it."""

    def data(self) -> dict[str, Any]:
        """What the browser needs to build the input."""


@dataclass(frozen=True)
class Select:
    """One of several options, as a drop-down list; `options` are the values, or a dict value -> visible text."""

    name: str
    label: str
    options: dict[str, str] | tuple[str, ...]
    value: str | None = None  # the first option

    def __post_init__(self) -> None:
        if not self.options:
            raise ValueError(f"{self.name}: options must not be empty")
        self.checked(self.first)

    @property
    def texts(self) -> dict[str, str]:
        """Value -> visible text."""
        return self.options if isinstance(self.options, dict) else {option: option for option in self.options}

    @property
    def first(self) -> str:
        return next(iter(self.options)) if self.value is None else self.value

    def checked(self, value: Any) -> str:
        if not isinstance(value, str) or value not in self.options:
            raise ValueError(f"{self.name} must be one of {', '.join(self.options)}, got {value!r}")
        return value

    def worded(self, value: Any) -> str:
        return self.texts[value]

    def data(self) -> dict[str, Any]:
        return {"kind": "select", "name": self.name, "label": self.label, "options": list(self.texts.items())}


@dataclass(frozen=True)
class Range:
    """A number from `low` to `high` in steps of `step`, as a slider; `unit` is written behind it."""

    name: str
    label: str
    low: float
    high: float
    step: float
    value: float | None = None  # low
    unit: str = ""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ValueError(f"{self.name}: low must be below high, got {self.low} and {self.high}")
        if not (math.isfinite(self.step) and 0 < self.step <= self.high - self.low):
            raise ValueError(f"{self.name}: step must be above 0 and fit into the range, got {self.step}")
        self.checked(self.first)

    @property
    def first(self) -> float:
        return self.low if self.value is None else self.value

    def checked(self, value: Any) -> float:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not self.low <= value <= self.high:  # nan fails too
            raise ValueError(
                f"{self.name} must be a number from {self.low:g} to {self.high:g}, got {value!r}"
            )
        steps = round((value - self.low) / self.step)  # as the browser does: to the nearest step
        nearest = self.low + min(steps, math.floor((self.high - self.low) / self.step + 1e-9)) * self.step
        return int(nearest) if float(nearest).is_integer() else round(nearest, 10)

    def worded(self, value: Any) -> str:
        return f"{value:g}{self.unit and ' '}{self.unit}"

    def data(self) -> dict[str, Any]:
        return {"kind": "range", **asdict(self)}


@dataclass(frozen=True)
class Toggle:
    """On or off, as a check box."""

    name: str
    label: str
    value: bool = False
    words: tuple[str, str] = field(default=("off", "on"))

    def __post_init__(self) -> None:
        self.checked(self.value)

    @property
    def first(self) -> bool:
        return self.value

    def checked(self, value: Any) -> bool:
        if not isinstance(value, bool):
            raise ValueError(f"{self.name} must be true or false, got {value!r}")
        return value

    def worded(self, value: Any) -> str:
        return self.words[bool(value)]

    def data(self) -> dict[str, Any]:
        return {"kind": "toggle", "name": self.name, "label": self.label}
