"""From conflicts to data races: which of them are one, and how to tell the reader."""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.simt.hazards import Access, DataRace, Line
from kernels.simt.instruments.shadow import Action, Conflicts
from kernels.simt.lanes import Lanes
from kernels.simt.machine.memory import View
from kernels.simt.machine.reports import from_start

PAST = {Action.READ: "read", Action.WRITE: "wrote", Action.ATOMIC: "updated atomically"}
PRESENT = {Action.READ: "reads", Action.WRITE: "writes", Action.ATOMIC: "updates atomically"}


def places(view: View, address: np.ndarray) -> np.ndarray:
    """A number for each byte of the launch: int64 (lanes,)."""
    return address + view.storage.base


def report(
    machine: Any,
    lanes: Lanes,
    view: View,
    address: np.ndarray,
    found: Conflicts,
    action: str,
    line: Line,
    values: tuple[np.ndarray, np.ndarray] | None = None,
) -> None:
    """Report the races among these conflicts, one for each pair of lines.

    values: of a store, what was there before and what each lane writes, each (count,). Two threads that write one and
    the same number leave it there whoever is last: a note, unless somebody else reads it meanwhile.
    """
    if not len(found):
        return
    benign = np.zeros(len(found), dtype=bool)
    if values is not None:
        before, written = (one[found.positions] for one in values)
        beside_me = np.minimum(np.searchsorted(lanes.threads, found.others), lanes.count - 1)
        other = np.where(found.times == machine.now, values[1][beside_me], before)
        equal = (written == other) | ((written != written) & (other != other))
        benign = equal & (found.actions == Action.WRITE)
        beside = np.unique(found.positions[~benign])  # the same lane races otherwise, too
        benign &= ~np.isin(found.positions, beside)
    sides = np.stack(
        (np.array([machine.log.index(int(time)) for time in found.times]), found.actions, benign)
    )
    _, firsts = np.unique(sides, axis=1, return_index=True)
    for place in sorted(firsts.tolist()):
        _race(machine, lanes, view, address, found, place, action, line, bool(benign[place]))


def _race(
    machine: Any,
    lanes: Lanes,
    view: View,
    address: np.ndarray,
    found: Conflicts,
    place: int,
    action: str,
    line: Line,
    benign: bool,
) -> None:
    earlier_line = machine.log.line(int(found.times[place]))
    kind = Action(int(found.actions[place]))
    earlier = machine.reports.access(PRESENT[kind], earlier_line, int(found.others[place]))
    later = machine.reports.access(action, line, int(lanes.threads[found.positions[place]]))
    position = int(found.positions[place])
    element = view.element_at(int(address[position]), position)
    byte = from_start(view, lanes, int(found.addresses[place]))
    who, other = f"thread {later.thread}", f"thread {earlier.thread}"
    if later.block != earlier.block:
        who, other = f"{who} of block {later.block}", f"{other} of block {earlier.block}"
    text = (
        f"{who} {action} {element}, which {other} {PAST[kind]} in line {earlier_line}, "
        f"and nothing orders the two"
    )
    if benign:
        text = f"benign race: {text}, but they write the same value and nobody reads it meanwhile"
    else:
        text += f"; {_advice(earlier, later)}"
    hazard = DataRace(text, accesses=(earlier, later), array=view.name, address=byte)
    machine.reports.hazard(hazard, (DataRace, line, earlier_line, view.name, benign), note=benign)


def _advice(earlier: Access, later: Access) -> str:
    """What would order the two."""
    if later.block != earlier.block:
        return (
            "order the blocks by a grid barrier or a second launch, hand over with a fence and an atomic, or make "
            "both atomic"
        )
    if "atomic" in earlier.action + later.action:
        return "make both atomic, or put a barrier between"
    if later.line == earlier.line:
        return "make it one atomic, or put a barrier between"
    return "a barrier is missing between: syncthreads, or syncwarp within a warp"
