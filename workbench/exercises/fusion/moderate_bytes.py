"""Exercise of the moderate lesson: from the names in a chain of operations to the bytes that it moves.

One by one, each operation reads each of its operands and writes its result. Fused into one, only what comes from
outside is read and only what nobody in the chain reads is written; each once, however often it is used.
`profiling.meter` counts the first on any model, and a test holds this solution equal to it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from workbench.exercises.exercise import Exercise
from workbench.exercises.fusion.fresh.intensity_of_chain import INTENSITY_OF_CHAIN

LESSON = "3_fusion/2_moderate"

Operations = Sequence[tuple[str, tuple[str, ...]]]  # (result, operands) of each, in order
Shapes = Mapping[str, tuple[int, ...]]


def bytes_of_chain(operations: Operations, shapes: Shapes, bytes_per_number: int) -> tuple[int, int]:
    """Sets of names do the work: what an operation reads twice counts once, and so does a fused chain's input."""
    one_by_one = sum(_size({result, *operands}, shapes) for result, operands in operations)
    read, written = _read(operations), _written(operations)
    fused = _size(read - written, shapes) + _size(written - read, shapes)
    return one_by_one * bytes_per_number, fused * bytes_per_number


def _size(names: Iterable[str], shapes: Shapes) -> int:
    return sum(math.prod(shapes[name]) for name in names)


def _read(operations: Operations) -> set[str]:
    return {name for _, operands in operations for name in operands}


def _written(operations: Operations) -> set[str]:
    return {result for result, _ in operations}


def _counts_repeats(operations: Operations, shapes: Shapes, bytes_per_number: int) -> tuple[int, int]:
    """x·x needs x once: the operation has the number at hand when it needs it again."""
    numbers = sum(_size([result, *operands], shapes) for result, operands in operations)
    return numbers * bytes_per_number, bytes_of_chain(operations, shapes, bytes_per_number)[1]


def _broadcasts_in_full(operations: Operations, shapes: Shapes, bytes_per_number: int) -> tuple[int, int]:
    """A bias is added to every row, but it is stored once, and its own bytes are all that has to be read."""
    full = max(shapes.values(), key=math.prod, default=())
    return bytes_of_chain(operations, dict.fromkeys(shapes, full), bytes_per_number)


def _forgets_writes(operations: Operations, shapes: Shapes, bytes_per_number: int) -> tuple[int, int]:
    """Results go to memory as well. A write costs as much as a read."""
    one_by_one = sum(_size(set(operands), shapes) for _, operands in operations)
    fused = _size(_read(operations) - _written(operations), shapes)
    return one_by_one * bytes_per_number, fused * bytes_per_number


def _intermediates_are_free(operations: Operations, shapes: Shapes, bytes_per_number: int) -> tuple[int, int]:
    """One by one, what stands between two operations is written by the first and read by the second."""
    fused = bytes_of_chain(operations, shapes, bytes_per_number)[1]
    return fused, fused


def _fused_writes_every_step(
    operations: Operations, shapes: Shapes, bytes_per_number: int
) -> tuple[int, int]:
    """Fused, a value between two steps stays in a register. Only what no step of the chain reads is a result."""
    one_by_one, _ = bytes_of_chain(operations, shapes, bytes_per_number)
    read, written = _read(operations), _written(operations)
    return one_by_one, (_size(read - written, shapes) + _size(written, shapes)) * bytes_per_number


def _fused_reads_again(operations: Operations, shapes: Shapes, bytes_per_number: int) -> tuple[int, int]:
    """Two steps of a fused chain that need the same input share one read of it: it is at hand already."""
    one_by_one, _ = bytes_of_chain(operations, shapes, bytes_per_number)
    written = _written(operations)
    reads = sum(_size(set(operands) - written, shapes) for _, operands in operations)
    return one_by_one, (reads + _size(written - _read(operations), shapes)) * bytes_per_number


def _last_result_only(operations: Operations, shapes: Shapes, bytes_per_number: int) -> tuple[int, int]:
    """A chain may have several results: whatever no later step reads is wanted by someone outside."""
    one_by_one, _ = bytes_of_chain(operations, shapes, bytes_per_number)
    inputs = _size(_read(operations) - _written(operations), shapes)
    last = _size([operations[-1][0]] if operations else [], shapes)
    return one_by_one, (inputs + last) * bytes_per_number


def _each_name_once(operations: Operations, shapes: Shapes, bytes_per_number: int) -> tuple[int, int]:
    """One by one, an operation knows nothing of the one before: each reads its operands anew, from memory."""
    one_by_one = _size(_read(operations) | _written(operations), shapes)
    return one_by_one * bytes_per_number, bytes_of_chain(operations, shapes, bytes_per_number)[1]


def _swapped(operations: Operations, shapes: Shapes, bytes_per_number: int) -> tuple[int, int]:
    """Both counts are right, in the other order: first one by one, then fused."""
    one_by_one, fused = bytes_of_chain(operations, shapes, bytes_per_number)
    return fused, one_by_one


def _counts_numbers(operations: Operations, shapes: Shapes, bytes_per_number: int) -> tuple[int, int]:
    """That is how many numbers pass. Each takes bytes_per_number bytes."""
    return bytes_of_chain(operations, shapes, 1)


def _inputs(rng: np.random.Generator) -> dict[str, tuple[Operations, Shapes, int]]:
    def draw(operations: Operations, *full: int) -> tuple[Operations, Shapes, int]:
        small = {"bias": full[-1:], "weight": full[-1:], "mask": full[-2:], "scale": ()}
        names = sorted(_read(operations) | _written(operations))
        return operations, {name: small.get(name, full) for name in names}, int(rng.choice([2, 4, 8]))

    heads, rows, width = (int(side) for side in rng.integers(3, 9, 3))
    gelu = [("sum", ("x", "bias")), ("y", ("sum",))]
    two_results = [("a", ("x", "other")), ("b", ("x", "bias")), ("y", ("b", "weight"))]
    square = [("square", ("x", "x")), ("scaled", ("square", "weight")), ("y", ("scaled", "x"))]
    scores = [("scaled", ("x", "scale")), ("masked", ("scaled", "mask")), ("y", ("masked",))]
    full = ["x", "other"]
    drawn: list[tuple[str, tuple[str, ...]]] = []
    for step in range(int(rng.integers(4, 8))):  # any earlier name may be read again, or never
        drawn.append((f"step {step}", (str(rng.choice(full)), str(rng.choice([*full, "bias", "scale"])))))
        full.append(f"step {step}")
    return {
        "bias and GELU": draw(gelu, rows, width),
        "two results": draw(two_results, rows, width),
        "square": draw(square, rows, rows),
        "three axes": draw(scores, heads, rows, width),
        "ragged": draw(drawn, rows, width + 9),
        "empty": draw([], rows, width),
        "extreme": draw(gelu, 2**20, int(rng.integers(1000, 9999))),
    }


BYTES_OF_CHAIN = Exercise(
    name="fusion.bytes_of_chain",
    lesson=LESSON,
    title="Predict the bytes of a chain",
    statement=(
        "operations is a list of (result, operands), all by name, operands being a tuple; shapes has the shape of each "
        "name, a tuple of any length. One by one, an operation reads each of its operands once, even in x·x, and "
        "writes its result. Fused, the chain reads once what it does not make itself, and writes what none of its "
        "operations reads. Return the bytes that pass through memory: (one by one, fused), for no operations (0, 0)."
    ),
    signature="bytes_of_chain(operations, shapes, bytes_per_number)",
    solution=bytes_of_chain,
    wrong={
        "counts an operand once for each mention": _counts_repeats,
        "counts a broadcast operand in full": _broadcasts_in_full,
        "forgets the writes": _forgets_writes,
        "takes intermediate results for free": _intermediates_are_free,
        "writes every step, fused or not": _fused_writes_every_step,
        "reads an input again for each step, fused or not": _fused_reads_again,
        "keeps the last result only": _last_result_only,
        "counts a name once for the whole chain, one by one": _each_name_once,
        "swaps the two counts": _swapped,
        "forgets the bytes per number": _counts_numbers,
    },
    inputs=_inputs,
    hints=(
        "For each operation write down the names that it touches. Is one of them there twice?",
        "One by one: every name that an operation touches, once. Fused: names that are read but not made here, and "
        "names that are made but not read here. Python's sets do this with - and |.",
        "sum = x + bias, y = gelu(sum), with x (2, 3), bias (3,), 4 bytes: one by one (6 + 3 + 6 + 6 + 6)·4 = 108; "
        "fused, x and bias are read and y is written: (6 + 3 + 6)·4 = 60.",
    ),
    points=2,
    again=INTENSITY_OF_CHAIN,
)
