"""Early fusion: join first, decide once.

    picture ── encoder ──┐
                         ├── combine ── trunk ── logits
    name ───── encoder ──┘

The features of all modalities are joined right after they are extracted, *before* the shared trunk, and one model
decides. The trunk can learn what holds only for features together ("round *and* called …face"); the price is that
all parts are trained together, and that a modality gone bad reaches every later layer.
(Baltrušaitis et al., arXiv 1705.09406, §5.1. In its strictest sense early fusion joins raw inputs; inputs of such
different shape as a picture and a name need an encoder first, and deep-learning papers then also say "intermediate".)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from torch import Tensor, nn

from workbench.mixing.combine import Combine, Concat
from workbench.mixing.modalities import Modalities


class EarlyFusion(nn.Module):
    """Encoders, joined, then a trunk of one hidden layer: one input per encoder -> logits (batch, classes).

    `combine` is a class of `workbench.mixing.combine` (or a function of the encoders' widths that makes a module).
    Raises ValueError naming the input that is missing or does not fit.
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
        self.combine = combine(self.encoders.widths)
        self.trunk = nn.Sequential(
            nn.Linear(self.combine.width, hidden),
            nn.ReLU(),
            nn.Linear(hidden, classes),
        )

    def forward(self, *inputs: object) -> Tensor:
        vectors = self.encoders(*inputs)  # one (batch, width) from each encoder
        joined = self.combine(vectors)  # (batch, combined width)
        return self.trunk(joined)  # (batch, classes)
