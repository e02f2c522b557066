"""What stands around each part of a transformer layer: a residual connection, dropout, and a norm in one of two places.

    post    x ← norm(x + f(x))    Vaswani et al., arXiv 1706.03762, §3.1
    pre     x ← x + f(norm(x))    what most models since have used

*Post*: every norm stands on the path from output to input. At the start of training, gradients near the output are as
large however many layers there are, so that the learning rate has to warm up. *Pre*: that path is free, and those
gradients shrink as 1/√layers. But what arrives at the end was never normalized: a stack needs one more norm there.
(Xiong et al., arXiv 2002.04745, §3 and theorem 1; a test here repeats it.)
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from workbench.blocks.norm import LayerNorm

Order = Literal["pre", "post"]


class Sublayer(nn.Module):
    """A residual connection around `inner`, which keeps (batch, time, width), with the norm before it or after."""

    def __init__(self, inner: nn.Module, width: int, norm: Order, dropout: float) -> None:
        super().__init__()
        if norm not in ("pre", "post"):
            raise ValueError(f'norm: expected "pre" or "post", got {norm!r}')
        self.inner, self.order = inner, norm
        self.norm = LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, *others: Tensor | None) -> Tensor:
        if self.order == "pre":
            return x + self.dropout(self.inner(self.norm(x), *others))
        return self.norm(x + self.dropout(self.inner(x, *others)))
