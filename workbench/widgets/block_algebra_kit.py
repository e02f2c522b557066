"""A box of blocks and what becomes of three of them in a row: shapes, costs, or the edge that does not fit.

Every block has a contract, such as "batch time 28 -> batch time 64". Three of the box, between pictures and a last
block that makes ten scores of 64 numbers, are wired as a `Fabric`. Its check decides whether they fit; parameters are
counted in the modules, FLOPs and bytes by `workbench.profiling.meter`. All on the meta device: no number is computed.

Some blocks may change places with the function staying the same and the price not: an average is linear, so it may
stand before a linear block or behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from workbench.blocks import GRU, MLP, Conv2d, Flatten, Linear, MultiHeadAttention, ReLU
from workbench.blocks.arguments import check_shape
from workbench.fabric import Edge, EdgeError, Fabric
from workbench.profiling import meter
from workbench.profiling.meter import Work

PICTURE = {"batch": 32, "channels": 1, "height": 28, "width": 28}
CLASSES = 10


class Rows(nn.Module):
    """A picture as a sequence: each row, with all its channels, is a time step."""

    contract = "batch channels height width -> batch height channels*width"

    def forward(self, x: Tensor) -> Tensor:
        return x.transpose(1, 2).flatten(2)  # (batch, height, channels · width)


class Patches(nn.Module):
    """A picture as a sequence: 16 squares of 7 × 7 pixels, each as 64 numbers.

    Source: Dosovitskiy et al., arXiv 2010.11929, §3.1, without the position.
    """

    contract = "batch 1 28 28 -> batch 16 64"

    def __init__(self) -> None:
        super().__init__()
        self.cut = Conv2d(1, 64, 7, stride=7)

    def forward(self, x: Tensor) -> Tensor:
        return self.cut(x).flatten(2).transpose(1, 2)  # (batch, 64, 4, 4) -> (batch, 16, 64)


class Average(nn.Module):
    """The mean over the axes that its contract names on the left only. Raises ValueError for other axes."""

    def __init__(self, contract: str) -> None:
        super().__init__()
        self.contract = contract
        self.axes, kept = (side.split() for side in contract.split(" -> "))
        self.gone = tuple(i for i, axis in enumerate(self.axes) if axis not in kept)

    def forward(self, x: Tensor) -> Tensor:
        check_shape("x", x, *self.axes)
        return x.mean(self.gone)


@dataclass(frozen=True)
class Choice:
    """A block of the box: what a reader sees, and how one is made."""

    label: str
    make: Callable[[], nn.Module]


CHOICES = {
    "convolution": Choice("convolution, 1 → 64 channels", lambda: Conv2d(1, 64, 5, stride=4, padding=2)),
    "patches": Choice("cut into patches, 49 → 64", Patches),
    "rows": Choice("take rows as time steps", Rows),
    "flattened": Choice("flatten", Flatten),
    "convolution_64": Choice("convolution, 64 → 64 channels", lambda: Conv2d(64, 64, 3, stride=2, padding=1)),
    "linear_28": Choice("linear, 28 → 64", lambda: Linear(28, 64)),
    "linear_64": Choice("linear, 64 → 64", lambda: Linear(64, 64)),
    "mlp": Choice("MLP, 784 → 256 → 64", lambda: MLP([784, 256, 64])),
    "gru": Choice("GRU, 28 → 64", lambda: GRU(28, 64)),
    "attention": Choice("attention, width 64", lambda: MultiHeadAttention(64, 4)),
    "relu": Choice("ReLU", ReLU),
    "average_time": Choice("average over time", lambda: Average("batch time width -> batch width")),
    "average_places": Choice(
        "average over the picture", lambda: Average("batch channels height width -> batch channels")
    ),
}
SCORES = Choice("linear, 64 → 10", lambda: Linear(64, CLASSES))


@dataclass(frozen=True)
class Piece:
    """A block in its place; `work` is None where no data arrives."""

    name: str
    label: str
    parameters: int
    work: Work | None

    @property
    def prices(self) -> tuple[int, int, int]:
        """Parameters, FLOPs and bytes moved."""
        return (self.parameters, *(self.work or Work(0, 0)))


@dataclass(frozen=True)
class Chain:
    """Three blocks and the last one. `edges` go as far as shapes flow; a `refusal` is about the last of them."""

    pieces: tuple[Piece, ...]
    edges: tuple[Edge, ...]
    refusal: str
    uncounted: tuple[str, ...]  # operations whose FLOPs are unknown

    @property
    def prices(self) -> tuple[int, int, int]:
        """Parameters, FLOPs and bytes of all blocks that data reaches."""
        reached = [piece.prices for piece in self.pieces if piece.work is not None]
        parameters, flops, moved = map(sum, zip((0, 0, 0), *reached, strict=True))
        return parameters, flops, moved


def compose(names: Sequence[str]) -> Chain:
    """Builds the chain of three blocks of the box, checks it, and counts it as far as it fits."""
    choices = dict(zip(places(names), (CHOICES[name] for name in names), strict=True)) | {"scores": SCORES}
    with torch.device("meta"):
        blocks = {place: choice.make() for place, choice in choices.items()}
    reached, refusal = len(blocks), ""
    try:
        edges = wired(blocks, f"batch {CLASSES}").check(**PICTURE).edges
    except EdgeError as error:
        reached = [*blocks, "output"].index(error.edge.target)
        edges, refusal = (error.edge,), str(error)
    count = None
    if reached:
        fitting = wired(dict(list(blocks.items())[:reached]), "...")
        edges = (*fitting.check(**PICTURE).edges[:-1], edges[-1])  # up to the one out of it
        count = meter(fitting, torch.empty(*PICTURE.values(), device="meta"))
    pieces = tuple(
        Piece(
            name,
            choices[name].label,
            sum(parameter.numel() for parameter in block.parameters()),
            count.by_module.get(name, Work(0, 0)) if count and i < reached else None,
        )
        for i, (name, block) in enumerate(blocks.items())
    )
    return Chain(pieces, edges, refusal, tuple(count.uncounted) if count else ())


def wired(blocks: Mapping[str, Any], gives: str) -> Fabric:
    """The blocks in a row, from pictures to what `gives` says in a contract's words."""
    return Fabric(f"picture = {' '.join(PICTURE)} -> {gives}", **blocks)


def places(names: Sequence[str]) -> list[str]:
    """A name for each place: that of its block, with a number where the block stands in several."""
    return [
        f"{name}_{names[:i].count(name) + 1}" if names.count(name) > 1 else name
        for i, name in enumerate(names)
    ]
