"""Three encoders behind one contract: embedded letters and their mask go in, a memory of one vector a letter comes out.

| encoder | a letter learns of others | from n letters away in | all letters at once |
|---|---|---|---|
| `recurrent` | step by step, from both sides | n steps | no |
| `convolutional` | from its neighbors, layer by layer | n layers; three here | yes |
| `transformer` | from all, at any distance | one layer | yes, but must be told their order |

(After table 1 of Vaswani et al., arXiv 1706.03762.) As they promise the same, a model cannot tell which it has.
"""

from __future__ import annotations

from torch import Tensor, nn

from workbench.blocks.convolution import Conv1d
from workbench.blocks.linear import Linear
from workbench.blocks.position import SinusoidalPosition
from workbench.blocks.recurrent import GRU
from workbench.blocks.transformer import Encoder
from workbench.fabric import Fabric

CONTRACT = "letters = batch time {inputs}, mask = batch time: bool -> memory = batch time {width}"


def recurrent(inputs: int, width: int) -> Fabric:
    """A GRU in each direction, half the width each."""
    return Fabric(
        CONTRACT.format(inputs=inputs, width=width),
        gru=("letters", None, "mask", GRU(inputs, width // 2, bidirectional=True)),
        returns="gru.outputs",
    )


def convolutional(inputs: int, width: int) -> Fabric:
    """Three convolutions over three letters: each place sees three letters to either side."""
    return Fabric(
        CONTRACT.format(inputs=inputs, width=width),
        widen=("letters", Linear(inputs, width)),
        near=("widen", "mask", ConvolutionLayer(width)),
        further=("near", "mask", ConvolutionLayer(width)),
        furthest=("further", "mask", ConvolutionLayer(width)),
    )


def transformer(inputs: int, width: int) -> Fabric:
    """Positions, then one layer of self-attention in which every letter looks at all."""
    return Fabric(
        CONTRACT.format(inputs=inputs, width=width),
        widen=("letters", Linear(inputs, width)),
        position=SinusoidalPosition(width),
        layers=("position", "mask", Encoder(1, width, num_heads=4, hidden=2 * width)),
    )


class ConvolutionLayer(nn.Module):
    """x + ReLU(convolution of x over 3 places): (batch, time, width) -> the same; padding stays unseen."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.convolution = Conv1d(width, width, 3, padding="same")

    @property
    def contract(self) -> str:
        return f"x = batch time {self.width}, mask = batch time: bool -> batch time {self.width}"

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        seen = x.masked_fill(~mask.unsqueeze(-1), 0).mT  # (batch, width, time), 0 behind the word's end
        return x + self.convolution(seen).mT.relu()  # (batch, time, width)
