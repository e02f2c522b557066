"""Exercise of the moderate lesson: the gate, which decides feature by feature which modality to trust.

    a = W [x₁ | x₂] + b            two scores for each feature, from both vectors together
    g₁, g₂ = softmax(a₁, a₂)       over the two modalities, one feature at a time: g₁ + g₂ = 1
    y = g₁ ⊙ x₁ + g₂ ⊙ x₂

Source: J. Arevalo et al., Gated Multimodal Units for Information Fusion, arXiv 1702.01992, section 3.1; there with a
sigmoid, which for two modalities is the same as a softmax. The library's is `workbench.mixing.Gate`.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from workbench.exercises.exercise import Exercise
from workbench.exercises.fusion.fresh.gate_of_three import GATE_OF_THREE

LESSON = "3_fusion/2_moderate"


def gate(first: Tensor, second: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Scores from both vectors, a softmax over the modalities, a weighted sum."""
    scores = torch.cat([first, second], dim=-1) @ weight.T + bias  # (batch, 2 · width)
    shares = scores.unflatten(-1, (2, -1)).softmax(dim=1)  # (batch, modality, width)
    return shares[:, 0] * first + shares[:, 1] * second


def _scores(first: Tensor, second: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    scores = torch.cat([first, second], dim=-1) @ weight.T + bias
    return scores.unflatten(-1, (2, -1))


def _over_features(first: Tensor, second: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The question is which modality to trust with a feature, so the two shares of a feature must sum to one."""
    shares = _scores(first, second, weight, bias).softmax(dim=-1)
    return shares[:, 0] * first + shares[:, 1] * second


def _over_everything(first: Tensor, second: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """All shares together sum to one here. It must be so for each feature: softmax over the modalities alone."""
    shares = _scores(first, second, weight, bias).flatten(1).softmax(dim=-1).unflatten(-1, (2, -1))
    return shares[:, 0] * first + shares[:, 1] * second


def _over_examples(first: Tensor, second: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Examples of a batch have nothing to do with each other. The shares that sum to one are those of one example."""
    shares = _scores(first, second, weight, bias).softmax(dim=0)
    return shares[:, 0] * first + shares[:, 1] * second


def _scores_as_shares(first: Tensor, second: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Scores may be negative, or any size. Only after the softmax are they shares that sum to one."""
    scores = _scores(first, second, weight, bias)
    return scores[:, 0] * first + scores[:, 1] * second


def _sigmoid_each(first: Tensor, second: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Each share lies between 0 and 1 now, but the two need not sum to one: turning one up must turn the other down."""
    shares = _scores(first, second, weight, bias).sigmoid()
    return shares[:, 0] * first + shares[:, 1] * second


def _sees_only_its_own(first: Tensor, second: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Whether to trust the picture may show in the name: each score looks at both vectors, not at its own alone."""
    width = first.shape[-1]
    own = first @ weight[:width, :width].T, second @ weight[width:, width:].T
    shares = (torch.stack(own, dim=1) + bias.unflatten(0, (2, -1))).softmax(dim=1)
    return shares[:, 0] * first + shares[:, 1] * second


def _pairs_neighbors(first: Tensor, second: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The two scores of a feature are not neighbors: those of the first vector come first, then those of the second."""
    scores = torch.cat([first, second], dim=-1) @ weight.T + bias
    shares = scores.unflatten(-1, (-1, 2)).softmax(dim=-1)
    return shares[..., 0] * first + shares[..., 1] * second


def _joins_second_first(first: Tensor, second: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The columns of the weight expect the first vector, then the second: [first | second]."""
    shares = _scores(second, first, weight, bias).softmax(dim=1)
    return shares[:, 0] * first + shares[:, 1] * second


def _share_for_all_features(first: Tensor, second: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """That trusts a modality as a whole. A gate decides feature by feature: each has two scores of its own."""
    shares = _scores(first, second, weight, bias).mean(dim=-1, keepdim=True).softmax(dim=1)
    return shares[:, 0] * first + shares[:, 1] * second


def _exponentials_overflow(first: Tensor, second: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """exp(710) is beyond float64. Subtract the larger score of the two before: the shares stay what they are."""
    weights = _scores(first, second, weight, bias).exp()
    return (weights[:, 0] * first + weights[:, 1] * second) / weights.sum(dim=1)


def _forgets_bias(first: Tensor, second: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The bias is the trust that a modality has before anything is seen. It is added to the scores."""
    return gate(first, second, weight, torch.zeros_like(bias))


def _swaps_shares(first: Tensor, second: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The first `width` scores belong to the first modality, the others to the second."""
    shares = _scores(first, second, weight, bias).softmax(dim=1)
    return shares[:, 1] * first + shares[:, 0] * second


def _adds(first: Tensor, second: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """That is `Add`: both count fully, always. A gate weighs them, anew for each example and feature."""
    return first + second


def _inputs(rng: np.random.Generator) -> dict[str, tuple[Tensor, ...]]:
    def draw(batch: int, width: int, scale: float = 1.0) -> tuple[Tensor, ...]:
        shapes = (batch, width), (batch, width), (2 * width, 2 * width), (2 * width,)
        return tuple(torch.from_numpy(rng.normal(0, scale, shape)) for shape in shapes)

    return {
        "one feature": draw(2, 1),
        "square": draw(4, 4),
        "ragged": draw(3, int(rng.integers(5, 9))),
        "empty": draw(0, 3),
        "extreme": draw(2, 3, scale=30.0),  # scores of thousands: exp alone would overflow
    }


GATE = Exercise(
    name="fusion.gate",
    lesson=LESSON,
    title="Write the gate",
    statement=(
        "first and second are (batch, width), weight is (2·width, 2·width), bias (2·width,). The scores are "
        "F.linear of both vectors side by side, the first one first: rows 0 to width - 1 of the weight score the "
        "features of first, rows width to 2·width - 1 those of second. For each feature, the softmax of its two scores "
        "gives two shares. Return the sum of first and second, weighted with them: (batch, width)."
    ),
    signature="gate(first, second, weight, bias)",
    solution=gate,
    wrong={
        "takes the softmax over the features": _over_features,
        "takes the softmax over everything": _over_everything,
        "takes the softmax over the examples": _over_examples,
        "takes scores for shares": _scores_as_shares,
        "gives each modality a sigmoid of its own": _sigmoid_each,
        "lets a score see its own modality only": _sees_only_its_own,
        "pairs neighboring scores": _pairs_neighbors,
        "joins the second vector before the first": _joins_second_first,
        "gives one share to all features of a modality": _share_for_all_features,
        "lets the exponentials overflow": _exponentials_overflow,
        "forgets the bias": _forgets_bias,
        "swaps the shares": _swaps_shares,
        "adds instead of weighing": _adds,
    },
    inputs=_inputs,
    hints=(
        "For one feature of one example: which two numbers have to sum to one?",
        "Scores of shape (batch, 2·width) become (batch, 2, width); the softmax runs along the axis of length 2.",
        "scores = torch.cat([first, second], -1) @ weight.T + bias; shares = scores.unflatten(-1, (2, -1)).softmax(1); "
        "then shares[:, 0] * first plus shares[:, 1] * second.",
    ),
    points=2,
    again=GATE_OF_THREE,
)
