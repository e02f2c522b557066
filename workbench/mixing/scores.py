"""Accuracies of several methods under several conditions, one number per seed, and how they are compared.

A seed decides how a model starts and in which order it sees the data; methods that shared a seed shared that luck. So
two methods are compared seed by seed, and what counts is their mean difference beside its own spread: d ± s over n
seeds. It is *shown* when |d| > t·s/√n, where t is the quantile of Student's distribution that gives an interval of 95%
(2.78 for five seeds). Of twenty differences that are nothing, one is shown all the same. The test items are a sample
too, which all seeds share: an accuracy of 50%, counted on 341 items, has a standard error of √(p(1−p)/341) = 2.7%.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from statistics import fmean

import torch
from tqdm.auto import tqdm

from workbench.data import read_asset, write_asset
from workbench.mixing.comparison import mean_and_spread

# two-sided 95% quantiles of Student's t for 1, 2, … degrees of freedom; from 10 on 2.0 is near enough
STUDENT_T = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26)


@dataclass(frozen=True, repr=False)
class Scores:
    """`by_seed`: for each (method, condition) a share of right answers per seed, in the seeds' order."""

    by_seed: dict[tuple[str, str], list[float]]

    @property
    def methods(self) -> list[str]:
        return list(dict.fromkeys(method for method, _ in self.by_seed))

    @property
    def conditions(self) -> list[str]:
        return list(dict.fromkeys(condition for _, condition in self.by_seed))

    def of(self, methods: Sequence[str]) -> Scores:
        """The scores of some methods alone, in the order given; ValueError for one that is not there."""
        if unknown := [method for method in methods if method not in self.methods]:
            raise ValueError(f"methods: expected some of {self.methods}, got {unknown}")
        return Scores(
            {(m, c): self.by_seed[m, c] for m in methods for c in self.conditions if (m, c) in self.by_seed}
        )

    def mean(self, method: str, condition: str) -> float:
        return fmean(self._seeds(method, condition))

    def spread(self, method: str, condition: str) -> float:
        """Standard deviation over seeds; 0 for a single one."""
        return mean_and_spread(self._seeds(method, condition))[1]

    def difference(self, first: str, second: str, condition: str) -> tuple[float, float]:
        """By how much `first` beats `second`: mean and standard deviation of the seeds' own differences."""
        pairs = zip(self._seeds(first, condition), self._seeds(second, condition), strict=True)
        return mean_and_spread([one - other for one, other in pairs])

    def shown(self, first: str, second: str, condition: str) -> bool:
        """Whether the difference is more than the luck of the seeds, at 95%; never with a single seed."""
        seeds = len(self._seeds(first, condition))
        difference, spread = self.difference(first, second, condition)
        if seeds < 2:
            return False
        t = STUDENT_T[seeds - 2] if seeds - 2 < len(STUDENT_T) else 2.0
        return abs(difference) > t * spread / math.sqrt(seeds)

    def _seeds(self, method: str, condition: str) -> list[float]:
        if (method, condition) not in self.by_seed:
            known = f"methods {', '.join(self.methods)}; conditions {', '.join(self.conditions)}"
            raise ValueError(f"no score of {method!r} under {condition!r}; there are {known}")
        return self.by_seed[method, condition]

    def _rows(self) -> list[list[str]]:
        """The table in percent, a method a row; what was not measured stays empty."""
        rows = [["% right", *self.conditions]]
        for method in self.methods:
            cells = []
            for condition in self.conditions:
                measured = (method, condition) in self.by_seed
                mean, spread = mean_and_spread(self._seeds(method, condition)) if measured else (0, 0)
                cells.append(f"{100 * mean:.1f} ± {100 * spread:.1f}" if measured else "")
            rows.append([method, *cells])
        return rows

    def __repr__(self) -> str:
        rows = self._rows()
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join(
            "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows
        )

    def _repr_html_(self) -> str:
        head, *body = self._rows()
        lines = ["".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)]
        for method, *cells in body:
            numbers = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
            lines.append(f'<th scope="row" style="text-align: left">{escape(method)}</th>{numbers}')
        return "<table>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"


def join(runs: Sequence[Mapping[tuple[str, str], float]]) -> Scores:
    """One `Scores` of several seeds' measurements, which must have the same keys."""
    return Scores({key: [run[key] for run in runs] for key in runs[0]})


def command(
    module: str,
    asset: str,
    one_seed: Callable[[int], Mapping[tuple[str, str], float]],
    arguments: Sequence[str] | None = None,
) -> Scores:
    """What `python -m module --seeds 5 --threads 1` does: measures seed after seed and writes the scores."""
    parser = argparse.ArgumentParser(prog=f"python -m {module}")
    parser.add_argument("--seeds", type=int, default=5, help="how often to train everything (default: 5)")
    parser.add_argument("--threads", type=int, default=1, help="torch threads; another number, other digits")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    scores = join([one_seed(seed) for seed in tqdm(range(options.seeds), unit="seed")])
    save(asset, scores, f"python -m {module} --seeds {options.seeds} --threads {options.threads}")
    print(scores)
    return scores


def save(asset: str, scores: Scores, command: str) -> None:
    """Writes the scores as an asset, one condition a line, with the command that makes them again."""
    head = {"command": command, "torch": torch.__version__, "machine": platform.machine()}
    rows = [
        json.dumps(
            {"method": method, "condition": condition, "by_seed": [round(share, 6) for share in by_seed]}
        )
        for (method, condition), by_seed in scores.by_seed.items()
    ]
    text = json.dumps(head)[:-1] + ', "scores": [\n' + ",\n".join(rows) + "\n]}\n"
    write_asset(asset, text.encode())


def load(asset: str) -> Scores:
    """The scores that `save` wrote. Raises DataError when the asset is missing or damaged."""
    rows = json.loads(read_asset(asset))["scores"]
    return Scores({(row["method"], row["condition"]): row["by_seed"] for row in rows})
