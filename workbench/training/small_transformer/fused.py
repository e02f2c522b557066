"""The same model, other functions: its modules hold the weights, and `functions` compute between the matrices.

| in `model.py` | here | `kernels` | torch's own (`in_torch.py`) |
|---|---|---|---|
| x + y, then RMSNorm | add_rms_norm | one pass | addition, then rms_norm |
| Rotary, by slices and concatenation | rope | one pass | as in `Rotary` |
| softmax(q kᵀ) v, with all scores in memory | attention | a tile of scores at a time | the same |
| SiLU, then a product | swiglu | one pass | silu, then a product |
| head, then cross-entropy, with all logits in memory | linear_cross_entropy | a few logits at a time | as there |

A residual connection is added where the *next* norm reads it. So what a sublayer has found, its `update`, waits until
the next one begins, and no function writes a sum that another reads back only to normalize it.
"""

from __future__ import annotations

from types import ModuleType

from torch import Tensor

import kernels
from workbench.blocks import MultiHeadAttention, RMSNorm, SwiGLU
from workbench.training.small_transformer.model import Size, SmallTransformer


class FusedTransformer(SmallTransformer):
    """SmallTransformer with the same weights under the same names, computed by the functions of a module."""

    def __init__(self, size: Size, functions: ModuleType = kernels) -> None:
        super().__init__(size)
        self.functions = functions

    def forward(self, characters: Tensor, following: Tensor) -> Tensor:
        x = self.embedding(characters)  # (batch, time, width)
        update: Tensor | None = None  # (batch, time, width), once there is one
        cos, sin = self.rotary.tables(characters.shape[1], x)  # (time, width/heads/2), once for all layers
        for layer in self.layers:
            normed, x = self.add_and_norm(x, update, layer.attention_norm)
            update = self.attend(normed, layer.attention, cos, sin)
            normed, x = self.add_and_norm(x, update, layer.mlp_norm)
            update = self.gate(normed, layer.mlp)
        normed, _ = self.add_and_norm(x, update, self.norm)
        hidden = normed.flatten(0, 1)  # (batch · time, width)
        return self.functions.linear_cross_entropy(hidden, self.head.weight, following.flatten())

    def add_and_norm(self, x: Tensor, update: Tensor | None, norm: RMSNorm) -> tuple[Tensor, Tensor]:
        """x + update, normalized and as it is: two of (batch, time, width)."""
        if update is None:
            return self.functions.rms_norm(x, norm.weight, norm.eps), x
        return self.functions.add_rms_norm(update, x, norm.weight, norm.eps)

    def attend(self, x: Tensor, block: MultiHeadAttention, cos: Tensor, sin: Tensor) -> Tensor:
        """What the block computes of x (batch, time, width)."""
        queries, keys, values = (  # (batch, time, heads, width/heads)
            project(x).unflatten(-1, (block.num_heads, -1))
            for project in (block.query, block.key, block.value)
        )
        queries, keys = (self.functions.rope(y, cos, sin) for y in (queries, keys))
        queries, keys, values = (
            y.transpose(1, 2) for y in (queries, keys, values)
        )  # (batch, heads, time, …)
        contexts = self.functions.attention(queries, keys, values, causal=True)
        return block.out(contexts.transpose(1, 2).flatten(2))  # (batch, time, width)

    def gate(self, x: Tensor, block: SwiGLU) -> Tensor:
        """What the block computes of x (batch, time, width)."""
        return block.down(self.functions.swiglu(block.gate(x), block.up(x)))
