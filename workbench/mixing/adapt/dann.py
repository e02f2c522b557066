"""DANN: learn features from which nobody can tell the domain.

                     ┌── classifier ── label loss           (source only: there are no other labels)
    inputs ─ encoder ┤
                     └── reversal ── domain classifier ── domain loss     (source and target)

The domain classifier learns to tell source from target. On the way back, the *gradient reversal* multiplies its
gradient by −λ, so that the same step makes the encoder worse at giving the domain away. λ grows with the progress p of
the training from 0 to 1, λ = 2/(1 + e^(−10p)) − 1, because at first the domain classifier has nothing to say.
(Ganin et al., "Domain-Adversarial Training of Neural Networks", arXiv 1505.07818, §4.2 and §5.2.2.)

The two play a game without a common loss that falls: it may circle, or the encoder may win by mixing the classes
across domains, since indistinguishable is not the same as right. How strongly to play (`weight`) decides, and without
labels at the target one sees at most that a game was lost (`vendors.told_apart`), not which weight is best.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class _Reversal(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, x: Tensor, strength: float) -> Tensor:
        context.strength = strength
        return x.view_as(x)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return -context.strength * gradient, None


def reverse_gradient(x: Tensor, strength: float = 1.0) -> Tensor:
    """x itself; its gradient comes back times −`strength`."""
    return _Reversal.apply(x, strength)


def ramp(progress: float) -> float:
    """λ at a progress from 0 (the first step: 0) to 1 (the last: 0.9999)."""
    return 2 / (1 + math.exp(-10 * progress)) - 1


class DomainAdversary(nn.Module):
    """A domain classifier behind a gradient reversal of strength `weight`·λ.

    Takes features of the source and of the target, (batch, width) each, and the progress of the training in 0..1;
    gives the domain classifier's mean loss, log 2 = 0.69 when it cannot tell.
    """

    def __init__(self, width: int, hidden: int = 64, weight: float = 1.0) -> None:
        super().__init__()
        self.weight = weight
        self.classifier = nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, 1))

    def forward(self, source: Tensor, target: Tensor, progress: float = 1.0) -> Tensor:
        features = torch.cat([source, target])  # (2 × batch, width)
        scores = self.classifier(reverse_gradient(features, self.weight * ramp(progress))).squeeze(-1)
        is_source = torch.cat([torch.ones(len(source)), torch.zeros(len(target))]).to(scores)
        return functional.binary_cross_entropy_with_logits(scores, is_source)
