"""Inception: several blocks look at the same input, and their results stand side by side.

        ┌── 1×1 ──┐
    x ──┼── 3×3 ──┼── concat along the channels
        └── 5×5 ──┘

Patterns come in several sizes, and nobody knows beforehand which size a layer should look for. So it looks for all
at once and leaves the choice to the next layer's weights (Szegedy et al., arXiv 1409.4842, §4). Branches do not wait
for one another: they could run at the same time.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn

from workbench.blocks.merge import Concat
from workbench.fabric import Fabric
from workbench.topologies.channels import one_to_one, side_by_side


class Inception(nn.Module):
    """All of `branches` applied to x, concatenated along `axis`, that of the channels; all other axes must agree.

    `axis` is 1 for convolutions, -1 behind a Linear. Raises ValueError naming `branches` when there are none, and
    when their results do not fit beside one another.
    """

    def __init__(self, branches: Iterable[nn.Module], axis: int = 1) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)
        if not self.branches:
            raise ValueError("branches: expected at least one module, got none")
        self.axis = axis
        self.concat = Concat(axis, inputs=len(self.branches))

    @property
    def contract(self) -> str:
        sides = [one_to_one(f"branches[{number}]", branch) for number, branch in enumerate(self.branches)]
        # an activation takes any shape: the branch that says most speaks for all
        x = max((given for given, _ in sides), key=lambda given: len(given.split()))
        return f"{x} -> {side_by_side([x if new == '...' else new for _, new in sides], self.axis)}"

    def forward(self, x: Tensor) -> Tensor:
        return self.concat(*[branch(x) for branch in self.branches])  # the sum of all channels

    def as_fabric(self) -> Fabric:
        """The same wiring as named nodes, around these very modules: training one trains the other."""
        nodes: dict[str, Any] = {
            f"branch{i}": ("x", branch) for i, branch in enumerate(self.branches, start=1)
        }
        return Fabric(self.contract, **nodes, concat=(*nodes, self.concat))
