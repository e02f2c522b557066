"""From spelling to sound: an encoder reads the letters, a decoder says one sound after another.

    letters ── embed ── encoder ──┬── start ──┐ first state
                                  │ memory    ▼
                                  └──────► decoder ── scores of the 40 sounds, at every step
                                              ▲
                                            said

The model is a `Fabric` of fabrics, so every part has a name and is changed by it, `model.swap("encoder", …)`,
`model.swap("decoder.attention", …)`, while all others keep their weights. What the parts promise each other is all
they know of each other: see `encoders.py`, `decoders.py`, and `variants.py` for the swaps.
"""

from __future__ import annotations

from torch import Tensor, nn

from workbench.blocks.embedding import Embedding
from workbench.blocks.linear import Linear
from workbench.fabric import Fabric
from workbench.pronounce.data import LETTERS, SOUNDS
from workbench.pronounce.decoders import all_steps
from workbench.pronounce.encoders import recurrent

EMBEDDED = 32  # numbers for a letter or a sound
WIDTH = 96  # of the memory and of the decoder's state


def build(embedded: int = EMBEDDED, width: int = WIDTH) -> Fabric:
    """An untrained model with a recurrent encoder and additive attention; `width` is even."""
    return Fabric(
        "letters = batch time: int64, mask = batch time: bool, said = batch steps: int64 "
        f"-> scores = batch steps {len(SOUNDS)}",
        embed=("letters", Embedding(len(LETTERS), embedded, padding=0)),
        encoder=("embed", "mask", recurrent(embedded, width)),
        start=("encoder", "mask", start(width)),
        decoder=("said", "start", "encoder", "mask", all_steps(embedded, width)),
        returns="decoder.scores",
    )


def start(width: int) -> Fabric:
    """The decoder's first state: the mean of the memory, through one layer."""
    return Fabric(
        f"memory = batch time {width}, mask = batch time: bool -> batch {width}",
        mean=("memory", "mask", MaskedMean(width)),
        layer=Linear(width, width),
        tanh=nn.Tanh(),
    )


class MaskedMean(nn.Module):
    """The mean over the real places: memory (batch, time, width), mask (batch, time) -> (batch, width)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    @property
    def contract(self) -> str:
        return f"memory = batch time {self.width}, mask = batch time: bool -> batch {self.width}"

    def forward(self, memory: Tensor, mask: Tensor) -> Tensor:
        total = memory.masked_fill(~mask.unsqueeze(-1), 0).sum(dim=1)  # (batch, width)
        return total / mask.sum(dim=1, keepdim=True).clamp_min(1)  # a row without a letter gives 0, not nan
