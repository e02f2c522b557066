"""A small language model: it reads characters and foretells the next one at every place.

    x ← E[characters]
    x ← x + attention(norm(x))       in each layer: places read from those before them,
    x ← x + mlp(norm(x))             then each thinks about what it has read
    loss = cross-entropy(norm(x) Wᵀ, next characters)

Every part is a block of `workbench.blocks`, put together as in Llama: norms without a mean, positions as turns of
queries and keys, an MLP with a gate, no biases (Touvron et al., arXiv 2302.13971, section 2.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from torch import Tensor, nn
from torch.nn import functional

from workbench.blocks import Embedding, Linear, MultiHeadAttention, RMSNorm, Rotary, SwiGLU


@dataclass(frozen=True)
class Size:
    """How large the model is."""

    vocabulary: int = 84
    width: int = 128
    layers: int = 4
    num_heads: int = 4
    hidden: int = 352  # of the MLP: about 8/3 of the width


class Layer(nn.Module):
    """One attention and one MLP, each reading a normalized copy of x (batch, time, width) and adding to x."""

    def __init__(self, size: Size, rotary: Rotary) -> None:
        super().__init__()
        self.attention_norm = RMSNorm(size.width)
        self.attention = MultiHeadAttention(
            size.width, size.num_heads, bias=False, causal=True, rotary=rotary
        )
        self.mlp_norm = RMSNorm(size.width)
        self.mlp = SwiGLU(size.width, size.hidden, size.width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.attention_norm(x))  # (batch, time, width)
        return x + self.mlp(self.mlp_norm(x))  # (batch, time, width)


class SmallTransformer(nn.Module):
    """Characters (batch, time) and those that follow them, (batch, time) -> their mean cross-entropy, a scalar."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.embedding = Embedding(size.vocabulary, size.width)
        self.rotary = Rotary(size.width // size.num_heads)  # the same for all layers: it has no weights
        layers = [Layer(size, self.rotary) for _ in range(size.layers)]
        self.layers = cast(Sequence[Layer], nn.ModuleList(layers))  # which forgets what it holds
        self.norm = RMSNorm(size.width)
        self.head = Linear(size.width, size.vocabulary, bias=False)

    def forward(self, characters: Tensor, following: Tensor) -> Tensor:
        x = self.embedding(characters)  # (batch, time, width)
        for layer in self.layers:
            x = layer(x)  # (batch, time, width)
        logits = self.head(self.norm(x))  # (batch, time, vocabulary)
        return functional.cross_entropy(logits.flatten(0, 1), following.flatten())
