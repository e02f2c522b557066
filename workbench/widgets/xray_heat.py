"""What the x-ray can measure of a line of source: four readings of its counters, each with the scale of its bar.

A line is judged per request or per statement, not by its totals: 32 sectors a request are as wasteful in a line that
runs once as in one that runs a million times. How often it runs is a reading of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kernels.simt.counters import WARP, Counters
from kernels.simt.instruments.traffic import SECTOR
from workbench.drawing.axes import with_unit


@dataclass(frozen=True)
class Heat:
    """A reading of a line's counters, None where the line does nothing of the kind.

    full: the value of the longest bar; None stands for the largest value of the run.
    """

    label: str  # in the drop-down list
    heading: str  # over the bars
    read: Callable[[Counters], float | None]
    wasteful: Callable[[Counters], bool]
    full: float | None = None


def sectors(line: Counters) -> float | None:
    """Sectors of global memory that a request takes: 4 at best for 32 lanes of 4 bytes, 32 at worst."""
    requests = line.global_load_requests + line.global_store_requests
    return line.sectors_per_request if requests else None


def fetches_too_much(line: Counters) -> bool:
    """Whether more bytes are moved than lanes asked for, where a request could do with less than it took."""
    requests = line.global_load_requests + line.global_store_requests
    moved = line.global_load_sectors + line.global_store_sectors
    return moved > requests and SECTOR * moved > line.global_bytes_useful


def conflicts(line: Counters) -> float | None:
    """Wavefronts of shared memory that a request takes beyond the fewest possible: 31 at worst for 4-byte words."""
    requests = line.shared_load_requests + line.shared_store_requests
    return line.shared_bank_conflicts / requests if requests else None


def lanes(line: Counters) -> float | None:
    """Lanes at work when a warp executes the line."""
    return line.lanes / line.statements if line.statements else None


def statements(line: Counters) -> float | None:
    """How often warps executed the line, over the whole launch."""
    return float(line.statements) if line.statements else None


HEATS = {
    "sectors": Heat(
        "sectors per request (global memory)", "sectors/request", sectors, fetches_too_much, full=32.0
    ),
    "conflicts": Heat(
        "bank conflicts per request (shared memory)",
        "conflicts/request",
        conflicts,
        lambda line: line.shared_bank_conflicts > 0,
        full=31.0,
    ),
    "lanes": Heat(
        "active lanes of 32",
        "active lanes",
        lanes,
        lambda line: line.lanes < WARP * line.statements,
        full=32.0,
    ),
    "statements": Heat("statements executed by warps", "statements", statements, lambda line: False),
}


def shown(value: float) -> str:
    """A reading in few digits: "4", "4.5", "16.8k"."""
    if 0 < value < 0.01:
        return "<0.01"
    return f"{value:.3g}" if value < 999.5 else with_unit(value, "").strip().replace(" ", "")
