"""The table of the experiment: each variant is one line that changes a fresh model, and nothing else.

    model = build()
    VARIANTS["dot-product"](model)

Data, training, decoding and every other block stay the same: what differs in the results is that line.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from workbench.blocks.attention import DotProductAttention, attention_contract
from workbench.blocks.multi_head import MultiHeadAttention
from workbench.fabric import Change, Fabric
from workbench.pronounce.decoders import step_by_step
from workbench.pronounce.encoders import convolutional, transformer
from workbench.pronounce.model import EMBEDDED, WIDTH, build

BASE = "additive"


class NoAttention(nn.Module):
    """The same summary of the word at every step, whatever is asked: what both directions of the encoder end with.

    The encoder–decoder before attention: its memory is one vector of fixed length, seen at each step (Cho et al.,
    arXiv 1406.1078, §2.2). The first half of the memory's numbers was read forwards and is taken at the last letter,
    the second half was read backwards and is taken at the first. (The mean over all places did no better.)
    """

    def __init__(self, query_width: int, memory_width: int) -> None:
        super().__init__()
        self.query_width, self.memory_width = query_width, memory_width

    @property
    def contract(self) -> str:
        return attention_contract(self.query_width, self.memory_width, self.memory_width)

    def forward(self, query: Tensor, memory: Tensor, mask: Tensor | None = None) -> Tensor:
        forwards, backwards = memory.chunk(2, dim=-1)  # (batch, time, memory width / 2) each
        if mask is None:
            last = forwards[:, -1]
        else:
            at = mask.sum(dim=1).sub(1).clamp_min(0)  # (batch,)
            last = forwards.gather(1, at[:, None, None].expand(-1, 1, forwards.shape[2])).squeeze(1)
        summary = torch.cat([last, backwards[:, 0]], dim=-1)  # (batch, memory width)
        return summary.unsqueeze(1).expand(-1, query.shape[1], -1)  # (batch, steps, memory width)


VARIANTS: dict[str, Callable[[Fabric], Change | None]] = {
    # the decoder's attention
    "additive": lambda model: None,
    "none": lambda model: model.swap("decoder.attention", NoAttention(WIDTH, WIDTH)),
    "dot-product": lambda model: model.swap("decoder.attention", DotProductAttention()),
    "additive + multi-head": lambda model: model.parallel("decoder.attention", MultiHeadAttention(WIDTH, 4)),
    # the encoder
    "convolutional encoder": lambda model: model.swap("encoder", convolutional(EMBEDDED, WIDTH)),
    "transformer encoder": lambda model: model.swap("encoder", transformer(EMBEDDED, WIDTH)),
    # the decoder
    "step by step": lambda model: model.swap("decoder", step_by_step(EMBEDDED, WIDTH)),
}


def make(variant: str = BASE) -> Fabric:
    """An untrained model of one of `VARIANTS`. Raises ValueError for another name."""
    if variant not in VARIANTS:
        raise ValueError(f"variant: expected one of {', '.join(VARIANTS)}; got {variant!r}")
    model = build()
    VARIANTS[variant](model)
    return model
