"""What early, late and hybrid fusion have in common: several encoders, each with an input of its own.

A *modality* is one way of seeing a thing: its picture, its name, its sound (Baltrušaitis, Ahuja, Morency,
"Multimodal Machine Learning", arXiv 1705.09406, §1).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn


class Modalities(nn.ModuleList):
    """The encoders of a model; calling it with one input per encoder gives one (batch, width) vector from each.

    Raises ValueError naming `encoders` when one does not state its `width`, and naming the input when one is
    missing, superfluous, or of another batch size.
    """

    def __init__(self, encoders: Iterable[nn.Module]) -> None:
        super().__init__(encoders)
        if len(self) == 0:
            raise ValueError("encoders: expected at least one, got none")
        for place, encoder in enumerate(self):
            if not isinstance(getattr(encoder, "width", None), int):
                raise ValueError(
                    f"encoders[{place}]: {type(encoder).__name__} has no integer attribute `width`"
                )

    @property
    def widths(self) -> list[int]:
        return [int(encoder.width) for encoder in self]  # type: ignore[arg-type]

    def forward(self, *inputs: object) -> list[Tensor]:
        names = [type(encoder).__name__ for encoder in self]
        if len(inputs) != len(names):
            raise ValueError(
                f"inputs: expected {len(names)}, one each for {', '.join(names)}; got {len(inputs)}"
            )
        for place, given in enumerate(inputs):
            if given is None:
                raise ValueError(f"inputs[{place}]: the input of {names[place]} is missing (None)")
        vectors = [encoder(given) for encoder, given in zip(self, inputs, strict=True)]  # each (batch, width)
        sizes = [len(vector) for vector in vectors]
        if len(set(sizes)) > 1:
            listed = ", ".join(f"{name} got {size}" for name, size in zip(names, sizes, strict=True))
            raise ValueError(f"inputs: expected the same number of examples everywhere; {listed}")
        return vectors


def log_of_mean(probabilities: Sequence[Tensor]) -> Tensor:
    """log of the mean of several (batch, classes) probabilities: what a vote with equal rights decides."""
    return positive_log(torch.stack(list(probabilities)).mean(dim=0))  # (batch, classes)


def positive_log(probabilities: Tensor) -> Tensor:
    """log(p), finite where p has been rounded to zero."""
    return probabilities.clamp_min(torch.finfo(probabilities.dtype).tiny).log()
