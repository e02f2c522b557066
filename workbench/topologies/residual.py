"""Residual connections: a block learns what to *add* to its input.

    order "pre"    x ──┬── norm ── inner ── + ──         y = x + f(norm(x))
                       └────────────────────┘
    order "post"   x ──┬── inner ── + ── norm ──         y = norm(x + f(x))
                       └────────────┘

A deep stack of plain blocks multiplies their slopes, and a product of forty factors is nearly always near zero or
huge. Around a residual block the slope is 1 + f′: whatever f does, the 1 hands the gradient on, so depth costs
little and a block that has nothing to say can stay silent (He et al., arXiv 1512.03385, §3).

With the norm behind the sum (as in the first Transformer, Vaswani et al., arXiv 1706.03762, §3.1) every block's norm
stands in the way of that 1. With the norm *inside* the branch the path from the output back to every block holds
nothing but sums, and very deep stacks train better still (He et al., arXiv 1603.05027, §2 and §4).
"""

from __future__ import annotations

from torch import Tensor, nn

from workbench.blocks.merge import Add
from workbench.fabric import Contract, Fabric
from workbench.fabric.infer import contract_of

ORDERS = ("pre", "post")


class Residual(nn.Module):
    """x + inner(x), the shape kept; further inputs (a memory, a mask) go to `inner` as they are.

    `norm` stands before `inner` or after the sum. Raises ValueError for another `order`, and naming `inner` when
    it changes the shape, even to one that could be broadcast.
    """

    def __init__(self, inner: nn.Module, norm: nn.Module | None = None, order: str = "pre") -> None:
        super().__init__()
        if order not in ORDERS:
            raise ValueError(f'order: expected "pre" or "post", got {order!r}')
        self.inner = inner
        self.norm = norm
        self.order = order

    @property
    def contract(self) -> str:
        contract = contract_of(self.inner)
        given, outputs = contract.inputs[0], contract.outputs
        if len(outputs) != 1 or (given.axes, given.dtype) != (outputs[0].axes, outputs[0].dtype):
            raise ValueError(f"inner: expected one output, shaped as the first input, got {contract}")
        return str(contract)

    def forward(self, x: Tensor, *others: Tensor | None) -> Tensor:
        seen = self.norm(x) if self.norm is not None and self.order == "pre" else x
        change = self.inner(seen, *others)  # the shape of x
        if change.shape != x.shape:
            raise ValueError(f"inner: expected shape {tuple(x.shape)} as given, got {tuple(change.shape)}")
        y = x + change
        return self.norm(y) if self.norm is not None and self.order == "post" else y

    def as_fabric(self) -> Fabric:
        """The same wiring as named nodes, around these very modules: training one trains the other."""
        contract = Contract(self.contract)
        x, *others = (port.name for port in contract.inputs)
        if self.norm is None:
            return Fabric(contract, inner=(x, *others, self.inner), sum=(x, "inner", Add()))
        if self.order == "pre":
            return Fabric(
                contract, norm=(x, self.norm), inner=("norm", *others, self.inner), sum=(x, "inner", Add())
            )
        return Fabric(
            contract, inner=(x, *others, self.inner), sum=(x, "inner", Add()), norm=("sum", self.norm)
        )
