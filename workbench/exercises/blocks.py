"""Tasks of the first track: what blocks cost, what they take for granted, and how a deep stack hears its error.

A convolution's weights are those of one window, wherever it is set down: outputs · (inputs · size² + 1) for pictures,
whatever their height and width. A window of `size` points fits into length + 2·padding of them at
⌊(length + 2·padding − size) / stride⌋ + 1 places (Dumoulin and Visin, arXiv 1603.07285, relationship 6).
"""

from __future__ import annotations

import numpy as np

from workbench.exercises.exercise import Exercise, Question

LESSON = "1_blocks/1_easy"

RECALL_FLOPS = Question(
    name="blocks.recall_flops",
    lesson=LESSON,
    prompt="From the start page: how many FLOPs does it take to multiply a 100 × 40 matrix by a 40 × 10 matrix?",
    options={"a": "4,400", "b": "40,000", "c": "80,000", "d": "1,000"},
    answer="c",
    why={
        "a": "That is how many numbers the two inputs hold. Each of them is used many times over.",
        "b": "There are 40,000 products to form, but each of them is added to a sum as well: two operations.",
        "c": "1,000 results, each a sum of 40 products, and a product with its addition counts as two operations.",
        "d": "That is how many results there are. Each of them is a sum of 40 products.",
    },
)

RECALL_ONE_EXAMPLE = Question(
    name="blocks.recall_one_example",
    lesson=LESSON,
    prompt="From the start page: a large linear layer is used on one single example. Each weight, four bytes, is "
    "read once and used for one multiplication and one addition. What sets the time?",
    options={
        "a": "How fast the machine calculates, for there is nothing but arithmetic here",
        "b": "How fast the weights come from memory",
        "c": "How many layers come after it",
        "d": "Nothing can be said without a measurement",
    },
    answer="b",
    why={
        "a": "Two operations for four bytes are half a FLOP a byte, far to the left of the bend of any roof. The "
        "adders wait.",
        "b": "Half a FLOP for each byte. With many examples at once a weight would be used many times for one trip, "
        "and that is one reason why one trains in batches.",
        "c": "What comes later has its own time. This layer's is set by its own bytes and FLOPs.",
        "d": "Seconds need a measurement; which of the two jobs is the slower one follows from two counts.",
    },
)

SAME_EVERYWHERE = Question(
    name="blocks.same_everywhere",
    lesson=LESSON,
    prompt="A convolution with 16 filters of 3 × 3 reads pictures of 28 × 28. Now the pictures are 56 × 56. How many "
    "weights must it have?",
    options={
        "a": "As many as before",
        "b": "Twice as many",
        "c": "Four times as many, as there are four times as many pixels",
        "d": "It cannot read them: a network is made for one size",
    },
    answer="a",
    why={
        "a": "The same small window is set down at more places. More arithmetic, not one weight more.",
        "b": "The sides have doubled, but a filter stays 3 × 3. It is only set down more often.",
        "c": "That is so for a linear layer, which has weights for each pixel. A filter does not know how many places "
        "there are.",
        "d": "A linear layer is made for one size. A convolution reads any picture that is at least as large as its "
        "window.",
    },
)

ORDER = Question(
    name="blocks.order",
    lesson=LESSON,
    prompt="Take the learned places out of our attention model, then swap two pieces of a signal. What happens to "
    "its answer?",
    options={
        "a": "It is reversed",
        "b": "It gets worse, by more the farther apart the two pieces are",
        "c": "It changes, as every piece is now read by other pieces than before",
        "d": "Nothing at all",
    },
    answer="d",
    why={
        "a": "Nothing in attention runs from left to right, so nothing can be reversed.",
        "b": "Far or near is the same to attention. It is the recurrent model that has to carry things far.",
        "c": "Each piece is read by all others, before and after. What they read from it depends on what it holds, not "
        "on where it stands.",
        "d": "Matches are between contents. Without places a signal is a bag of pieces, and a bag has no order.",
    },
)

MINDS = Question(
    name="blocks.minds",
    lesson=LESSON,
    prompt="Why did the MLP not mind the shuffling of the signals?",
    options={
        "a": "It had learned the order beforehand",
        "b": "Each input number has weights of its own, so any order is as good as any other",
        "c": "It is too small to see the difference, a larger one would mind",
        "d": "Shuffling loses nothing, so no network can mind it",
    },
    answer="b",
    why={
        "a": "It started from random weights both times, and never saw the other order.",
        "b": "Rename the inputs and rename the weights the same way: it is the same network. Order was never built in.",
        "c": "It holds for any size. Shuffle the columns of its first matrix along with the inputs, and every output "
        "stays what it was.",
        "d": "True, nothing is lost. But three models did mind: they had counted on neighbors being neighbors.",
    },
)

ALIGNED = Question(
    name="blocks.aligned",
    lesson=LESSON,
    prompt="You have photographs of one machine part, all taken by one camera on a fixed stand, and a few hundred "
    "labels. A colleague says: pictures, so we need a convolution. What do you answer?",
    options={
        "a": "Of course: convolutions are best for pictures",
        "b": "No: an MLP is always better with little data",
        "c": "Let us try an MLP beside it, as here each pixel always shows the same spot",
        "d": "We need attention, it has replaced both of them",
    },
    answer="c",
    why={
        "a": "It is best where the same pattern may turn up in many places. On a fixed stand it may not.",
        "b": "With little data it matters most that what a block takes for granted is true. For an MLP with pictures "
        "that move about, that goes badly.",
        "c": "Aligned pictures are what the MLP did well on. Which is better is a quick experiment, not a matter of "
        "faith.",
        "d": "Attention takes the least for granted of the three. That is its strength when there is very much data.",
    },
)

RESIDUAL = Question(
    name="blocks.residual",
    lesson=LESSON,
    prompt="What does a residual connection change, so that a deep stack can be trained?",
    options={
        "a": "It adds weights, and with them the power to learn",
        "b": "It makes the computation of each layer cheaper",
        "c": "It skips layers that are not needed and so makes the network shallower",
        "d": "It gives the error a way back on which nothing multiplies it",
    },
    answer="d",
    why={
        "a": "It has no weights. The plain stack and the residual one have exactly as many parameters.",
        "b": "It costs one more addition. Every layer is still computed, and takes as long as before.",
        "c": "All layers run, always. A layer may learn to add little, but it is never left out.",
        "d": "The output is x + f(x). Whatever f does to the error, the x hands it on unchanged, and both are added.",
    },
)


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

TASKS: tuple[Exercise | Question, ...] = (
    RECALL_FLOPS,
    RECALL_ONE_EXAMPLE,
    SAME_EVERYWHERE,
    MINDS,
    ORDER,
    ALIGNED,
    RESIDUAL,
    CONVOLUTION_PARAMETERS,
    OUTPUT_LENGTH,
)
