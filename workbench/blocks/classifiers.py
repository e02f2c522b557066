"""Four small classifiers, one of each kind of block, to be set on the same task.

They differ in what they take for granted:

| classifier    | what it takes for granted about the input                                               |
|---------------|-----------------------------------------------------------------------------------------|
| MLP           | nothing: each number has weights of its own, and the order of the numbers means nothing |
| convolutional | neighbors belong together, and a pattern means the same wherever it stands              |
| recurrent     | the input is read in order, and what was read last is remembered best                   |
| attention     | any two pieces may matter to each other, however far apart                              |

What a model takes for granted it need not learn: that is its *inductive bias* (Battaglia et al., arXiv 1806.01261, §1).
Where it is true, fewer examples are enough; where it is false, it stands in the way.

Each takes a signal (batch, length) or a gray picture (batch, height, width), according to `shape`, and gives logits
(batch, classes). The last two read it piece by piece: a signal in pieces of neighboring points, a picture row by row.
All but the MLP end alike: of each feature the strongest answer is kept, wherever in the input it was found.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from workbench.blocks.arguments import at_least, check_shape
from workbench.blocks.convolution import Conv1d, Conv2d
from workbench.blocks.linear import MLP, Linear
from workbench.blocks.position import LearnedPosition
from workbench.blocks.recurrent import GRU
from workbench.blocks.transformer import Encoder


class Classifier(nn.Module):
    """Base of the four: what goes in and out. Raises ValueError naming `shape`, or `x` when it has another."""

    def __init__(self, shape: Sequence[int], classes: int) -> None:
        super().__init__()
        if len(shape) not in (1, 2) or min(shape) < 1:
            raise ValueError(f"shape: expected (length,) or (height, width), got {tuple(shape)}")
        at_least(1, classes=classes)
        self.shape, self.classes = tuple(shape), classes

    @property
    def contract(self) -> str:
        return f"batch {' '.join(map(str, self.shape))} -> batch {self.classes}"


class MLPClassifier(Classifier):
    """Two hidden layers of `hidden` units over all numbers at once."""

    def __init__(self, shape: Sequence[int], hidden: int, classes: int = 10) -> None:
        super().__init__(shape, classes)
        self.layers = MLP([math.prod(shape), hidden, hidden, classes])

    def forward(self, x: Tensor) -> Tensor:
        check_shape("x", x, "batch", *self.shape)
        return self.layers(x.flatten(1))  # (batch, classes)


class ConvolutionalClassifier(Classifier):
    """Three convolutions of `channels` filters, each five points wide and moving on by two at a time."""

    def __init__(self, shape: Sequence[int], channels: int, classes: int = 10) -> None:
        super().__init__(shape, classes)
        block = Conv1d if len(shape) == 1 else Conv2d
        widths = (1, channels, channels)
        self.layers = nn.ModuleList(block(inputs, channels, 5, stride=2, padding=2) for inputs in widths)
        self.head = Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        check_shape("x", x, "batch", *self.shape)
        x = x.unsqueeze(1)  # (batch, 1, length) or (batch, 1, height, width)
        for layer in self.layers:
            x = functional.relu(layer(x))  # (batch, channels, places…): half as many along each axis
        return self.head(x.flatten(2).amax(2))  # (batch, channels) -> (batch, classes)


class RecurrentClassifier(Classifier):
    """A GRU with `hidden` units that reads pieces of `piece` neighboring points, or the rows of a picture."""

    def __init__(self, shape: Sequence[int], hidden: int, piece: int = 4, classes: int = 10) -> None:
        super().__init__(shape, classes)
        self.cut = pieces_of(shape, piece)
        self.reader = GRU(self.cut[1], hidden)
        self.head = Linear(hidden, classes)

    def forward(self, x: Tensor) -> Tensor:
        check_shape("x", x, "batch", *self.shape)
        outputs, _ = self.reader(x.reshape(len(x), *self.cut))  # (batch, pieces, hidden)
        return self.head(outputs.amax(1))  # (batch, hidden) -> (batch, classes)


class AttentionClassifier(Classifier):
    """One transformer layer over the pieces; what tells it their order is a learned vector for each place."""

    def __init__(
        self, shape: Sequence[int], width: int, num_heads: int = 2, piece: int = 4, classes: int = 10
    ) -> None:
        super().__init__(shape, classes)
        self.cut = pieces_of(shape, piece)
        self.embed = Linear(self.cut[1], width)
        self.place = LearnedPosition(self.cut[0], width)
        self.encoder = Encoder(1, width, num_heads, 2 * width)
        self.head = Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        check_shape("x", x, "batch", *self.shape)
        x = self.embed(x.reshape(len(x), *self.cut))  # (batch, pieces, width)
        x = self.encoder(self.place(x))  # (batch, pieces, width)
        return self.head(x.amax(1))  # (batch, width) -> (batch, classes)


def pieces_of(shape: Sequence[int], piece: int) -> tuple[int, int]:
    """How many pieces, and the numbers in each: a signal is cut every `piece` points, a picture into its rows.

    Raises ValueError naming `piece` when it does not divide the length of a signal.
    """
    if len(shape) == 2:
        return shape[0], shape[1]
    at_least(1, piece=piece)
    if shape[0] % piece:
        raise ValueError(f"piece: expected a divisor of the length {shape[0]}, got {piece}")
    return shape[0] // piece, piece
