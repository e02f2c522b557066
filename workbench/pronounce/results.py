"""The experiment's results: one run for each variant and seed, as a table of means and spreads.

The spread is the standard deviation over seeds. Runs of one seed saw the same words in the same order, so two variants
are compared seed by seed: a difference smaller than about two of its own spreads is not shown by the experiment. All
were tested on the same words, which are a sample too: a word error of 40% on 1,700 words is exact to 1.2 points.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from statistics import fmean, stdev
from typing import Any

Spread = tuple[float, float]  # mean and standard deviation over seeds


@dataclass(frozen=True)
class Run:
    """One variant trained once. Errors are shares; seconds are processor time of training on one thread."""

    variant: str
    seed: int
    parameters: int
    phoneme_error: float
    word_error: float
    loss: float
    cpu_seconds: float


@dataclass(frozen=True)
class Results:
    """`head` says what is needed to make the runs again."""

    head: dict[str, Any]
    runs: tuple[Run, ...] = ()

    @property
    def variants(self) -> list[str]:
        return list(dict.fromkeys(run.variant for run in self.runs))

    def of(self, variant: str) -> list[Run]:
        """The runs of one variant by seed. Raises ValueError when there are none."""
        runs = sorted((run for run in self.runs if run.variant == variant), key=lambda run: run.seed)
        if not runs:
            raise ValueError(f"variant: expected one of {', '.join(self.variants)}; got {variant!r}")
        return runs

    def spread(self, variant: str, what: str = "phoneme_error") -> Spread:
        """Mean and spread over seeds of a field of `Run`."""
        return mean_and_spread(getattr(run, what) for run in self.of(variant))

    def difference(self, first: str, second: str, what: str = "phoneme_error") -> Spread:
        """By how much `first` exceeds `second`: mean and spread of the differences, seed by seed.

        Raises ValueError when they have no seed in common.
        """
        values = [{run.seed: getattr(run, what) for run in self.of(variant)} for variant in (first, second)]
        return mean_and_spread(
            values[0][seed] - values[1][seed] for seed in values[0].keys() & values[1].keys()
        )

    def to_json(self) -> str:
        """As JSON, one run a line."""
        rows = ",\n".join(json.dumps(asdict(run)) for run in self.runs)
        return json.dumps(self.head)[:-1] + ', "runs": [\n' + rows + "\n]}\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> Results:
        head = json.loads(text)
        return cls(head, tuple(Run(**row) for row in head.pop("runs")))

    def __str__(self) -> str:
        """A table in Markdown, the mean ± spread of each variant."""
        lines = [
            "| variant | phoneme error | word error | parameters | CPU seconds | seeds |",
            "|---|---|---|---|---|---|",
        ]
        for variant in self.variants:
            cells = [variant]
            for what, scale in (("phoneme_error", 100), ("word_error", 100)):
                mean, spread = self.spread(variant, what)
                cells.append(f"{scale * mean:.1f} ± {scale * spread:.1f}%")
            runs = self.of(variant)
            cells += [
                f"{runs[0].parameters:,}",
                f"{self.spread(variant, 'cpu_seconds')[0]:.0f}",
                f"{len(runs)}",
            ]
            lines.append(f"| {' | '.join(cells)} |")
        return "\n".join(lines)


def mean_and_spread(values: Iterable[float]) -> Spread:
    """Mean and sample standard deviation (0 for a single value). Raises ValueError when there is none."""
    listed = list(values)
    if not listed:
        raise ValueError("values: expected at least one")
    return fmean(listed), stdev(listed) if len(listed) > 1 else 0.0
