"""Highway: a gate decides, number by number, how much of the input is replaced.

    x ──┬── gate ── σ ─── T ──┐
        ├── inner ─────── H ──┼── T ⊙ H + (1 − T) ⊙ x
        └─────────────────────┘

T(x) = σ(W x + b) is learned; where it is near 0 the input is carried through unchanged, and its gradient with it. So
b starts at −2, which makes T = 0.12: a fresh stack, however deep, is nearly the identity, and opens its gates as it
learns (Srivastava et al., arXiv 1505.00387, §2). A residual connection is the same idea without the gate.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from workbench.blocks.linear import Linear
from workbench.fabric import Fabric

CARRY = -2.0  # the gate's first bias


class Blend(nn.Module):
    """share ⊙ changed + (1 − share) ⊙ carried, three tensors of one shape."""

    contract = "carried = ..., changed = ..., share = ... -> ..."

    def forward(self, carried: Tensor, changed: Tensor, share: Tensor) -> Tensor:
        if not carried.shape == changed.shape == share.shape:
            shapes = [tuple(x.shape) for x in (carried, changed, share)]
            raise ValueError(f"changed: expected carried, changed and share of one shape, got {shapes}")
        return share * changed + (1 - share) * carried


class Highway(nn.Module):
    """(..., width) -> (..., width), partly `inner(x)` and partly x.

    Raises ValueError naming `width` below 1, `x` when its last axis is another, and `changed` when `inner` does
    not keep the shape.
    """

    def __init__(self, width: int, inner: nn.Module) -> None:
        super().__init__()
        self.width = width
        self.gate = Linear(width, width)
        nn.init.constant_(self.gate.bias, CARRY)  # type: ignore[arg-type]
        self.inner = inner
        self.blend = Blend()

    @property
    def contract(self) -> str:
        return f"... {self.width} -> ... {self.width}"

    def forward(self, x: Tensor) -> Tensor:
        share = torch.sigmoid(self.gate(x))  # (..., width)
        return self.blend(x, self.inner(x), share)  # (..., width)

    def as_fabric(self) -> Fabric:
        """The same wiring as named nodes, around these very modules: training one trains the other."""
        return Fabric(
            self.contract,
            gate=("x", self.gate),
            share=("gate", nn.Sigmoid()),
            inner=("x", self.inner),
            blend=("x", "inner", "share", self.blend),
        )
