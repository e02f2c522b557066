"""Where branches of a network meet: several tensors become one.

| block | y | inputs |
|---|---|---|
| `Add` | x₁ + x₂ + … | of one shape |
| `Mean` | the same over their count: the scale does not grow with the number of branches | of one shape |
| `Concat` | one behind the other along an axis: the next layer decides | equal but for that axis |
| `Gate` | Σᵢ gᵢ ⊙ xᵢ, g = softmax over i of W[x₁; x₂; …] + b | of one shape, (..., width) |

`Add` is what a residual connection does (He et al., arXiv 1512.03385), `Concat` a dense one (Huang et al.,
arXiv 1608.06993). `Gate` looks at all inputs before it decides, feature by feature, whom to trust: the gated multimodal
unit (Arevalo et al., arXiv 1702.01992, §3.1) with softmax in place of its sigmoid, which for two inputs is the same.

All take the tensors one by one, `merge(x1, x2)`, and as many as they were built for.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from workbench.blocks.arguments import at_least, check_shape
from workbench.blocks.linear import Linear


class Merge(nn.Module):
    """Base of the four: knows how many inputs there are. Raises ValueError naming `inputs` when they do not fit."""

    def __init__(self, inputs: int = 2) -> None:
        super().__init__()
        at_least(1, inputs=inputs)
        self.inputs = inputs

    @property
    def contract(self) -> str:
        return self._contract(["..."] * self.inputs, "...")

    def _contract(self, axes: Sequence[str], result: str) -> str:
        return ", ".join(f"x{i} = {text}" for i, text in enumerate(axes, start=1)) + f" -> {result}"

    def _check(self, inputs: Sequence[Tensor]) -> None:
        shapes = [tuple(x.shape) for x in inputs]
        if len(shapes) != self.inputs or any(shape != shapes[0] for shape in shapes):
            raise ValueError(f"inputs: expected {self.inputs} tensors of one shape, got {shapes}")

    def extra_repr(self) -> str:
        return f"inputs={self.inputs}"


class Add(Merge):
    """The sum of tensors of one shape."""

    def forward(self, *inputs: Tensor) -> Tensor:
        self._check(inputs)
        return sum(inputs[1:], start=inputs[0])


class Mean(Merge):
    """The mean of tensors of one shape."""

    def forward(self, *inputs: Tensor) -> Tensor:
        self._check(inputs)
        return sum(inputs[1:], start=inputs[0]) / self.inputs


class Concat(Merge):
    """Tensors one behind the other along `axis`; all other axes must be equal."""

    def __init__(self, axis: int = -1, inputs: int = 2) -> None:
        super().__init__(inputs)
        self.axis = axis

    @property
    def contract(self) -> str:
        sizes = [f"size{i}" for i in range(1, self.inputs + 1)]
        if self.axis < 0:  # counted from the end
            after = [f"after{i}" for i in range(1, -self.axis)]
            around: tuple[list[str], list[str]] = (["..."], after)
        else:
            before = ["batch", *(f"before{i}" for i in range(1, self.axis))][: self.axis]
            around = (before, ["..."])
        axes = [" ".join([*around[0], size, *around[1]]) for size in [*sizes, "+".join(sizes)]]
        return self._contract(axes[:-1], axes[-1])

    def _check(self, inputs: Sequence[Tensor]) -> None:
        shapes = [list(x.shape) for x in inputs]
        deep = all(-len(shape) <= self.axis < len(shape) for shape in shapes)
        others = [shape[: self.axis] + shape[self.axis :][1:] for shape in shapes]
        if len(shapes) != self.inputs or not deep or any(other != others[0] for other in others):
            got = [tuple(shape) for shape in shapes]
            raise ValueError(
                f"inputs: expected {self.inputs} tensors, equal but for axis {self.axis}, got {got}"
            )

    def forward(self, *inputs: Tensor) -> Tensor:
        self._check(inputs)
        return torch.cat(inputs, self.axis)

    def extra_repr(self) -> str:
        return f"axis={self.axis}, inputs={self.inputs}"


class Gate(Merge):
    """A weighted mean whose weights, one for each input and feature, are decided by looking at all inputs.

    Takes tensors (..., width) and gives one. Raises ValueError naming `inputs` when shapes do not fit.
    """

    def __init__(self, width: int, inputs: int = 2) -> None:
        super().__init__(inputs)
        self.width = width
        self.decide = Linear(inputs * width, inputs * width)

    @property
    def contract(self) -> str:
        return self._contract([f"... {self.width}"] * self.inputs, f"... {self.width}")

    def weights(self, *inputs: Tensor) -> Tensor:
        """How much each input counts for each feature: (..., inputs, width), summing to one over the inputs."""
        self._check(inputs)
        check_shape("inputs", inputs[0], "...", self.width)
        scores = self.decide(torch.cat(inputs, -1))  # (..., inputs × width)
        return torch.softmax(scores.unflatten(-1, (self.inputs, self.width)), dim=-2)

    def forward(self, *inputs: Tensor) -> Tensor:
        return (self.weights(*inputs) * torch.stack(inputs, dim=-2)).sum(-2)  # (..., width)

    def extra_repr(self) -> str:
        return f"{self.width}, inputs={self.inputs}"
