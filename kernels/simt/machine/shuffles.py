"""Shuffles and votes: how the lanes of a warp tell each other numbers without memory.

Every lane that a mask names and that has not returned has to execute the same shuffle; what a lane gets from one that
does not is undefined, so it is a hazard, and 0 here. Source: CUDA C++ Programming Guide, "Warp Shuffle Functions" and
"Warp Vote Functions".
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.simt.counters import WARP
from kernels.simt.hazards import Line, ShuffleInactiveLane
from kernels.simt.lanes import Lanes, Number

FULL = 0xFFFFFFFF


def shuffle(
    machine: Any, lanes: Lanes, how: str, mask: Number, value: Number, by: Number, line: Line
) -> Number:
    """What each lane gets from another; how: "idx" (from lane `by`), "up", "down" or "xor"."""
    value, by = lanes.spread(value), lanes.spread(by).astype(np.int64)
    own = lanes.index % WARP
    source = {"idx": by % WARP, "up": own - by, "down": own + by, "xor": own ^ by}[how]
    source = np.where((source < 0) | (source >= WARP), own, source)  # beyond the warp: one's own value
    place = _places(lanes)
    taken = place[lanes.index - own + source]
    _check(machine, lanes, mask, line, taken < 0, source)
    machine.watch("shuffle", lanes, line)
    return np.where(taken < 0, np.zeros(1, dtype=value.dtype), value[taken])


def vote(machine: Any, lanes: Lanes, how: str, mask: Number, value: Number, line: Line) -> Any:
    """What the lanes of a warp agree on; how: "all", "any", "eq", "ballot", "match_any" or "match_all"."""
    value = lanes.spread(value)
    _check(machine, lanes, mask, line)
    machine.watch("vote", lanes, line)
    named = active(lanes) & np.asarray(mask, dtype=np.int64)
    if how in ("match_any", "match_all"):
        same = _same(lanes, value) & named
        return same.astype(np.int32) if how == "match_any" else (
            np.where(same == named, same, 0).astype(np.int32), same == named)  # fmt: skip
    yes = _bits(lanes, value != 0) & named
    if how == "ballot":
        return yes.astype(np.uint32).view(np.int32)
    return {"all": yes == named, "any": yes != 0, "eq": (yes == named) | (yes == 0)}[how]


def active(lanes: Lanes) -> np.ndarray:
    """A bit for each active lane of one's warp: int64 (count,)."""
    return _bits(lanes, np.ones(lanes.count, dtype=bool))


def _bits(lanes: Lanes, which: np.ndarray) -> np.ndarray:
    """A bit for each lane of one's warp for which `which` (count,) is true: int64 (count,)."""
    bits = np.where(which, np.left_shift(np.int64(1), lanes.index % WARP), 0)
    return np.repeat(np.bitwise_or.reduceat(bits, lanes.starts), lanes.warp_sizes)


def _same(lanes: Lanes, value: np.ndarray) -> np.ndarray:
    """A bit for each active lane of one's warp with an equal value: int64 (count,)."""
    place = _places(lanes).reshape(-1, WARP)[lanes.index // WARP]  # (count, 32)
    equal = (place >= 0) & (value[place] == value[:, None])
    return np.where(equal, np.left_shift(np.int64(1), np.arange(WARP)), 0).sum(axis=1)


def _places(lanes: Lanes) -> np.ndarray:
    """Where each lane of the chunk stands among the active ones, -1 for the others: (lanes,)."""
    place = np.full(lanes.chunk.lanes, -1)
    place[lanes.index] = np.arange(lanes.count)
    return place


def _check(
    machine: Any, lanes: Lanes, mask: Number, line: Line, missing: Any = None, source: Any = None
) -> None:
    """Report a lane outside its own mask, a mask with lanes that are busy elsewhere, a source that is not here."""
    own = lanes.index % WARP
    masks = lanes.spread(np.asarray(mask, dtype=np.int64)[()]) & FULL
    if missing is not None and missing.any():
        machine.report(
            ShuffleInactiveLane, lanes, missing, "shuffles", line, None,
            lambda lane: f"asks lane {source[lane]} for its value, which does not execute this shuffle; let all lanes "
            "of the mask come here",
        )  # fmt: skip
    outside = (masks >> own) & 1 == 0
    if outside.any():
        machine.report(
            ShuffleInactiveLane, lanes, outside, "shuffles", line, None,
            lambda lane: f"(lane {own[lane]}) is not in its own mask {masks[lane]:#010x}; name every lane that "
            "comes here",
        )  # fmt: skip
    alive = machine.alive_bits()[lanes.index // WARP]
    away = masks & alive & ~active(lanes)
    if away.any():
        machine.report(
            ShuffleInactiveLane, lanes, away != 0, "shuffles", line, None,
            lambda lane: f"names lane {int(away[lane]).bit_length() - 1} in its mask {masks[lane]:#010x}, which is not "
            "executing this; reconverge first, or take the mask from where all lanes still are",
        )  # fmt: skip
