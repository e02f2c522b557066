"""From numbers to places in a picture: scales, round ticks, values with units, labels that do not collide.

A scale maps an interval of the data to one of the picture, linearly or by the logarithm; drawing a chart by it takes
no plotting library, and gives both inks the same points.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

PREFIXES = {-9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T", 15: "P"}


@dataclass(frozen=True)
class Scale:
    """Maps data from `low` to `high` onto the picture from `start` to `end`, with `log` by the logarithm.

    Raises ValueError for an empty interval, or one that reaches 0 on a logarithmic scale.
    """

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(f"low must be below high, got {self.low} and {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"a logarithmic scale starts above 0, got {self.low}")

    def place(self, value: float) -> float:
        """Where a value stands in the picture."""
        if self.log:
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self, count: int = 5) -> list[float]:
        """Round values within the interval: powers of ten, or about `count` even steps of 1, 2 or 5 times one."""
        if self.log:
            first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
            return [10.0**power for power in range(first, last + 1)]
        rough = (self.high - self.low) / count
        power = 10.0 ** math.floor(math.log10(rough))
        steps = [power * nice for nice in (1, 2, 5, 10)]
        step = next(step for step in steps if step >= rough * 0.99)
        if step > self.high - self.low:  # longer than the interval: it may lie between two of its multiples
            step = steps[steps.index(step) - 1]
        first = math.ceil(self.low / step - 1e-9)
        return [n * step for n in range(first, math.floor(self.high / step + 1e-9) + 1)]


def with_unit(value: float, unit: str, digits: int = 3) -> str:
    """A value with an SI prefix: `with_unit(67_108_864, "B")` is "67.1 MB"."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g} {unit}"
    rounded = float(f"{value:.{digits}g}")  # first, so that 999.96 becomes 1 k, not 1000
    power = min(max(3 * math.floor(math.log10(abs(rounded)) / 3), min(PREFIXES)), max(PREFIXES))
    shown = rounded / 10.0**power
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(shown))))
    text = f"{shown:.{decimals}f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text} {PREFIXES[power]}{unit}"


def spread_out(places: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Moves label positions apart until neighbors are `gap` away, staying within `low` and `high` where they fit."""
    order = sorted(range(len(places)), key=lambda i: places[i])
    moved = [min(max(places[i], low), high) for i in order]
    for i in range(1, len(moved)):  # push down
        moved[i] = max(moved[i], moved[i - 1] + gap)
    if moved and moved[-1] > high:
        moved[-1] = high
        for i in range(len(moved) - 2, -1, -1):  # push back up
            moved[i] = min(moved[i], moved[i + 1] - gap)
    result = [0.0] * len(places)
    for i, position in zip(order, moved, strict=True):
        result[i] = position
    return result
