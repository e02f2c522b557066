"""Multi-head attention: several small attentions side by side, each free to look for something else.

    head_h = softmax(Q_h K_hᵀ / √(width/heads)) V_h      Q = q W_Q, K = m W_K, V = m W_V, cut into heads
    output = [head_1 … head_H] W_O

(Vaswani et al., arXiv 1706.03762, §3.2.2.) One softmax gives one mean of the memory; H heads give H of them for the
same arithmetic, as each works with width/heads numbers. Keys, by which a place is found, and values, which are read
there, are two different views of the memory.

    self-attention     memory = query: every step reads from all steps of its own sequence
    cross-attention    the memory is another sequence, of any length and width
    causal             step i reads from places 0 … i only, so that it can be trained to foretell place i + 1
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from workbench.blocks.arguments import at_least
from workbench.blocks.attention import attention_contract, check_pair, clear_padding, masked_softmax
from workbench.blocks.linear import Linear
from workbench.blocks.rotary import Rotary


class MultiHeadAttention(nn.Module):
    """`num_heads` scaled dot-product attentions over learned queries, keys and values; as `nn.MultiheadAttention`.

    Takes query (batch, steps, width), memory (batch, time, memory_width or width; the query itself if left out) and
    mask (batch, time), True at real tokens. Gives (batch, steps, width), exactly 0 where a step may read nothing.
    `dropout` forgets weights in training; `rotary`, of width/num_heads, turns queries and keys by their positions.
    Raises ValueError or TypeError naming the argument that does not fit.
    """

    def __init__(
        self,
        width: int,
        num_heads: int,
        memory_width: int | None = None,
        bias: bool = True,
        causal: bool = False,
        dropout: float = 0.0,
        rotary: Rotary | None = None,
    ) -> None:
        super().__init__()
        at_least(1, width=width, num_heads=num_heads)
        if width % num_heads:
            raise ValueError(f"num_heads: expected a divisor of width {width}, got {num_heads}")
        if not 0 <= dropout <= 1:
            raise ValueError(f"dropout: expected a probability, got {dropout}")
        if rotary is not None and rotary.width != width // num_heads:
            raise ValueError(f"rotary: expected width {width // num_heads}, of one head, got {rotary.width}")
        self.width, self.num_heads, self.causal, self.dropout = width, num_heads, causal, dropout
        self.memory_width = width if memory_width is None else memory_width
        self.query = Linear(width, width, bias)
        self.key = Linear(self.memory_width, width, bias)
        self.value = Linear(self.memory_width, width, bias)
        self.out = Linear(width, width, bias)
        self.rotary = rotary

    @property
    def contract(self) -> str:
        contract = attention_contract(self.width, self.memory_width, self.width)
        return contract if self.memory_width != self.width else contract.replace("memory =", "memory? =")

    def forward(self, query: Tensor, memory: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        return self.forward_with_weights(query, memory, mask)[0]  # (batch, steps, width)

    def forward_with_weights(
        self, query: Tensor, memory: Tensor | None = None, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """The output (batch, steps, width), and each head's weights, before dropout (batch, heads, steps, time)."""
        memory = query if memory is None else memory
        check_pair(query, memory, self.width, self.memory_width)
        memory = clear_padding(memory, mask)
        queries = self._turned(self._heads(self.query(query)))  # (batch, heads, steps, width/heads)
        keys = self._turned(self._heads(self.key(memory)))  # (batch, heads, time, width/heads)
        values = self._heads(self.value(memory))  # (batch, heads, time, width/heads)

        allowed = self._allowed(query, memory, mask)
        scores = queries @ keys.transpose(-2, -1) / math.sqrt(self.width // self.num_heads)
        weights = masked_softmax(scores, allowed)  # (batch, heads, steps, time)
        contexts = functional.dropout(weights, self.dropout, self.training) @ values
        output = self.out(contexts.transpose(1, 2).flatten(2))  # (batch, steps, width): heads side by side
        if allowed is not None:  # who read nothing says nothing, not even the bias of `out`
            output = output.masked_fill(~allowed.any(dim=-1).squeeze(1).unsqueeze(-1), 0)
        return output, weights

    def _heads(self, x: Tensor) -> Tensor:
        """Each head's share of the width as a sequence of its own: (batch, heads, time, width/heads)."""
        return x.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)

    def _turned(self, heads: Tensor) -> Tensor:
        return heads if self.rotary is None else self.rotary(heads.transpose(1, 2)).transpose(1, 2)

    def _allowed(self, query: Tensor, memory: Tensor, mask: Tensor | None) -> Tensor | None:
        """Which places each step may read, for all heads alike: (batch or 1, 1, steps or 1, time), None for all."""
        allowed = None if mask is None else mask[:, None, None, :]  # (batch, 1, 1, time)
        if self.causal:
            every = torch.ones(query.shape[1], memory.shape[1], dtype=torch.bool, device=query.device)
            past = every.tril()[None, None]  # (1, 1, steps, time): step i sees places 0 … i
            allowed = past if allowed is None else allowed & past
        return allowed

    def extra_repr(self) -> str:
        return f"{self.width}, {self.num_heads}, causal={self.causal}, dropout={self.dropout}"


def from_torch(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dict of `nn.MultiheadAttention`, or of a module that holds some, under our names.

    PyTorch packs W_Q, W_K and W_V on top of each other, (3 × width, width), when they read equal widths: for
    self-attention that is one multiplication of matrices in place of three. Here they are three `Linear`s.
    """
    renamed: dict[str, Tensor] = {}
    for name, weight in weights.items():
        if name.endswith(("in_proj_weight", "in_proj_bias")):
            before, _, kind = name.rpartition("in_proj_")
            renamed |= {
                f"{before}{part}.{kind}": third
                for part, third in zip(("query", "key", "value"), weight.chunk(3), strict=True)
            }
        else:
            for short, full in (("q_proj_", "query."), ("k_proj_", "key."), ("v_proj_", "value.")):
                name = name.replace(short, full)
            renamed[name.replace("out_proj.", "out.")] = weight
    return renamed
