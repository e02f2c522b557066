"""Dense connections: every block reads all that came before it.

    x ──┬──────── concat ──┬──────── concat ── …         x_l = f_l([x_0, x_1, …, x_{l−1}])
        └── f₁ ─────┘      └── f₂ ─────┘

Where a residual block adds its result to the stream, a dense one lays it *beside* it: nothing is overwritten, every
block can use the raw input and every earlier feature, and the loss reaches each of them through concatenations alone.
Each block may then be narrow (the *growth rate*). The price is that the stream widens with every one (Huang et al.,
arXiv 1608.06993, §3), and that it is copied at every concatenation, so the bytes moved grow with the depth squared.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from workbench.blocks.merge import Concat
from workbench.fabric import Fabric
from workbench.topologies.channels import one_to_one, side_by_side


class Dense(nn.Module):
    """Each of `inners` reads x and the results of those before it, side by side along `axis`; so does the output.

    The first takes x's channels, the next as many more as the first gives, and so on; the other axes stay. `axis` is
    that of the channels: -1 behind a Linear, 1 for convolutions. Raises ValueError naming `inners` when empty.
    """

    def __init__(self, inners: Iterable[nn.Module], axis: int = -1) -> None:
        super().__init__()
        self.inners = nn.ModuleList(inners)
        if not self.inners:
            raise ValueError("inners: expected at least one module, got none")
        self.axis = axis

    @property
    def contract(self) -> str:
        sides = [one_to_one(f"inners[{number}]", inner) for number, inner in enumerate(self.inners)]
        (x, _), *_ = sides
        return f"{x} -> {side_by_side([x, *(new for _, new in sides)], self.axis)}"

    def forward(self, x: Tensor) -> Tensor:
        for inner in self.inners:
            x = torch.cat([x, inner(x)], dim=self.axis)  # channels so far + this one's
        return x

    def as_fabric(self) -> Fabric:
        """The same wiring as named nodes, around these very modules: training one trains the other."""
        nodes: dict[str, Any] = {}
        seen = "x"
        for number, inner in enumerate(self.inners, start=1):
            nodes[f"inner{number}"] = (seen, inner)
            nodes[f"seen{number}"] = (seen, f"inner{number}", Concat(self.axis))
            seen = f"seen{number}"
        return Fabric(self.contract, **nodes)
