"""Exercises of the easy lesson: how few bytes a fused chain moves, and how it can be written.

Traffic of elementwise operations: run one after another, each reads n numbers and writes n; fused into one, n are
read and n written, whatever the length of the chain. The arithmetic is the same both times.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from workbench.exercises.exercise import Budget, Exercise

if TYPE_CHECKING:
    from torch import Tensor

LESSON = "3_fusion/1_easy"


def fused_bytes(n: int, operations: int, bytes_per_number: int) -> tuple[int, int]:
    """A read and a write of n numbers for each operation; fused, one read and one write, or nothing to do at all."""
    round_trip = 2 * n * bytes_per_number
    return operations * round_trip, round_trip if operations else 0


def _intermediates_are_free(n: int, operations: int, bytes_per_number: int) -> tuple[int, int]:
    """What stands between two operations is written to memory by the first and read again by the second."""
    fused = fused_bytes(n, operations, bytes_per_number)[1]
    return fused, fused


def _fusing_changes_nothing(n: int, operations: int, bytes_per_number: int) -> tuple[int, int]:
    """The arithmetic stays the same; the trips to memory between the operations fall away."""
    unfused = fused_bytes(n, operations, bytes_per_number)[0]
    return unfused, unfused


def _counts_only_reads(n: int, operations: int, bytes_per_number: int) -> tuple[int, int]:
    """Every result is written as well. A write costs as much as a read."""
    unfused, fused = fused_bytes(n, operations, bytes_per_number)
    return unfused // 2, fused // 2


def _writes_every_step(n: int, operations: int, bytes_per_number: int) -> tuple[int, int]:
    """A fused operation keeps the values between its steps in registers. Only the last result is written."""
    unfused, fused = fused_bytes(n, operations, bytes_per_number)
    return unfused, (operations + 1) * n * bytes_per_number if fused else 0


def _counts_numbers(n: int, operations: int, bytes_per_number: int) -> tuple[int, int]:
    """That is how many numbers pass. Each takes bytes_per_number bytes."""
    return fused_bytes(n, operations, 1)


def _nothing_to_do_still_moves(n: int, operations: int, bytes_per_number: int) -> tuple[int, int]:
    """With no operations nothing runs, so nothing is read or written: (0, 0)."""
    return fused_bytes(n, operations, bytes_per_number)[0], 2 * n * bytes_per_number


def _chain_inputs(rng: np.random.Generator) -> dict[str, tuple[int, int, int]]:
    n, bytes_per_number = int(rng.integers(10, 99)), int(rng.choice([2, 4, 8]))
    return {
        "one operation": (n, 1, bytes_per_number),
        "short chain": (n, 4, 4),
        "ragged": (2 * n + 1, int(rng.integers(5, 12)), bytes_per_number),
        "empty": (n, 0, bytes_per_number),
        "extreme": (2 ** int(rng.integers(24, 31)), 3, 2),
    }


FUSED_BYTES = Exercise(
    name="fusion.fused_bytes",
    lesson=LESSON,
    title="What fusing a chain saves",
    statement=(
        "Bytes through memory for a chain of elementwise operations on n numbers: (one by one, fused into one)."
    ),
    signature="fused_bytes(n, operations, bytes_per_number)",
    solution=fused_bytes,
    wrong={
        "takes intermediate results for free": _intermediates_are_free,
        "expects fusing to change nothing": _fusing_changes_nothing,
        "forgets the writes": _counts_only_reads,
        "writes every step, fused or not": _writes_every_step,
        "forgets the bytes per number": _counts_numbers,
        "moves bytes with nothing to do": _nothing_to_do_still_moves,
    },
    inputs=_chain_inputs,
    hints=(
        "Draw the chain as boxes and memory as a line below. Draw an arrow for each trip from or to memory.",
        "One by one, each operation has two arrows: one read, one write. Fused, only the outermost two arrows stay.",
        "10 numbers of 4 bytes, 3 operations: one by one 3 × 80 = 240 bytes, fused 80. No operations: no arrows.",
    ),
)


def fold_scales(x: Tensor, scales: list[float]) -> Tensor:
    """Multiplies the scales first, as plain numbers: x is then read once and the result written once."""
    return x * math.prod(scales)


def _one_pass_per_scale(x: Tensor, scales: list[float]) -> Tensor:
    """Right, but x goes through memory once for each scale. The scales are few: multiply them with each other first."""
    for scale in scales:
        x = x * scale
    return x


def _adds_scales(x: Tensor, scales: list[float]) -> Tensor:
    """Scaling by 2 and then by 3 is scaling by 6, not by 5: scales multiply."""
    return x * sum(scales)


def _last_scale_only(x: Tensor, scales: list[float]) -> Tensor:
    """Each step scales what the step before has left. None of them may be dropped."""
    return x * (scales[-1] if scales else 1.0)


def _scales_in_place(x: Tensor, scales: list[float]) -> Tensor:
    """The result is right, but the caller's own x is gone. `x * scale` makes a new tensor, `x *= scale` does not."""
    x *= math.prod(scales)
    return x


def _starts_from_zero(x: Tensor, scales: list[float]) -> Tensor:
    """With no scales x stays as it is. The product of no numbers is 1, as the sum of none is 0."""
    return x * (math.prod(scales) if scales else 0.0)


def _bytes_moved(answer: Callable[..., Tensor], *inputs: object) -> float:
    from workbench.profiling import meter

    return float(meter(answer, *inputs).bytes)


def _one_round_trip(x: Tensor, scales: list[float]) -> float:
    return 2 * x.nbytes + 64 * (len(scales) + 1)  # room for arithmetic on the scales themselves


def _scale_inputs(rng: np.random.Generator) -> dict[str, tuple[Tensor, list[float]]]:
    import torch

    def draw(shape: tuple[int, ...], count: int) -> tuple[Tensor, list[float]]:
        numbers = torch.from_numpy(rng.standard_normal(shape)).float()
        return numbers, [round(float(scale), 2) for scale in rng.uniform(0.5, 2.0, count)]

    return {
        "three numbers": draw((3,), 2),
        "ragged": draw((5, 7, 3), 3),
        "empty": draw((0, 4), 2),
        "no scales": draw((4,), 0),
        "extreme": draw((64, 65), 8),
    }


FOLD_SCALES = Exercise(
    name="fusion.fold_scales",
    lesson=LESSON,
    title="Many scales, one pass",
    statement="Multiply the tensor x by each of the numbers in `scales`, reading x once and writing the result once.",
    signature="fold_scales(x, scales)",
    solution=fold_scales,
    wrong={
        "makes one pass for each scale": _one_pass_per_scale,
        "adds the scales": _adds_scales,
        "keeps only the last scale": _last_scale_only,
        "changes the caller's tensor": _scales_in_place,
        "takes the empty product for zero": _starts_from_zero,
    },
    inputs=_scale_inputs,
    budgets={"one round trip": Budget(_bytes_moved, _one_round_trip, "bytes through memory")},
    hints=(
        "How many times does your code walk through x? Count the multiplications that have a tensor in them.",
        "(x·s₁)·s₂ = x·(s₁·s₂): numbers can be multiplied with each other before the tensor is touched.",
        "For scales 2, 3, 5: first 2·3·5 = 30 in plain Python (`math.prod`), then x * 30. One read, one write.",
    ),
    points=2,
    tolerance=1e-5,
)
