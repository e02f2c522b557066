"""Fresh task after the bytes of a chain: how much arithmetic there is for each byte, one by one and fused.

    intensity = FLOPs / bytes        the same FLOPs both times; fusing only takes bytes away

The arithmetic intensity decides whether a machine waits for its memory (S. Williams, A. Waterman, D. Patterson,
Roofline, Communications of the ACM 52(4), 2009). An elementwise chain starts far on the waiting side, and fusing moves
it to the right. Where no byte moves nothing is computed either: 0.0, which is also what `profiling.meter` says.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from workbench.exercises.exercise import Exercise

LESSON = "3_fusion/2_moderate"

Operations = Sequence[tuple[str, tuple[str, ...]]]  # (result, operands) of each, in order
Shapes = Mapping[str, tuple[int, ...]]
Intensities = tuple[float, float]


def intensity_of_chain(operations: Operations, shapes: Shapes, bytes_per_number: int) -> Intensities:
    """Work is counted by results, in both cases alike; what differs is how often a number passes through memory."""
    flops = _numbers([result for result, _ in operations], shapes)
    moved = (sum(_steps(operations, shapes)), _fused(operations, shapes))
    one_by_one, fused = (_ratio(flops, numbers * bytes_per_number) for numbers in moved)
    return one_by_one, fused


def _numbers(names: Iterable[str], shapes: Shapes) -> int:
    return sum(math.prod(shapes[name]) for name in names)


def _steps(operations: Operations, shapes: Shapes) -> list[int]:
    """The numbers that each operation alone reads and writes."""
    return [_numbers({result, *operands}, shapes) for result, operands in operations]


def _fused(operations: Operations, shapes: Shapes) -> int:
    """The numbers on one side only: read but not made in the chain, or made but not read in it."""
    made = {result for result, _ in operations}
    return _numbers(made ^ {name for _, operands in operations for name in operands}, shapes)


def _ratio(flops: float, traffic: float) -> float:
    return flops / traffic if traffic else 0.0


def _fused_is_one_step(operations: Operations, shapes: Shapes, bytes_per_number: int) -> Intensities:
    """Fused, every step is still computed, only without a trip to memory. The FLOPs stay, the bytes go down."""
    read = {name for _, operands in operations for name in operands}
    kept = _numbers([result for result, _ in operations if result not in read], shapes)
    one_by_one = intensity_of_chain(operations, shapes, bytes_per_number)[0]
    return one_by_one, _ratio(kept, _fused(operations, shapes) * bytes_per_number)


def _averages_steps(operations: Operations, shapes: Shapes, bytes_per_number: int) -> Intensities:
    """A small step counts for less than a large one. Add up all FLOPs and all bytes first, then divide once."""
    fused = intensity_of_chain(operations, shapes, bytes_per_number)[1]
    steps = zip(operations, _steps(operations, shapes), strict=True)
    each = [_ratio(_numbers([result], shapes), numbers * bytes_per_number) for (result, _), numbers in steps]
    return _ratio(sum(each), len(each)), fused


def _work_by_operands(operations: Operations, shapes: Shapes, bytes_per_number: int) -> Intensities:
    """Adding two numbers is one FLOP, not two. Here work goes by the numbers that come out, not by those that go in."""
    flops = sum(_numbers(operands, shapes) for _, operands in operations)
    moved = (sum(_steps(operations, shapes)), _fused(operations, shapes))
    one_by_one, fused = (_ratio(flops, numbers * bytes_per_number) for numbers in moved)
    return one_by_one, fused


def _fused_writes_every_step(operations: Operations, shapes: Shapes, bytes_per_number: int) -> Intensities:
    """Fused, what one step hands to the next stays in a register. Only results that no operation reads are written."""
    made = {result for result, _ in operations}
    read = {name for _, operands in operations for name in operands}
    traffic = _numbers(made | read, shapes) * bytes_per_number
    one_by_one = intensity_of_chain(operations, shapes, bytes_per_number)[0]
    return one_by_one, _ratio(_numbers(made, shapes), traffic)


def _upside_down(operations: Operations, shapes: Shapes, bytes_per_number: int) -> Intensities:
    """That is bytes for each FLOP, which fusing lowers. Intensity is FLOPs for each byte, which fusing raises."""
    one_by_one, fused = intensity_of_chain(operations, shapes, bytes_per_number)
    return _ratio(1, one_by_one), _ratio(1, fused)


def _divides_by_zero(operations: Operations, shapes: Shapes, bytes_per_number: int) -> Intensities:
    """Where no byte moves the division fails. The task asks for 0.0 there."""
    flops = _numbers([result for result, _ in operations], shapes)
    one_by_one, fused = sum(_steps(operations, shapes)), _fused(operations, shapes)
    return flops / (one_by_one * bytes_per_number), flops / (fused * bytes_per_number)


def _inputs(rng: np.random.Generator) -> dict[str, tuple[Operations, Shapes, int]]:
    def draw(operations: Operations, rows: int, width: int) -> tuple[Operations, Shapes, int]:
        small = {"bias": (width,), "gain": (width,), "scaled": (width,), "factor": ()}
        names = {name for result, operands in operations for name in (result, *operands)}
        shapes = {name: small.get(name, (rows, width)) for name in sorted(names)}
        return operations, shapes, int(rng.choice([2, 4, 8]))

    rows, width = (int(side) for side in rng.integers(3, 9, 2))
    affine = ("product", ("x", "gain")), ("y", ("product", "bias"))
    small_step = ("scaled", ("gain", "factor")), ("product", ("x", "scaled")), ("y", ("product", "x"))
    two_results = ("a", ("x", "other")), ("b", ("x", "bias")), ("y", ("b", "b"))
    wide: list[tuple[str, tuple[str, ...]]] = [("step 0", ("x", "x"))]
    for step in range(1, int(rng.integers(4, 8))):  # reads the last step and any name before it
        other = str(rng.choice(["x", "gain", "factor", f"step {rng.integers(step)}"]))
        wide.append((f"step {step}", (f"step {step - 1}", other)))
    return {
        "affine": draw(affine, rows, width),
        "small step": draw(small_step, rows, width),
        "two results": draw(two_results, rows, rows),
        "ragged": draw(wide, rows, width + 9),
        "no operation": draw((), rows, width),
        "empty": draw(wide[:1], 0, width),
        "extreme": draw(affine, 2**20, int(rng.integers(1000, 9999))),
    }


INTENSITY_OF_CHAIN = Exercise(
    name="fusion.intensity_of_chain",
    lesson=LESSON,
    title="FLOPs for each byte of a chain",
    statement=(
        "operations is a list of (result, operands), in order and by name; operands is a tuple of names, and no two "
        "results have the same name. shapes has the shape of each name; () is the shape of a single number. An "
        "operation does one FLOP for each number of its result, fused or not. One by one, each operation reads its "
        "operands and writes its result. An operand that it names twice is read once, and one that is broadcast is "
        "read in its own shape. Fused into one, the chain reads once each operand that it does not make itself, and it "
        "writes only results that no operation reads. Return FLOPs per byte: (one by one, fused). Where no byte moves, "
        "as for no operations or empty tensors, that is 0.0."
    ),
    signature="intensity_of_chain(operations, shapes, bytes_per_number)",
    solution=intensity_of_chain,
    wrong={
        "does less work when fused": _fused_is_one_step,
        "averages the intensities of the steps": _averages_steps,
        "counts a FLOP for each operand": _work_by_operands,
        "writes every step, fused or not": _fused_writes_every_step,
        "turns the fraction over": _upside_down,
        "divides by no bytes": _divides_by_zero,
    },
    inputs=_inputs,
    hints=(
        "Two counts of bytes, but how many counts of FLOPs? What does fusing leave out: work, or trips to memory?",
        "FLOPs: the sizes of all results, added up. Bytes one by one: for each operation the names it touches, each "
        "once. Bytes fused: names that are only read in the chain, or only made in it. Divide once, at the end.",
        "t = a·b, y = t + c, all (2, 3), 4 bytes: 6 + 6 = 12 FLOPs. One by one (18 + 18)·4 = 144 bytes; fused a, b, c "
        "and y, 24·4 = 96 bytes. So 12/144 = 0.0833 and 12/96 = 0.125. Look for 0 bytes before you divide.",
    ),
)
