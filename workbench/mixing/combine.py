"""Five ways to make one vector out of several, each the output of a module that saw something different.

| module | gives | needs |
|---|---|---|
| `Concat` | all numbers side by side: the next layer decides | nothing |
| `Add` | x₁ + x₂ + … | equal widths |
| `Mean` | the same over their count: the scale does not grow with the number of modules | equal widths |
| `Attend` | Σᵢ wᵢ·xᵢ, one weight per module and example, w = softmax(q·K xᵢ / √width) | equal widths |
| `Gate` | Σᵢ gᵢ ⊙ xᵢ, one weight per module, example *and feature* | equal widths |

`Attend` scores every vector on its own, with scaled dot-product attention (Vaswani et al., arXiv 1706.03762, §3.2.1)
from one learned query. `Gate` sees all vectors before it decides whom to trust with which feature; it is the gated
multimodal unit (Arevalo et al., arXiv 1702.01992, §3.1) without its tanh, and with softmax in place of the sigmoid so
that it takes more than two modules. Both weights sum to one over the modules.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Combine(nn.Module):
    """Base of the five: knows the widths it takes (`widths`) and the one it gives (`width`).

    Raises ValueError naming `widths` or `vectors` when they do not fit.
    """

    equal_widths = True

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.widths = list(widths)
        if not self.widths or min(self.widths) < 1:
            raise ValueError(f"widths: expected one or more positive numbers, got {self.widths}")
        if self.equal_widths and len(set(self.widths)) > 1:
            raise ValueError(f"widths: {type(self).__name__} needs equal widths, got {self.widths}")
        self.width = self.widths[0]

    def check(self, vectors: Sequence[Tensor]) -> None:
        shapes = [tuple(vector.shape) for vector in vectors]
        expected = [(shapes[0][0] if shapes and shapes[0] else "batch", width) for width in self.widths]
        if shapes != expected:
            raise ValueError(f"vectors: expected shapes {expected}, got {shapes}")


class Concat(Combine):
    """All vectors side by side: (batch, sum of widths)."""

    equal_widths = False

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__(widths)
        self.width = sum(self.widths)

    def forward(self, vectors: Sequence[Tensor]) -> Tensor:
        self.check(vectors)
        return torch.cat(list(vectors), dim=-1)  # (batch, sum of widths)


class Add(Combine):
    """The sum of the vectors: (batch, width)."""

    def forward(self, vectors: Sequence[Tensor]) -> Tensor:
        self.check(vectors)
        return torch.stack(list(vectors)).sum(dim=0)  # (batch, width)


class Mean(Combine):
    """The mean of the vectors: (batch, width)."""

    def forward(self, vectors: Sequence[Tensor]) -> Tensor:
        self.check(vectors)
        return torch.stack(list(vectors)).mean(dim=0)  # (batch, width)


class Attend(Combine):
    """A weighted mean whose weights come from comparing each vector with a learned query: (batch, width)."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__(widths)
        self.key = nn.Linear(self.width, self.width)
        self.query = nn.Parameter(torch.randn(self.width) / math.sqrt(self.width))

    def weights(self, vectors: Sequence[Tensor]) -> Tensor:
        """How much each module counts: (batch, modules), summing to one over the modules."""
        self.check(vectors)
        keys = self.key(torch.stack(list(vectors), dim=1))  # (batch, modules, width)
        return torch.softmax(keys @ self.query / math.sqrt(self.width), dim=1)  # (batch, modules)

    def forward(self, vectors: Sequence[Tensor]) -> Tensor:
        weights = self.weights(vectors).unsqueeze(-1)  # (batch, modules, 1)
        return (weights * torch.stack(list(vectors), dim=1)).sum(dim=1)  # (batch, width)


class Gate(Combine):
    """A weighted mean with a weight for each feature, decided by looking at all vectors together: (batch, width)."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__(widths)
        self.decide = nn.Linear(sum(self.widths), sum(self.widths))

    def weights(self, vectors: Sequence[Tensor]) -> Tensor:
        """How much each module counts for each feature: (batch, modules, width), summing to one over the modules."""
        self.check(vectors)
        scores = self.decide(torch.cat(list(vectors), dim=-1))  # (batch, modules × width)
        return torch.softmax(scores.unflatten(-1, (len(self.widths), self.width)), dim=1)

    def forward(self, vectors: Sequence[Tensor]) -> Tensor:
        return (self.weights(vectors) * torch.stack(list(vectors), dim=1)).sum(dim=1)  # (batch, width)
