"""A whole run at a glance: a line for each operation and size, geometric means, and which goals are met.

Ratios are averaged by their geometric mean: twice as fast and half as fast make even, and it does not matter who is
divided by whom (P. Fleming, J. Wallace, How not to lie with statistics, CACM 29(3), 1986). The means are over the
memory-bound cases: fusing saves bytes, and where the bytes are what takes the time it should show.
"""

import math
from collections.abc import Iterable, Sequence

from kernels.bench.result import Result
from kernels.bench.rivals import COMPILED, EAGER, LIGER, OURS

COLUMNS = {EAGER: "v eager", COMPILED: "v compiled", LIGER: "v Liger"}
LEGEND = (
    "v …: how many times as fast ours is, ± half the quartile range of the paired rounds; memory: ours at most over "
    "eager's;\n* bound by memory (by the ledger), and like for like: counted in the geometric means"
)


def geometric_mean(ratios: Iterable[float]) -> float | None:
    """The n-th root of the product of n ratios; None without any. Raises ValueError for one that is not positive."""
    logarithms = []
    for ratio in ratios:
        if not ratio > 0:
            raise ValueError(f"ratios must be positive, got {ratio}")
        logarithms.append(math.log(ratio))
    return math.exp(sum(logarithms) / len(logarithms)) if logarithms else None


def counts(result: Result) -> bool:
    """Whether a result is one of those that the means are taken over."""
    return result.work.memory_bound and not result.case.apart


def mean_speedup(results: Iterable[Result], rival: str) -> float | None:
    """The geometric mean of our speed-up over a rival, where it took part, over the memory-bound results."""
    ratios = (result.speedup(rival) for result in results if counts(result))
    return geometric_mean(ratio for ratio in ratios if ratio is not None)


def summary(results: Sequence[Result]) -> str:
    """The table, forward first, then with the backward pass, each with its means by size."""
    rivals = [rival for rival in COLUMNS if any(result.took_part(rival) for result in results)]
    head = (
        _row("", "size", [COLUMNS[rival] for rival in rivals])
        + f"  {'GB/s':>6}  {'of copy':>7}  {'memory':>7}"
    )
    lines = []
    for passes in dict.fromkeys(result.passes for result in results):
        chosen = [result for result in results if result.passes == passes]
        lines += [passes, head, *(_line(result, rivals) for result in chosen)]
        for size in sorted({result.size for result in chosen}):
            lines.append(_mean_line(size, [result for result in chosen if result.size == size], rivals))
        lines.append("")
    return "\n".join([*lines, LEGEND])


def _line(result: Result, rivals: Sequence[str]) -> str:
    name = f"{result.case.name}{' *' if counts(result) else ''}"
    bandwidth = result.work.bytes / result.timing.median(OURS) / 1e9
    memory = result.memory_ratio()
    figures = f"  {bandwidth:>6.3g}  {result.share_of_copy():>7.0%}  {'' if memory is None else f'{memory:.2f}×':>7}"
    doubt = "" if result.timing.trusted else "  untrusted"
    return _row(name, str(result.size), [_cell(result, rival) for rival in rivals]) + figures + doubt


def _cell(result: Result, rival: str) -> str:
    ratio = result.speedup(rival)
    return "" if ratio is None else f"{ratio:.2f}× ±{result.timing.ratio_spread(rival, OURS) / 2:<4.0%}"


def _mean_line(size: int, results: Sequence[Result], rivals: Sequence[str]) -> str:
    means = [mean_speedup(results, rival) for rival in rivals]
    cells = ["" if mean is None else f"{mean:.2f}×{'':6}" for mean in means]
    return _row("geometric mean *", str(size), cells)


def _row(name: str, size: str, cells: Sequence[str]) -> str:
    return f"{name:24}{size:>6}" + "".join(f"  {cell:>14}" for cell in cells)
