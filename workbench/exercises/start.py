"""Tasks of the start page: counting bytes, counting FLOPs, and why one guesses first.

The arithmetic intensity of an operation is its FLOPs divided by the bytes it must move (Williams, Waterman and
Patterson, "Roofline", Communications of the ACM 52(4), 2009): each input read once, each output written once.
"""

from __future__ import annotations

import numpy as np

from workbench.exercises.exercise import Exercise, Question

LESSON = "0_start"


def bytes_of_add(rows: int, columns: int, bytes_per_number: int) -> int:
    """Read a, read b, write c: three times the bytes of one matrix."""
    return 3 * rows * columns * bytes_per_number


def _forgets_the_write(rows: int, columns: int, bytes_per_number: int) -> int:
    """Three matrices pass through memory: a and b are read, and c is written. A write costs as much as a read."""
    return 2 * rows * columns * bytes_per_number


def _counts_one_matrix(rows: int, columns: int, bytes_per_number: int) -> int:
    """That is the size of one matrix. The addition touches three of them: a, b and c."""
    return rows * columns * bytes_per_number


def _forgets_bytes_per_number(rows: int, columns: int, bytes_per_number: int) -> int:
    """That is how many numbers pass. Each of them takes bytes_per_number bytes: four for float32."""
    return 3 * rows * columns


def _counts_flops(rows: int, columns: int, bytes_per_number: int) -> int:
    """That is the arithmetic: one addition for each number of c. The question is about the traffic."""
    return rows * columns


def _adds_the_sides(rows: int, columns: int, bytes_per_number: int) -> int:
    """A matrix holds rows × columns numbers; rows + columns is half the way around its edge."""
    return 3 * (rows + columns) * bytes_per_number


def _counts_bits(rows: int, columns: int, bytes_per_number: int) -> int:
    """bytes_per_number is in bytes already. Eight bits make one byte."""
    return 24 * rows * columns * bytes_per_number


def _add_inputs(rng: np.random.Generator) -> dict[str, tuple[int, int, int]]:
    side = int(rng.integers(2, 9))
    bytes_per_number = int(rng.choice([2, 4, 8]))
    return {
        "one number": (1, 1, 4),
        "square": (side, side, bytes_per_number),
        "ragged": (side, side + int(rng.integers(1, 9)), bytes_per_number),
        "empty": (0, side, bytes_per_number),
        "extreme": (2 ** int(rng.integers(20, 31)), int(rng.integers(1000, 9999)), 4),
    }


BYTES_OF_ADD = Exercise(
    name="start.bytes_of_add",
    lesson=LESSON,
    title="Bytes of an addition",
    statement="How many bytes must pass through memory for c = a + b, each of shape (rows, columns)?",
    signature="bytes_of_add(rows, columns, bytes_per_number)",
    solution=bytes_of_add,
    wrong={
        "forgets the write": _forgets_the_write,
        "counts one matrix only": _counts_one_matrix,
        "forgets the bytes per number": _forgets_bytes_per_number,
        "counts FLOPs instead of bytes": _counts_flops,
        "adds the sides of the matrix": _adds_the_sides,
        "counts bits instead of bytes": _counts_bits,
    },
    inputs=_add_inputs,
    hints=(
        "Which arrays are touched? Name each of them, and say whether it is read or written.",
        "Traffic = numbers touched × bytes per number, where a written number counts as much as a read one.",
        "For 2 × 3 numbers of 4 bytes: a is 24 bytes, b is 24, c is 24. So 72 bytes pass. Now write it for any shape.",
    ),
)


def intensity(rows: int, inner: int, columns: int, bytes_per_number: int) -> float:
    """2·rows·inner·columns FLOPs over the bytes of the two inputs and the result; 0.0 where nothing moves."""
    flops = 2 * rows * inner * columns
    traffic = (rows * inner + inner * columns + rows * columns) * bytes_per_number
    return flops / traffic if traffic else 0.0


def _multiply_add_is_one(rows: int, inner: int, columns: int, bytes_per_number: int) -> float:
    """Each term of a dot product takes two operations, one multiplication and one addition: 2·rows·inner·columns."""
    return intensity(rows, inner, columns, bytes_per_number) / 2


def _intensity_without_write(rows: int, inner: int, columns: int, bytes_per_number: int) -> float:
    """The product, rows × columns numbers, is written to memory too. A write counts as much as a read."""
    traffic = (rows * inner + inner * columns) * bytes_per_number
    return 2 * rows * inner * columns / traffic if traffic else 0.0


def _per_number(rows: int, inner: int, columns: int, bytes_per_number: int) -> float:
    """That is FLOPs per number. Divide by the bytes of a number: narrower types raise the intensity."""
    return intensity(rows, inner, columns, bytes_per_number) * bytes_per_number


def _upside_down(rows: int, inner: int, columns: int, bytes_per_number: int) -> float:
    """That is bytes per FLOP. Intensity is arithmetic for each byte moved: FLOPs above, bytes below."""
    value = intensity(rows, inner, columns, bytes_per_number)
    return 1 / value if value else 0.0


def _reads_again_for_each_use(rows: int, inner: int, columns: int, bytes_per_number: int) -> float:
    """The bytes that must pass count each input once. Reading a number again for every use is what caches avoid."""
    traffic = (2 * rows * inner * columns + rows * columns) * bytes_per_number
    return 2 * rows * inner * columns / traffic if traffic else 0.0


def _fails_on_empty(rows: int, inner: int, columns: int, bytes_per_number: int) -> float:
    """Empty matrices move no bytes, and the division fails. The task asks for 0.0 there."""
    traffic = (rows * inner + inner * columns + rows * columns) * bytes_per_number
    return 2 * rows * inner * columns / traffic


def _intensity_inputs(rng: np.random.Generator) -> dict[str, tuple[int, int, int, int]]:
    side = int(rng.integers(2, 9))
    bytes_per_number = int(rng.choice([2, 4, 8]))
    return {
        "one number": (1, 1, 1, 4),
        "square": (side, side, side, bytes_per_number),
        "ragged": (
            side,
            side + int(rng.integers(1, 9)),
            2 * side + int(rng.integers(9, 19)),
            bytes_per_number,
        ),
        "one row": (1, side * 64, side * 32, bytes_per_number),
        "empty": (0, 0, 0, bytes_per_number),
        "extreme": (2 ** int(rng.integers(10, 16)), 4096, 4096, 2),
    }


INTENSITY = Exercise(
    name="start.intensity",
    lesson=LESSON,
    title="Arithmetic intensity of a matrix multiplication",
    statement=(
        "How many FLOPs for each byte moved, for (rows × inner) @ (inner × columns)? Where nothing moves: 0.0."
    ),
    signature="intensity(rows, inner, columns, bytes_per_number)",
    solution=intensity,
    wrong={
        "counts a multiply-add as one FLOP": _multiply_add_is_one,
        "forgets the write": _intensity_without_write,
        "forgets the bytes per number": _per_number,
        "divides bytes by FLOPs": _upside_down,
        "reads an input again for each use": _reads_again_for_each_use,
        "fails on the empty case": _fails_on_empty,
    },
    inputs=_intensity_inputs,
    hints=(
        "Count twice, separately: first the arithmetic, then the numbers that are read and written.",
        "Each of the rows × columns results is a dot product of `inner` terms, and a term costs two operations.",
        "2 × 3 times 3 × 2 in float32: 2·2·3·2 = 24 FLOPs; (6 + 6 + 4)·4 = 64 bytes; 24 / 64 = 0.375 FLOPs a byte.",
    ),
)

WHICH_LIMIT = Question(
    name="start.which_limit",
    lesson=LESSON,
    prompt="Adding two long lists of numbers: which of the machine's two speeds sets the time?",
    options={
        "a": "How fast it calculates: there is an addition to do for every element",
        "b": "How fast it moves bytes to and from memory",
        "c": "Both speeds equally, as each element needs one addition and one result",
        "d": "Neither of them: calling the operation is what takes the time",
    },
    answer="b",
    why={
        "a": "More additions do mean more time, but not because adding is slow. For each addition 12 bytes must pass "
        "through memory, and a machine adds several numbers in the time in which those 12 bytes arrive.",
        "b": "One addition for every 12 bytes lies far to the left of the roof's knee. The adders wait for memory.",
        "c": "The counts are alike, the speeds are not. A machine does many operations in the time one byte takes, "
        "so the slower of the two jobs, moving, sets the time alone.",
        "d": "That is so for short lists, where the call costs more than the work. With millions of elements the call "
        "is a tiny part of the time.",
    },
)

PREDICT_FIRST = Question(
    name="start.predict_first",
    lesson=LESSON,
    prompt="Why does a lesson ask for a guess before it runs anything?",
    options={
        "a": "So that the lesson can grade you at the end",
        "b": "To keep you busy while the computer measures",
        "c": "Because a good engineer should already know the answer",
        "d": "Because a guess, even a wrong one, helps you remember what you see next",
    },
    answer="d",
    why={
        "a": "Guesses are kept on your machine and are never graded. They are there for you to look back at.",
        "b": "Most cells here take less than a second. The time is well spent only because the guess does something.",
        "c": "If you knew, there would be nothing to learn. A surprise is the most useful thing that can happen.",
        "d": "Trying to answer first makes the answer stick, also when the try fails (Kornell, Hays and Bjork 2009).",
    },
)

TASKS: tuple[Exercise | Question, ...] = (WHICH_LIMIT, BYTES_OF_ADD, INTENSITY, PREDICT_FIRST)
