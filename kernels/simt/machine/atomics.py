"""Atomic updates: one lane after another, each finds what the one before it left."""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.simt.instrument import instrument

ARITHMETIC = ("add", "sub", "max", "min", "nanmax", "nanmin", "exch", "cas")
BITWISE = ("and_", "or_", "xor", "inc", "dec")


def update(
    memory: np.ndarray, places: np.ndarray, operation: str, operands: list[np.ndarray]
) -> tuple[np.ndarray, bool]:
    """Apply `operation` at each place in turn.

    memory: elements of one type; places: int64 (lanes,); operands: one array (lanes,), for "cas" the expected and the
    new value. Returns what each lane found, and whether memory changed.
    """
    found = np.empty(len(places), dtype=memory.dtype)
    first, second = operands[0], operands[-1]
    if operation in ARITHMETIC:
        changed = _arithmetic(ARITHMETIC.index(operation), memory, places, first, second, found)
    else:
        changed = _bitwise(BITWISE.index(operation), memory, places, first, found)
    return found, bool(changed)


@instrument
def _arithmetic(operation: Any, memory: Any, places: Any, first: Any, second: Any, found: Any) -> bool:
    changed = False
    for lane in range(places.size):
        place = places[lane]
        old = memory[place]
        new, value = old, first[lane]
        if operation == 0:
            new = old + value
        elif operation == 1:
            new = old - value
        elif operation == 2:
            new = value if value > old else old
        elif operation == 3:
            new = value if value < old else old
        elif operation == 4:  # a NaN gives way
            new = value if value > old or old != old else old
        elif operation == 5:
            new = value if value < old or old != old else old
        elif (
            operation == 6 or old == value
        ):  # an exchange always, a compare-and-swap where it finds what it expects
            new = second[lane]
        found[lane] = old
        memory[place] = new
        changed |= new != old
    return changed


@instrument
def _bitwise(operation: Any, memory: Any, places: Any, values: Any, found: Any) -> bool:
    changed = False
    for lane in range(places.size):
        place = places[lane]
        old = memory[place]
        new, value = old, values[lane]
        if operation == 0:
            new = old & value
        elif operation == 1:
            new = old | value
        elif operation == 2:
            new = old ^ value
        elif operation == 3:  # up to `value`, then from 0 again
            new = old + 1 if old < value else 0
        elif operation == 4:  # down to 0, then from `value` again
            new = value if old == 0 or old > value else old - 1
        found[lane] = old
        memory[place] = new
        changed |= new != old
    return changed
