"""Accuracies of several ways of fusing, over seeds: their mean, their spread, and fair differences.

Two models trained from the same seed saw the same data in the same order, so their difference is taken seed by seed.
A difference smaller than its own spread over seeds is not shown by the experiment, however often it is repeated in
prose. (The test set is a sample too: with 341 items one accuracy has a standard error of about 2.6 points.)
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean, stdev

Key = tuple[str, str, float]  # fusion, corrupted modality ("none", "picture" or "name"), amount


@dataclass(frozen=True)
class Comparison:
    """`accuracies`: for each (fusion, corrupted, amount) one share of right answers per seed, in the seeds' order."""

    accuracies: dict[Key, list[float]]

    def results(self) -> dict[Key, tuple[float, float]]:
        """(fusion, corrupted, amount) -> (mean, standard deviation over seeds; 0 for one seed)."""
        return {key: mean_and_spread(values) for key, values in self.accuracies.items()}

    def difference(
        self, first: str, second: str, corrupted: str = "none", amount: float = 0.0
    ) -> tuple[float, float]:
        """By how much `first` beats `second`: mean and standard deviation of the seeds' own differences.

        Raises ValueError naming what was not measured.
        """
        pairs = []
        for fusion in (first, second):
            if (fusion, corrupted, amount) not in self.accuracies:
                raise ValueError(f"no accuracy of {fusion!r} with {corrupted!r} corrupted by {amount}")
            pairs.append(self.accuracies[fusion, corrupted, amount])
        return mean_and_spread([one - other for one, other in zip(*pairs, strict=True)])


def mean_and_spread(values: list[float]) -> tuple[float, float]:
    """Mean and sample standard deviation (0 for a single value)."""
    return fmean(values), stdev(values) if len(values) > 1 else 0.0
