"""What this package set out to reach, and what a run says of each goal. Information: a goal missed fails nothing.

The goals are for float32 and for the sizes that they name; a run without those says "not measured".
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from kernels.bench.result import Result
from kernels.bench.rivals import COMPILED, EAGER, OURS
from kernels.bench.summary import counts, mean_speedup

SMALL, LARGE = 128, 4096
Results = Sequence[Result]


@dataclass(frozen=True)
class Goal:
    """A figure that should be at least, or at most, so much."""

    text: str
    device: str
    measured: Callable[[Results], tuple[float, str] | None]  # the figure, and whose it is
    least: float | None = None
    most: float | None = None
    over_all: bool = False  # a mean over operations, of which a run of one operation says nothing

    def verdict(self, results: Results) -> str:
        """A line: met or missed, the figure and the bound."""
        bound = f"≥ {self.least:g}" if self.most is None else f"≤ {self.most:g}"
        found = self.measured(results)
        if found is None:
            return f"not measured          {bound:8}{self.text}"
        value, whose = found
        met = (self.least is None or value >= self.least) and (self.most is None or value <= self.most)
        return f"{'met' if met else 'MISSED':12}{value:8.3g}  {bound:8}{self.text} ({whose})"


def verdicts(results: Results, complete: bool = True) -> list[str]:
    """What a run in float32 says of the goals for its device; nothing for other dtypes.

    A run that is not `complete` has left operations out, and says nothing of means over all of them.
    """
    results = [result for result in results if result.dtype == torch.float32]
    if not results:
        return []
    device = torch.device(results[0].timing.device).type
    return [
        goal.verdict(results) for goal in GOALS if goal.device == device and (complete or not goal.over_all)
    ]


def _mean(size: int, backward: bool, rival: str) -> Callable[[Results], tuple[float, str] | None]:
    def measured(results: Results) -> tuple[float, str] | None:
        chosen = [
            result
            for result in results
            if counts(result) and (result.size, result.backward) == (size, backward)
            if result.speedup(rival) is not None
        ]
        mean = mean_speedup(chosen, rival)
        return None if mean is None else (mean, f"{len(chosen)} cases")

    return measured


def _lowest(
    figure: Callable[[Result], float | None],
    kinds: tuple[str, ...] = (),
    names: tuple[str, ...] = (),
    backward: bool = False,
) -> Callable[[Results], tuple[float, str] | None]:
    """The lowest figure among the large results of these kinds, or of these cases."""

    def measured(results: Results) -> tuple[float, str] | None:
        figures = [
            (value, result.case.name)
            for result in results
            if (result.size, result.backward) == (LARGE, backward)
            and (result.case.kind in kinds or result.case.name in names)
            and (value := figure(result)) is not None
        ]
        return min(figures, default=None)

    return measured


def _over_eager(result: Result) -> float | None:
    return result.speedup(EAGER)


def _over_best_of_torch(result: Result) -> float | None:
    """Speed over the fastest way to write it in torch, compiled ones apart."""
    ratios = (result.speedup(rival) for rival in (EAGER, *result.case.others))
    return min((ratio for ratio in ratios if ratio is not None), default=None)


def _over_compiled(result: Result) -> float | None:
    return result.speedup(COMPILED)


def _longest_launch(results: Results) -> tuple[float, str] | None:
    small = (result for result in results if result.launches and result.size == SMALL and not result.backward)
    return max(((1e6 * result.launches[OURS], result.case.name) for result in small), default=None)


def _means(size: int, rival: str, least: float) -> tuple[Goal, ...]:
    return tuple(
        Goal(
            f"speed over {rival} at {size}, {passes}: geometric mean of the memory-bound cases",
            "cpu",
            _mean(size, backward, rival),
            least,
            over_all=True,
        )
        for backward, passes in ((False, "forward"), (True, "forward and backward"))
    )


BY_ROWS = ("elementwise", "rows")
GOALS = (
    *_means(LARGE, EAGER, 2.0),
    *_means(LARGE, COMPILED, 1.2),
    *_means(SMALL, EAGER, 1.0),
    Goal(
        "share of copy bandwidth, lowest of the elementwise cases",
        "cpu",
        _lowest(Result.share_of_copy, kinds=("elementwise",)),
        0.7,
    ),
    Goal(
        "linear_cross_entropy: peak memory over torch eager's, forward and backward",
        "cpu",
        _lowest(Result.memory_ratio, names=("linear_cross_entropy",), backward=True),
        most=0.25,
    ),
    Goal(
        "csr_matmul: speed over torch's, lower of two densities",
        "cpu",
        _lowest(_over_best_of_torch, names=("csr_matmul 1%", "csr_matmul 10%")),
        1.0,
    ),
    Goal(
        "int8_linear: speed over float32, one row", "cpu", _lowest(_over_eager, names=("int8_linear",)), 2.5
    ),
    Goal(
        "share of copy bandwidth, lowest of elementwise cases, norms and softmax",
        "cuda",
        _lowest(Result.share_of_copy, kinds=BY_ROWS),
        0.9,
    ),
    Goal(
        "add_rms_norm and swiglu: speed over torch eager, lower of two",
        "cuda",
        _lowest(_over_eager, names=("add_rms_norm", "swiglu")),
        2.5,
    ),
    Goal(
        "elementwise cases, norms and softmax: speed over torch.compile, lowest",
        "cuda",
        _lowest(_over_compiled, kinds=BY_ROWS),
        1.0,
    ),
    Goal("microseconds to launch, longest forward call", "cuda", _longest_launch, most=10.0),
    Goal("matmul: speed over cuBLAS", "cuda", _lowest(_over_eager, names=("matmul",)), 0.6),
)
