"""Tasks of the fusion track: blocks that fit, modules that see different things, operations that become one.

Traffic of elementwise operations: run one after another, each reads n numbers and writes n; fused into one, n are
read and n written, whatever the length of the chain. The arithmetic is the same both times.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from workbench.exercises.exercise import Budget, Exercise, Question

if TYPE_CHECKING:
    from torch import Tensor

LESSON = "3_fusion/1_easy"

RECALL_BYTES = Question(
    name="fusion.recall_bytes",
    lesson=LESSON,
    prompt="From the start page: a and b hold one million float32 numbers each. How many bytes must pass through "
    "memory for c = a + b?",
    options={"a": "1 million", "b": "4 million", "c": "8 million", "d": "12 million"},
    answer="d",
    why={
        "a": "Counts numbers added, not bytes. Each number takes four bytes, and three lists are touched.",
        "b": "Counts one list only. Besides a, the list b is read and the list c is written.",
        "c": "Forgets the write. The result has to go to memory too, and a write costs as much as a read.",
        "d": "Read a, read b, write c: three lists of four million bytes.",
    },
)

RECALL_LIMIT = Question(
    name="fusion.recall_limit",
    lesson=LESSON,
    prompt="From the start page: an operation does 1 FLOP for every 12 bytes. The roof of your machine bends at 10 "
    "FLOPs a byte. What sets the time of a long run?",
    options={
        "a": "The memory's bandwidth",
        "b": "The speed of calculation",
        "c": "The number of FLOPs, whatever the bytes",
        "d": "It cannot be said without running it",
    },
    answer="a",
    why={
        "a": "At 1/12 FLOP a byte it lies far left of the bend. The arithmetic is done long before the bytes arrive.",
        "b": "That is so to the right of the bend, above 10 FLOPs a byte. Here there are 120 times fewer.",
        "c": "FLOPs alone decide nothing. An operation takes at least as long as the slower of its two jobs.",
        "d": "The seconds cannot be said, the limit can. Two counts and the place of the bend are enough.",
    },
)

TOWER = Question(
    name="fusion.tower",
    lesson=LESSON,
    prompt="A tower of blocks: when can one block of a network be stacked on another?",
    options={
        "a": "When both have the same number of weights",
        "b": "When both were trained together from the start",
        "c": "When what leaves the lower one has the shape the upper one takes",
        "d": "Always: a framework such as torch cuts or stretches the data until it fits",
    },
    answer="c",
    why={
        "a": "Weights are inside a block; its neighbor never sees them. A block of ten weights may stand on one of a "
        "million.",
        "b": "Blocks trained apart can be joined, as long as the joint fits. Whether the joined network is any good is "
        "the next question, and more training answers it.",
        "c": "Only the joint counts: the shape (and the type) on its lower side must be the one on its upper side.",
        "d": "Torch stops with an error about shapes. Where it does stretch quietly (broadcasting), the result is "
        "often not what was meant.",
    },
)

EARLY_OR_LATE = Question(
    name="fusion.early_or_late",
    lesson=LESSON,
    prompt="A sign is a joke when name and picture disagree: the name says red and the picture is blue, or the "
    "other way round. One module sees the name, one the picture. Which fusion can learn to spot a joke?",
    options={
        "a": "Late: each module gives its own verdict, and the two are averaged",
        "b": "Early: the features of both are joined, and further layers see them together",
        "c": "Both: in the end the same information has gone in",
        "d": "Neither: one module would have to see name and picture from the start",
    },
    answer="b",
    why={
        "a": "Verdicts come too late here. The name alone says nothing about a joke, nor does the picture alone, and "
        "the average of two verdicts that know nothing knows nothing.",
        "b": "Whether two things agree can be seen only where both are in view. Layers after the join have both.",
        "c": "The same information goes in, but late fusion has thrown most of it away before the two meet. What is "
        "left of each side is a verdict.",
        "d": "Separate encoders are fine, as long as they pass on features and not verdicts. The layers after the "
        "join do the rest.",
    },
)

CHAIN_BYTES = Question(
    name="fusion.chain_bytes",
    lesson=LESSON,
    prompt="Four elementwise operations run one after another on n float32 numbers, for example ×2, +1, tanh, ×3. "
    "Fused into one, how many times fewer bytes pass through memory?",
    options={
        "a": "2 times fewer",
        "b": "4 times fewer",
        "c": "16 times fewer",
        "d": "No fewer: the arithmetic is the same",
    },
    answer="b",
    why={
        "a": "Each operation reads and writes, that is 8 passes over n numbers. Fused, 2 passes remain, not 4.",
        "b": "Eight passes (four reads, four writes) become two: the first read and the last write.",
        "c": "Squares the saving. Reads and writes shrink four times each, and so does their sum.",
        "d": "The arithmetic is indeed the same, and it was never the limit here. What fusing saves is the way to "
        "memory and back between the steps.",
    },
)

FOLD_WHEN = Question(
    name="fusion.fold_when",
    lesson=LESSON,
    prompt="Batch normalization after a convolution can be folded into the convolution's own weights. When?",
    options={
        "a": "When the network is in use, with its statistics fixed",
        "b": "During training too: it is the same formula",
        "c": "Never exactly: the folded network is a different, cheaper one",
        "d": "Whenever the convolution has no bias of its own",
    },
    answer="a",
    why={
        "a": "With fixed mean and variance, the normalization is one multiplication and one addition per channel. Both "
        "can be carried out on the weights, once, beforehand.",
        "b": "In training, mean and variance are those of the present batch. They change with every batch, so there is "
        "nothing fixed to fold in.",
        "c": "It is the same function, written with other weights. Only the last digits differ, by rounding.",
        "d": "A bias is no hindrance: it is shifted and scaled along with the rest. What matters is that the "
        "statistics stay as they are.",
    },
)

SAME_ANSWER = Question(
    name="fusion.same_answer",
    lesson=LESSON,
    prompt="Bias and GELU are fused into one operation. What happens to the results?",
    options={
        "a": "They are the same bit for bit: the formula has not changed",
        "b": "They get a little worse: speed is paid for with accuracy",
        "c": "They get better: the network learns with the fused form",
        "d": "They are the same but for rounding in the last digits",
    },
    answer="d",
    why={
        "a": "Nearly. The steps may round differently, for the value between them is no longer stored and read back.",
        "b": "Fusing leaves out trips to memory, not arithmetic. An approximate formula would be another change, with "
        "a name of its own.",
        "c": "The mathematics is the same, so there is nothing new to learn. What changes is where the value between "
        "the steps is kept.",
        "d": "The same mathematics, with other rounding on the way. A test with a small tolerance holds the two equal.",
    },
)

WHEN_NO_GAIN = Question(
    name="fusion.when_no_gain",
    lesson=LESSON,
    prompt="Each pair could be fused into one operation. Where is there the least time to gain, in percent?",
    options={
        "a": "Adding a bias to 16 million numbers, then GELU",
        "b": "Adding two long lists, then scaling the sum",
        "c": "Multiplying two 4096 × 4096 matrices, then adding a bias",
        "d": "Adding a residual to a long list, then a ReLU",
    },
    answer="c",
    why={
        "a": "Both steps wait for memory, and one of two round trips falls away. This is where fusing pays.",
        "b": "Both steps wait for memory. Fused, the sum is scaled before it ever leaves the processor.",
        "c": "The multiplication calculates 137 billion FLOPs, and that takes nearly all the time. The trip the bias "
        "saves is real, but small beside it.",
        "d": "Both steps do almost no arithmetic and wait for memory. Fused, five passes over the list become three.",
    },
)


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

TASKS: tuple[Exercise | Question, ...] = (
    RECALL_BYTES,
    RECALL_LIMIT,
    TOWER,
    EARLY_OR_LATE,
    CHAIN_BYTES,
    SAME_ANSWER,
    FOLD_WHEN,
    WHEN_NO_GAIN,
    FUSED_BYTES,
    FOLD_SCALES,
)
