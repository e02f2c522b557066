"""Fresh task after the gate: three modalities in one tensor, so there is no "first" and "second" to write down by name.

    a = W [x₁ | x₂ | x₃] + b           three scores for each feature, from all three vectors together
    g₁, g₂, g₃ = softmax(a₁, a₂, a₃)   over the modalities, one feature at a time: g₁ + g₂ + g₃ = 1
    y = g₁ ⊙ x₁ + g₂ ⊙ x₂ + g₃ ⊙ x₃

Source: J. Arevalo et al., Gated Multimodal Units for Information Fusion, arXiv 1702.01992, section 3.1; there
with a sigmoid for each modality, where there are more than two. The softmax, which ties them together, is that of the
library's `workbench.mixing.Gate`. The modalities lie along the first axis: a reshape alone would mix the examples.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from workbench.exercises.exercise import Exercise

LESSON = "3_fusion/2_moderate"


def gate_of_three(vectors: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Scores from all three vectors, a softmax over the modalities, a weighted sum."""
    shares = _scores(vectors, weight, bias).softmax(dim=1)  # (batch, modality, width)
    return _weighted(vectors, shares)


def _scores(vectors: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    side_by_side = vectors.movedim(0, 1).flatten(1)  # (batch, 3 · width)
    return (side_by_side @ weight.T + bias).unflatten(-1, (3, -1))  # (batch, modality, width)


def _weighted(vectors: Tensor, shares: Tensor) -> Tensor:
    return (shares.movedim(1, 0) * vectors).sum(dim=0)


def _over_features(vectors: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The modalities compete for each feature; features do not compete. The three shares of one feature sum to one."""
    return _weighted(vectors, _scores(vectors, weight, bias).softmax(dim=-1))


def _over_examples(vectors: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The modalities are the first axis of `vectors`, but of the scores as they come out the first is the batch."""
    return _weighted(vectors, _scores(vectors, weight, bias).softmax(dim=0))


def _mixes_examples(vectors: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """A reshape keeps the order in memory, where the whole batch of one modality comes first. Move the axes before."""
    rows = vectors.reshape(vectors.shape[1], 3 * vectors.shape[2])
    return _weighted(vectors, (rows @ weight.T + bias).unflatten(-1, (3, -1)).softmax(dim=1))


def _groups_neighbors(vectors: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The scores come modality by modality: feature 0 has its three at 0, width and 2·width, not at 0, 1 and 2."""
    scores = _scores(vectors, weight, bias).flatten(1).unflatten(-1, (-1, 3))
    return _weighted(vectors, scores.softmax(dim=-1).movedim(-1, 1))


def _sigmoid_each(vectors: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Nothing ties three sigmoids: all may be near one, or near zero. The softmax makes the shares sum to one."""
    return _weighted(vectors, _scores(vectors, weight, bias).sigmoid())


def _takes_the_mean(vectors: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The shares sum to one, so the sum of the weighted vectors is their mean already. Do not divide by three again."""
    return gate_of_three(vectors, weight, bias) / 3


def _inputs(rng: np.random.Generator) -> dict[str, tuple[Tensor, ...]]:
    def draw(batch: int, width: int, scale: float = 1.0) -> tuple[Tensor, ...]:
        shapes = (3, batch, width), (3 * width, 3 * width), (3 * width,)
        return tuple(torch.from_numpy(rng.normal(0, scale, shape)) for shape in shapes)

    return {
        "one feature": draw(2, 1),
        "three by three": draw(3, 3),  # all axes alike: a wrong one is not betrayed by its length
        "ragged": draw(4, int(rng.integers(5, 9))),
        "empty": draw(0, 2),
        "extreme": draw(2, 3, scale=30.0),  # scores of thousands: exp alone would overflow
    }


GATE_OF_THREE = Exercise(
    name="fusion.gate_of_three",
    lesson=LESSON,
    title="A gate for three modalities",
    statement=(
        "vectors is (3, batch, width): one vector for each of three modalities and each example. weight is "
        "(3·width, 3·width), bias (3·width,); all are float64. For each example the scores are weight times its three "
        "vectors side by side, plus bias: width of them for modality 0, then width for modality 1, then width for "
        "modality 2. For each feature turn its three scores into shares that sum to one, by a softmax over the "
        "modalities. Return the sum of the vectors weighted by the shares: (batch, width). Scores may be in the "
        "thousands; the batch may be empty."
    ),
    signature="gate_of_three(vectors, weight, bias)",
    solution=gate_of_three,
    wrong={
        "takes the softmax over the features": _over_features,
        "takes the softmax over the examples": _over_examples,
        "mixes the examples in a reshape": _mixes_examples,
        "takes neighboring scores for those of one feature": _groups_neighbors,
        "gives each modality a sigmoid of its own": _sigmoid_each,
        "divides by three once more": _takes_the_mean,
    },
    inputs=_inputs,
    hints=(
        "Write down the shape after each step. Along which axis do the three modalities lie now?",
        "Move the first axis behind the second and join the last two: (3, batch, width) becomes (batch, 3·width). The "
        "scores, of that shape too, are cut into (batch, 3, width), and the softmax runs along the axis of length 3.",
        "rows = vectors.movedim(0, 1).flatten(1); shares = (rows @ weight.T + bias).unflatten(-1, (3, -1)).softmax(1). "
        "Move the axes of the shares back, multiply by vectors, and sum over the modalities.",
    ),
)
