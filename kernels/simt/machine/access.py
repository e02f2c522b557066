"""Loads, stores and atomics: what moves, what it costs, and what is wrong with it.

Every access goes the same way: indices become addresses, lanes outside or misaligned are reported and left out, the
instruments look at the addresses of the rest (sectors or wavefronts, then who else touched those bytes), and the bytes
move. Local arrays and constants are each thread's own or never written: they only move.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.simt.hazards import Line, MisalignedAccess, NegativeIndex, OutOfBounds, UninitialisedShared
from kernels.simt.instruments.traffic import global_traffic, shared_traffic
from kernels.simt.lanes import Lanes, Number
from kernels.simt.machine import atomics, races
from kernels.simt.machine.memory import View, Views, element, some

WATCHED = ("global", "shared")  # the spaces that threads share, and whose traffic counts


def load(machine: Any, lanes: Lanes, view: View | Views, where: tuple[Number, ...], line: Line) -> Number:
    """The elements at `where`, one index an axis; 0 for a lane whose index is outside."""
    if isinstance(view, Views):
        values = np.zeros(lanes.count, dtype=view.dtype)
        for mine, one in view.apart():
            values[mine] = load(machine, lanes.only(mine), one, some(where, mine), line)
        return values
    inside, view, address, kept = _checked(machine, lanes, view, where, "reads", line)
    if view.storage.space in WATCHED and inside.count:
        spread = inside.spread(address) if isinstance(address, np.ndarray) else np.full(inside.count, address)
        _count(machine, inside, view, spread, "load", line)
        now, shadow, size = machine.tick(line), view.storage.shadow, view.dtype.itemsize
        found = shadow.read(spread, size, inside.threads, now, machine.ordering)
        races.report(machine, inside, view, spread, found, "reads", line)
        if view.storage.space == "shared" and shadow.unset:
            unset = shadow.uninitialised(spread, size)
            inside, view, address, kept = _unset(machine, lanes, inside, view, spread, unset, kept, line)
    values = _elements(view, address)
    if kept is None:
        return values
    whole = np.zeros(lanes.count, dtype=view.dtype)
    whole[kept] = values
    return whole


def store(
    machine: Any, lanes: Lanes, view: View | Views, where: tuple[Number, ...], value: Number, line: Line
) -> None:
    """Write `value` at `where`; lanes outside write nothing. Of several that write one element, one wins."""
    if isinstance(view, Views):
        for mine, one in view.apart():
            (here,) = some((value,), mine)
            store(machine, lanes.only(mine), one, some(where, mine), here, line)
        return
    inside, view, address, kept = _checked(machine, lanes, view, where, "writes", line)
    if not inside.count:
        return
    if kept is not None and isinstance(value, np.ndarray):
        value = value[kept]
    value = inside.spread(value)
    address = address if isinstance(address, np.ndarray) else np.full(inside.count, address)
    found, before = None, None
    if view.storage.space in WATCHED:
        _count(machine, inside, view, address, "store", line)
        now = machine.tick(line)
        found = view.storage.shadow.write(address, view.dtype.itemsize, inside.threads, now, machine.ordering)
        before = _elements(view, address) if len(found) else None
    order = machine.any_order(inside.count)
    memory, index = _memory(view, address)
    memory[index[order]] = value[order]
    machine.scheduler.changed()
    if found is not None and before is not None:
        races.report(machine, inside, view, address, found, "writes", line, (before, value))


def atomic(
    machine: Any, lanes: Lanes, view: View | Views, where: tuple[Number, ...], operation: str,
    operands: tuple[Number, ...], line: Line,
) -> Number:  # fmt: skip
    """Update the elements at `where` lane by lane, nobody in between; returns what each lane found there."""
    if isinstance(view, Views):
        old = np.zeros(lanes.count, dtype=view.dtype)
        for mine, one in view.apart():
            old[mine] = atomic(
                machine, lanes.only(mine), one, some(where, mine), operation, some(operands, mine), line
            )
        return old
    inside, view, address, kept = _checked(machine, lanes, view, where, "updates", line)
    whole = np.zeros(lanes.count, dtype=view.dtype)
    if not inside.count:
        return whole
    given = [lanes.spread(operand) for operand in operands]
    if kept is not None:
        given = [operand[kept] for operand in given]
    address = address if isinstance(address, np.ndarray) else np.full(inside.count, address)
    order = machine.any_order(inside.count)
    if view.storage.space in WATCHED:
        machine.counter(line).atomics += inside.warps
        machine.watch("atomic", inside, line, view, address)
        if view.storage.space == "shared":
            unset = view.storage.shadow.uninitialised(address, view.dtype.itemsize)
            if unset.any():  # it updates what lies there: 0 in a simulator, which may stay
                _report_unset(machine, inside, view, address, unset, "updates", line)
        now = machine.tick(line)
        found = view.storage.shadow.atomic(
            address, view.dtype.itemsize, inside.threads, now, machine.ordering
        )
        races.report(machine, inside, view, address, found, "updates atomically", line)
        machine.ordering.atomic(inside.threads[order], races.places(view, address)[order], now)
    memory, index = _memory(view, address)
    if isinstance(order, slice):
        old, changed = atomics.update(memory, index, operation, given)
    else:
        old = np.empty(inside.count, dtype=view.dtype)
        old[order], changed = atomics.update(memory, index[order], operation, [one[order] for one in given])
    if changed:
        machine.scheduler.changed()
    else:
        machine.scheduler.suspicious = True
    if kept is None:
        return old
    whole[kept] = old
    return whole


def _checked(
    machine: Any, lanes: Lanes, view: View, where: tuple[Number, ...], action: str, line: Line
) -> tuple[Lanes, View, Number, np.ndarray | None]:
    """The lanes that may go on, the view as they have it, their addresses, and who they are (None: all)."""
    address, outside, wrapped = element(view, where, lanes)
    if wrapped is not None:
        machine.report(
            NegativeIndex, lanes, wrapped, action, line, view,
            lambda lane: f"{view.name}{_shown(where, lane)} {_past(action)} with a negative index, which Numba counts "
            f"from the end of shape {_shape(view, lane)}", note=True,
        )  # fmt: skip
    if outside is not None:
        machine.report(
            OutOfBounds, lanes, outside, action, line, view,
            lambda lane: f"{action} {view.name}{_shown(where, lane)}, outside its shape {_shape(view, lane)}; "
            "guard the access with a test of the index",
        )  # fmt: skip
    size = view.dtype.itemsize
    bad = outside
    if np.any(np.bitwise_and(address, view.dtype.alignment - 1)):
        misaligned = lanes.spread(np.bitwise_and(address, view.dtype.alignment - 1) != 0)
        at = lanes.spread(address)
        misaligned = misaligned if outside is None else misaligned & ~outside
        if misaligned.any():
            machine.report(
                MisalignedAccess, lanes, misaligned, action, line, view,
                lambda lane: f"{action} {size} bytes of {view.element_at(int(at[lane]), lane)} at byte {at[lane]}, "
                f"which is no multiple of {view.dtype.alignment}; begin the view at one", addresses=at,
            )  # fmt: skip
            bad = misaligned if bad is None else bad | misaligned
    if bad is None:
        return lanes, view, address, None
    kept = ~bad
    return lanes.only(kept), view.only(kept), lanes.spread(address)[kept], kept


def _unset(
    machine: Any, lanes: Lanes, inside: Lanes, view: View, address: np.ndarray, unset: np.ndarray,
    kept: np.ndarray | None, line: Line,
) -> tuple[Lanes, View, np.ndarray, np.ndarray]:  # fmt: skip
    """Report reads of shared memory that nobody has written, and leave those lanes out."""
    _report_unset(machine, inside, view, address, unset, "reads", line)
    whole = np.ones(lanes.count, dtype=bool) if kept is None else kept.copy()
    whole[np.flatnonzero(whole)[unset]] = False
    return inside.only(~unset), view.only(~unset), address[~unset], whole


def _report_unset(
    machine: Any, lanes: Lanes, view: View, address: np.ndarray, unset: np.ndarray, action: str, line: Line
) -> None:
    machine.report(
        UninitialisedShared, lanes, unset, action, line, view,
        lambda lane: f"{action} {view.element_at(int(address[lane]), lane)}, which no thread of the block "
        "has written yet; write it first, with a barrier between", addresses=address,
    )  # fmt: skip


def _count(machine: Any, lanes: Lanes, view: View, address: np.ndarray, kind: str, line: Line) -> None:
    counter, size = machine.counter(line), view.dtype.itemsize
    if view.storage.space == "global":
        requests, cost, cache_lines = global_traffic(address, lanes.index, size)
        counter.global_bytes_useful += size * lanes.count
        if kind == "load":
            counter.global_load_requests += requests
            counter.global_load_sectors += cost
            counter.global_load_lines += cache_lines
        else:
            counter.global_store_requests += requests
            counter.global_store_sectors += cost
            counter.global_store_lines += cache_lines
    else:
        requests, cost, least = shared_traffic(address, lanes.index, size)
        counter.shared_bank_conflicts += cost - least
        if kind == "load":
            counter.shared_load_requests += requests
            counter.shared_load_wavefronts += cost
        else:
            counter.shared_store_requests += requests
            counter.shared_store_wavefronts += cost
    machine.watch(kind, lanes, line, view, address)


def _memory(view: View, address: Number) -> tuple[np.ndarray, Any]:
    """The storage as elements of the view's type, and the places of these addresses among them."""
    size = view.dtype.itemsize
    first = (
        int(address.flat[0])
        if isinstance(address, np.ndarray) and address.size
        else int(np.max(address, initial=0))
    )
    beside = first & (size - 1)  # complex numbers may begin between two of them
    memory = view.storage.typed(view.dtype) if not beside else view.storage.beside(beside, view.dtype)
    return memory, np.right_shift(address, size.bit_length() - 1)


def _elements(view: View, address: Number) -> Number:
    memory, index = _memory(view, address)
    return memory.take(index) if isinstance(index, np.ndarray) else memory[index]


def _shown(where: tuple[Number, ...], lane: int) -> str:
    each = [str(int(index[lane]) if isinstance(index, np.ndarray) else int(index)) for index in where]
    return f"[{', '.join(each)}]"


def _shape(view: View, lane: int) -> tuple[int, ...]:
    return tuple(int(axis[lane]) if isinstance(axis, np.ndarray) else int(axis) for axis in view.shape)


def _past(action: str) -> str:
    return {"reads": "is read", "writes": "is written", "updates": "is updated"}[action]
