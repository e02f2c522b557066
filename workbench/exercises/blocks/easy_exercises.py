"""Exercises of the easy lesson: what a convolution has to learn, and how many places a window finds.

A convolution's weights are those of one window, wherever it is set down: outputs · (inputs · size² + 1) for pictures,
whatever their height and width. A window of `size` points fits into length + 2·padding of them at
⌊(length + 2·padding − size) / stride⌋ + 1 places (Dumoulin and Visin, arXiv 1603.07285, relationship 6).
"""

from __future__ import annotations

import numpy as np

from workbench.exercises.exercise import Exercise

LESSON = "1_blocks/1_easy"


def convolution_parameters(inputs: int, outputs: int, size: int, height: int, width: int) -> int:
    """For each output one window over all inputs, and one bias; the picture's height and width do not enter."""
    return outputs * (inputs * size * size + 1)


def _for_each_place(inputs: int, outputs: int, size: int, height: int, width: int) -> int:
    """The same window is used at every place: its weights are counted once, not for each pixel."""
    return outputs * (inputs * size * size + 1) * height * width


def _like_a_linear_layer(inputs: int, outputs: int, size: int, height: int, width: int) -> int:
    """That is a linear layer from all pixels. A convolution's output sees one window and knows nothing of the rest."""
    return outputs * (inputs * height * width + 1)


def _forgets_the_bias(inputs: int, outputs: int, size: int, height: int, width: int) -> int:
    """Each output channel also adds one number, its bias."""
    return outputs * inputs * size * size


def _forgets_the_input_channels(inputs: int, outputs: int, size: int, height: int, width: int) -> int:
    """A filter looks at all input channels at once and has a size × size window for each of them."""
    return outputs * (size * size + 1)


def _forgets_the_square(inputs: int, outputs: int, size: int, height: int, width: int) -> int:
    """The window has two sides: size × size weights, not size."""
    return outputs * (inputs * size + 1)


def _bias_for_each_window(inputs: int, outputs: int, size: int, height: int, width: int) -> int:
    """The windows on all input channels are summed first, and one bias is added to the sum."""
    return outputs * inputs * (size * size + 1)


def _convolution_inputs(rng: np.random.Generator) -> dict[str, tuple[int, int, int, int, int]]:
    inputs, outputs = int(rng.integers(2, 9)), int(rng.integers(2, 17))
    size, side = int(rng.choice([3, 5, 7])), int(rng.integers(8, 33))
    return {
        "gray picture": (1, outputs, 3, side, side),
        "color picture": (3, outputs, size, side, side),
        "ragged": (inputs, inputs + outputs, size, side, side + int(rng.integers(1, 9))),
        "one pixel wide": (inputs, outputs, 1, side, side),
        "extreme": (512, 1024, size, 4096, 2160),
    }


CONVOLUTION_PARAMETERS = Exercise(
    name="blocks.convolution_parameters",
    lesson=LESSON,
    title="What a convolution has to learn",
    statement=(
        "How many numbers does a convolution learn that turns `inputs` channels of (height × width) into `outputs`, "
        "with windows of size × size and a bias for each output?"
    ),
    signature="convolution_parameters(inputs, outputs, size, height, width)",
    solution=convolution_parameters,
    wrong={
        "counts the window once for each place": _for_each_place,
        "counts a linear layer": _like_a_linear_layer,
        "forgets the bias": _forgets_the_bias,
        "forgets the input channels": _forgets_the_input_channels,
        "forgets that a window has two sides": _forgets_the_square,
        "adds a bias for each input channel": _bias_for_each_window,
    },
    inputs=_convolution_inputs,
    hints=(
        "Look at one output number. Which input numbers does it read, and with how many weights?",
        "One output channel has one window for each input channel, and one bias. All places share them.",
        "Three channels to eight, 5 × 5, on 32 × 32: a filter has 3·25 weights and a bias, 76. Eight filters: 608.",
    ),
)


def output_length(length: int, size: int, stride: int, padding: int) -> int:
    """The places at which a window of `size` fits into the padded signal, `stride` apart; none if it is too long."""
    return max(0, (length + 2 * padding - size) // stride + 1)


def _forgets_the_first_place(length: int, size: int, stride: int, padding: int) -> int:
    """The window stands at the very start too: steps that fit, plus one."""
    return max(0, (length + 2 * padding - size) // stride)


def _pads_one_side(length: int, size: int, stride: int, padding: int) -> int:
    """Padding is added at both ends."""
    return max(0, (length + padding - size) // stride + 1)


def _only_divides(length: int, size: int, stride: int, padding: int) -> int:
    """A window of several points cannot stand on the last point: it would reach beyond the end."""
    return -(-length // stride)


def _rounds_up(length: int, size: int, stride: int, padding: int) -> int:
    """A last step that does not fit whole is left out: round down."""
    return max(0, -(-(length + 2 * padding - size) // stride) + 1)


def _forgets_the_stride(length: int, size: int, stride: int, padding: int) -> int:
    """Those are the places one apart. With a larger stride the window skips some."""
    return max(0, length + 2 * padding - size + 1)


def _below_zero(length: int, size: int, stride: int, padding: int) -> int:
    """A window that is longer than the signal fits nowhere: no places, and never fewer than none."""
    return (length + 2 * padding - size) // stride + 1


def _length_inputs(rng: np.random.Generator) -> dict[str, tuple[int, int, int, int]]:
    length, half = int(rng.integers(20, 50)), int(rng.integers(1, 4))
    return {
        "step of one": (length, 2 * half + 1, 1, half),
        "step of two": (2 * length, 5, 2, 2),
        "no padding": (length, 2 * half + 1, 3, 0),
        "ragged": (2 * length + 1, 2 * half + 4, 4, half),
        "empty": (half, 2 * half + 9, 2, 1),
        "extreme": (2 ** int(rng.integers(16, 21)), 25, 5, 0),
    }


OUTPUT_LENGTH = Exercise(
    name="blocks.output_length",
    lesson=LESSON,
    title="How many places a window finds",
    statement=(
        "A window of `size` points moves along `length` points, `padding` zeros added at each end, `stride` points at "
        "a time. How many numbers come out? None where it does not fit: 0."
    ),
    signature="output_length(length, size, stride, padding)",
    solution=output_length,
    wrong={
        "forgets the first place": _forgets_the_first_place,
        "pads one end only": _pads_one_side,
        "divides by the stride and nothing else": _only_divides,
        "counts a step that does not fit": _rounds_up,
        "forgets the stride": _forgets_the_stride,
        "finds fewer than no places": _below_zero,
    },
    inputs=_length_inputs,
    hints=(
        "Lay a ruler of `size` along the padded signal. Where does it begin for the last time?",
        "It may move by (padded length − size) points in all. Count the whole strides in that, and the first place.",
        "9 points, window 3, stride 2, padding 1: 11 points in all, 8 left to move, 4 strides, so 5 places.",
    ),
)
