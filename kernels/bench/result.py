"""What a race gave, as text to read and as rows to keep.

GB/s counts the same bytes for all, the operation's ledger (the fewest that must move), so that a rival which moves more
shows as slower.
"""

from dataclasses import dataclass, field
from typing import Any

import torch

from kernels.bench.case import Case
from kernels.bench.rivals import EAGER, OURS
from kernels.bench.work import Work
from workbench.profiling.timing import Timing

COPY = "copy"
MEGABYTE = 1e6


@dataclass(frozen=True)
class Result:
    """The rivals of one case at one size, forward or with the backward pass."""

    case: Case
    size: int
    backward: bool
    dtype: torch.dtype
    work: Work
    timing: Timing
    peaks: dict[str, int]  # bytes by rival
    launches: dict[str, float] = field(default_factory=dict)  # seconds by rival, on a GPU
    left_out: dict[str, str] = field(default_factory=dict)  # rivals that cannot run this, and why

    @property
    def passes(self) -> str:
        return "forward and backward" if self.backward else "forward"

    @property
    def dtype_name(self) -> str:
        return str(self.dtype).removeprefix("torch.")

    @property
    def rivals(self) -> list[str]:
        """Everyone but the copy, ours first."""
        return [name for name in self.timing.samples if name != COPY]

    def took_part(self, rival: str) -> bool:
        return rival in self.timing.samples

    def speedup(self, rival: str) -> float | None:
        """How many times as fast as a rival ours is; None if it took no part."""
        return self.timing.ratio(rival, OURS) if self.took_part(rival) else None

    def share_of_copy(self, rival: str = OURS) -> float:
        """The bandwidth of a rival over that of the copy, which moves as many bytes."""
        return self.timing.ratio(COPY, rival)

    def memory_ratio(self) -> float | None:
        """Our peak memory over torch eager's; None if that took no part or holds none."""
        theirs = self.peaks.get(EAGER)
        return self.peaks[OURS] / theirs if theirs else None

    def rows(self) -> list[dict[str, Any]]:
        """A flat row for each rival, as the CSV file holds them."""
        return [self._row(rival) for rival in self.rivals]

    def _row(self, rival: str) -> dict[str, Any]:
        timing, seconds = self.timing, self.timing.median(rival)
        return {
            "operation": self.case.operation,
            "variant": self.case.variant,
            "size": self.size,
            "dtype": self.dtype_name,
            "passes": self.passes,
            "rival": rival,
            "seconds": seconds,
            "spread": timing.spread(rival),
            "bytes": self.work.bytes,
            "flops": self.work.flops,
            "memory_bound": self.work.memory_bound,
            "gigabytes_per_second": self.work.bytes / seconds / 1e9,
            "share_of_copy": self.share_of_copy(rival),
            "times_slower_than_ours": timing.ratio(rival, OURS),
            "ratio_spread": timing.ratio_spread(rival, OURS),
            "peak_bytes": self.peaks[rival],
            "launch_seconds": self.launches.get(rival, ""),
            "device": timing.device,
            "cores": timing.cores,
            "threads": timing.threads,
            "cpu_share": timing.cpu_share,
            "trusted": timing.trusted,
        }

    def __str__(self) -> str:
        copy = self.work.bytes / self.timing.median(COPY) / 1e9
        bound = "memory" if self.work.memory_bound else "arithmetic"
        return "\n".join(
            [
                f"{self.case.name} {self.size}, {self.dtype_name}, {self.passes}: {self.work.bytes / MEGABYTE:,.2f} MB"
                f" (unfused {self.work.unfused_bytes / MEGABYTE:,.2f}), bound by {bound}; a copy moves {copy:.3g} GB/s",
                *map(self._line, self.rows()),
                *(f"  {name} is left out: {reason}" for name, reason in self.left_out.items()),
                *([f"  {self.case.apart}"] if self.case.apart else []),
                f"  {self.timing.state}",
                "",
            ]
        )

    def _line(self, row: dict[str, Any]) -> str:
        if self.work.memory_bound:
            rate = f"{row['gigabytes_per_second']:8.3g} GB/s {row['share_of_copy']:5.0%} of copy"
        else:
            rate = f"{row['flops'] / row['seconds'] / 1e9:8.3g} GFLOP/s"
        line = (
            f"  {row['rival']:14}{row['seconds'] * 1e3:10.4g} ms ±{row['spread'] / 2:<4.0%}{rate}"
            f"{row['peak_bytes'] / MEGABYTE:10,.2f} MB at most"
        )
        if row["launch_seconds"]:
            line += f"{row['launch_seconds'] * 1e6:8.1f} µs to launch"
        if row["rival"] != OURS:
            line += f"   ours is {row['times_slower_than_ours']:.2f}× as fast ±{row['ratio_spread'] / 2:.0%}"
        return line
