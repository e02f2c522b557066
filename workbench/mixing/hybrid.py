"""Hybrid fusion: both paths, and a vote between them.

    picture ── encoder ──┬───────────── classifier ── probabilities ──┐
                         ├── combine ── trunk ─────── probabilities ──┼── mean ── decision
    name ───── encoder ──┴───────────── classifier ── probabilities ──┘

The output of early fusion is combined with those of classifiers that see one modality each (Baltrušaitis et al.,
arXiv 1705.09406, §5.1), in the hope of early fusion's eye for what shows only together and late fusion's calm when
one modality fails. Here the paths share their encoders.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn

from workbench.mixing.combine import Combine, Concat
from workbench.mixing.modalities import Modalities, log_of_mean


class HybridFusion(nn.Module):
    """Early fusion and one classifier per modality, averaged: one input per encoder -> (batch, classes).

    The result is the log of the mean of all paths' probabilities; it trains and compares like logits.
    """

    def __init__(
        self,
        encoders: Iterable[nn.Module],
        combine: Callable[[Sequence[int]], Combine] = Concat,
        classes: int = 2,
        hidden: int = 64,
    ) -> None:
        super().__init__()
        self.encoders = Modalities(encoders)
        self.classifiers = nn.ModuleList(nn.Linear(width, classes) for width in self.encoders.widths)
        self.combine = combine(self.encoders.widths)
        self.trunk = nn.Sequential(
            nn.Linear(self.combine.width, hidden),
            nn.ReLU(),
            nn.Linear(hidden, classes),
        )

    def decisions(self, *inputs: object) -> list[Tensor]:
        """The probabilities of the joint path, then of each modality alone, (batch, classes) each."""
        vectors = self.encoders(*inputs)  # one (batch, width) from each encoder
        joint = self.trunk(self.combine(vectors))  # (batch, classes)
        alone = [decide(vector) for decide, vector in zip(self.classifiers, vectors, strict=True)]
        return [torch.softmax(logits, -1) for logits in [joint, *alone]]

    def forward(self, *inputs: object) -> Tensor:
        return log_of_mean(self.decisions(*inputs))  # (batch, classes)
