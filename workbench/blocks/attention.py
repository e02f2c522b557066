"""Attention: each step of a query reads from a whole memory, most where it fits best.

    e_ij = score(q_i, m_j)               how well place j of the memory answers step i of the query
    w_ij = exp(e_ij) / Σ_k exp(e_ik)     as shares: each row of w is positive and sums to one
    c_i  = Σ_j w_ij m_j                  the context: a mean of the memory, weighted for this step

The kinds differ in `score` only:

    additive       v · tanh(W q + U m)   Bahdanau, Cho and Bengio, arXiv 1409.0473, §3.1 and appendix A.1.2
    dot product    q · m                 Luong, Pham and Manning, arXiv 1508.04025, §3.1
      scaled       q · m / √width        Vaswani et al., arXiv 1706.03762, §3.2.1; the default here

Why the root: if the numbers in q and m are independent with variance 1, q · m has variance `width`. Scores that large
make the softmax nearly one-hot, and its gradient nearly zero. Additive attention needs no equal widths, and its tanh
is bounded; but it holds (batch, steps, time, hidden) numbers where a product of matrices holds (batch, steps, time).

*Masks.* `mask` (batch, time) is True where the memory holds a real token. PyTorch's `key_padding_mask` is the reverse:
True is padding there. A memory that is all padding gives exactly 0; `nn.MultiheadAttention` gives nan when asked
for its weights. What stands in the padding, be it nan, touches neither contexts nor gradients.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from workbench.blocks.arguments import at_least, check_shape
from workbench.blocks.linear import Linear


class Attention(nn.Module):
    """Base of the kinds of attention: a subclass has a `contract` and scores every place for every step.

    Takes query (batch, steps, query width), memory (batch, time, memory width) and mask (batch, time).
    Raises ValueError or TypeError naming the one that does not fit.
    """

    def scores(self, query: Tensor, memory: Tensor) -> Tensor:
        """How well each place of the memory answers each step of the query: (batch, steps, time)."""
        raise NotImplementedError

    def forward(self, query: Tensor, memory: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.forward_with_weights(query, memory, mask)[0]  # (batch, steps, memory width)

    def forward_with_weights(
        self, query: Tensor, memory: Tensor, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """The context (batch, steps, memory width), and the weights it was made with (batch, steps, time)."""
        memory = clear_padding(memory, mask)
        allowed = None if mask is None else mask.unsqueeze(1)  # (batch, 1, time): the same for every step
        weights = masked_softmax(self.scores(query, memory), allowed)  # (batch, steps, time)
        return weights @ memory, weights


class DotProductAttention(Attention):
    """Scores are products, q · m × `scale`; there is nothing to learn. `scale` None is 1/√width, 1 is Luong's."""

    def __init__(self, scale: float | None = None) -> None:
        super().__init__()
        self.scale = scale

    @property
    def contract(self) -> str:
        return attention_contract("width", "width", "width")

    def scores(self, query: Tensor, memory: Tensor) -> Tensor:
        width = query.shape[-1]
        check_pair(query, memory, width, width)
        scale = 1 / math.sqrt(width) if self.scale is None else self.scale
        return (query * scale) @ memory.transpose(1, 2)  # (batch, steps, time)


class AdditiveAttention(Attention):
    """Scores come from a network with one layer of `hidden` tanh units: v · tanh(W q + U m + b)."""

    def __init__(self, query_width: int, memory_width: int, hidden: int) -> None:
        super().__init__()
        at_least(1, query_width=query_width, memory_width=memory_width, hidden=hidden)
        self.query_width, self.memory_width = query_width, memory_width
        self.query = Linear(query_width, hidden, bias=False)  # W; one bias for the sum is enough
        self.memory = Linear(memory_width, hidden)  # U and b
        # v; a bias would shift all scores alike, which softmax ignores
        self.score = Linear(hidden, 1, bias=False)

    @property
    def contract(self) -> str:
        return attention_contract(self.query_width, self.memory_width, self.memory_width)

    def scores(self, query: Tensor, memory: Tensor) -> Tensor:
        check_pair(query, memory, self.query_width, self.memory_width)
        asked = self.query(query).unsqueeze(2)  # (batch, steps, 1, hidden)
        offered = self.memory(memory).unsqueeze(1)  # (batch, 1, time, hidden)
        return self.score(torch.tanh(asked + offered)).squeeze(-1)  # (batch, steps, time)


def masked_softmax(scores: Tensor, allowed: Tensor | None) -> Tensor:
    """Shares over the last axis among the places where `allowed` is True: 0 elsewhere, and 0 where there are none."""
    if allowed is None:
        return torch.softmax(scores, dim=-1)
    # the lowest number and not −∞: the softmax of nothing but −∞ is nan, and so is its gradient
    scores = scores.masked_fill(~allowed, torch.finfo(scores.dtype).min)
    return torch.softmax(scores, dim=-1).masked_fill(~allowed, 0)


def clear_padding(memory: Tensor, mask: Tensor | None) -> Tensor:
    """The memory with 0 at every padded place: a weight of 0 alone would not do, as 0 × nan is nan."""
    if mask is None:
        return memory
    if mask.dtype != torch.bool:
        raise TypeError(f"mask: expected bool, True at real tokens, got {mask.dtype}")
    check_shape("mask", mask, *memory.shape[:-1])
    return memory.masked_fill(~mask.unsqueeze(-1), 0)  # (batch, time, memory width)


def check_pair(query: Tensor, memory: Tensor, query_width: int, memory_width: int) -> None:
    """Raise ValueError unless query is (batch, steps, query_width) and memory (batch, time, memory_width)."""
    check_shape("query", query, "batch", "steps", query_width)
    check_shape("memory", memory, query.shape[0], "time", memory_width)


def attention_contract(query_width: int | str, memory_width: int | str, context_width: int | str) -> str:
    query, memory = f"query = batch steps {query_width}", f"memory = batch time {memory_width}"
    return f"{query}, {memory}, mask? = batch time: bool -> batch steps {context_width}"
