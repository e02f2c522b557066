"""Late fusion: decide apart, join the decisions.

    picture ── encoder ── classifier ── probabilities ──┐
                                                        ├── combine ── decision
    name ───── encoder ── classifier ── probabilities ──┘

Every modality has a classifier of its own; only their decisions meet. The classifiers may be trained apart, by
different people on different data, and one can be exchanged without touching the others; what only shows in the
features *together* is lost. (Baltrušaitis et al., arXiv 1705.09406, §5.1.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn

from workbench.mixing.combine import Combine, Mean
from workbench.mixing.modalities import Modalities, positive_log


class LateFusion(nn.Module):
    """A linear classifier per encoder, their probabilities combined: one input per encoder -> (batch, classes).

    The result is the log of the combined probabilities, so that it trains and compares like logits: softmax of it
    normalizes again whatever `combine` gave. `combine` must keep the width (not `Concat`), else ValueError.
    """

    def __init__(
        self,
        encoders: Iterable[nn.Module],
        combine: Callable[[Sequence[int]], Combine] = Mean,
        classes: int = 2,
    ) -> None:
        super().__init__()
        self.encoders = Modalities(encoders)
        self.classifiers = nn.ModuleList(nn.Linear(width, classes) for width in self.encoders.widths)
        self.combine = combine([classes] * len(self.classifiers))
        if self.combine.width != classes:
            raise ValueError(
                f"combine: {type(self.combine).__name__} makes {self.combine.width} numbers out of decisions over "
                f"{classes} classes; late fusion needs one that keeps the width, such as Mean"
            )

    def decisions(self, *inputs: object) -> list[Tensor]:
        """Each modality's own probabilities, (batch, classes) each."""
        vectors = self.encoders(*inputs)  # one (batch, width) from each encoder
        return [torch.softmax(decide(x), -1) for decide, x in zip(self.classifiers, vectors, strict=True)]

    def forward(self, *inputs: object) -> Tensor:
        return positive_log(self.combine(self.decisions(*inputs)))  # (batch, classes)
