"""Exercise of the moderate lesson: derive how batch normalization goes into the convolution before it, and write it.

    γ·(W∗x + b − μ)/√(σ² + ε) + β  =  (s·W)∗x + s·(b − μ) + β   with  s = γ/√(σ² + ε), one number per output channel

The derivation is in `workbench/fusion/fold_batchnorm.py`, from S. Ioffe, C. Szegedy, arXiv 1502.03167, section 3.1.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from workbench.exercises.exercise import Exercise
from workbench.exercises.fusion.fresh.fold_before import FOLD_BEFORE

LESSON = "3_fusion/2_moderate"

Folded = tuple[Tensor, Tensor]
Bias = Tensor | None


def fold(
    weight: Tensor, bias: Bias, mean: Tensor, var: Tensor, gamma: Tensor, beta: Tensor, eps: float
) -> Folded:
    """The scale multiplies each output channel's weights, and what the bias and the mean leave between them."""
    scale = gamma / torch.sqrt(var + eps)  # (out,)
    old = torch.zeros_like(mean) if bias is None else bias
    return weight * scale.reshape(-1, 1, 1, 1), scale * (old - mean) + beta


def _without_eps(
    weight: Tensor, bias: Bias, mean: Tensor, var: Tensor, gamma: Tensor, beta: Tensor, eps: float
) -> Folded:
    """Where a channel hardly varies, ε is nearly all there is under the root. It is part of the formula."""
    return fold(weight, bias, mean, var, gamma, beta, 0.0)


def _eps_outside(
    weight: Tensor, bias: Bias, mean: Tensor, var: Tensor, gamma: Tensor, beta: Tensor, eps: float
) -> Folded:
    """ε is added to the variance, under the root: √(σ² + ε), not √σ² + ε."""
    return fold(weight, bias, mean, (var.sqrt() + eps).square(), gamma, beta, 0.0)


def _by_variance(
    weight: Tensor, bias: Bias, mean: Tensor, var: Tensor, gamma: Tensor, beta: Tensor, eps: float
) -> Folded:
    """One divides by the standard deviation, the root of the variance."""
    return fold(weight, bias, mean, (var + eps).square(), gamma, beta, 0.0)


def _scales_inputs(
    weight: Tensor, bias: Bias, mean: Tensor, var: Tensor, gamma: Tensor, beta: Tensor, eps: float
) -> Folded:
    """Normalization comes after the convolution, so it scales output channels, the first axis of the weight."""
    new_bias = fold(weight, bias, mean, var, gamma, beta, eps)[1]
    return weight * (gamma / torch.sqrt(var + eps)).reshape(1, -1, 1, 1), new_bias


def _bias_unscaled(
    weight: Tensor, bias: Bias, mean: Tensor, var: Tensor, gamma: Tensor, beta: Tensor, eps: float
) -> Folded:
    """The old bias passes through the normalization too, so it is scaled like all the rest: s·(b − μ) + β."""
    new_weight, shift = fold(weight, None, mean, var, gamma, beta, eps)
    return new_weight, shift if bias is None else shift + bias


def _bias_dropped(
    weight: Tensor, bias: Bias, mean: Tensor, var: Tensor, gamma: Tensor, beta: Tensor, eps: float
) -> Folded:
    """A convolution that has a bias keeps it: it is shifted by the mean and scaled along with the rest."""
    return fold(weight, None, mean, var, gamma, beta, eps)


def _without_mean(
    weight: Tensor, bias: Bias, mean: Tensor, var: Tensor, gamma: Tensor, beta: Tensor, eps: float
) -> Folded:
    """Normalization subtracts the mean before it scales. That is part of the new bias: −s·μ."""
    return fold(weight, bias, torch.zeros_like(mean), var, gamma, beta, eps)


def _mean_unscaled(
    weight: Tensor, bias: Bias, mean: Tensor, var: Tensor, gamma: Tensor, beta: Tensor, eps: float
) -> Folded:
    """The mean is subtracted first and scaled with the rest: s·(b − μ), not s·b − μ."""
    new_weight, shift = fold(weight, bias, torch.zeros_like(mean), var, gamma, beta, eps)
    return new_weight, shift - mean


def _needs_bias(
    weight: Tensor, bias: Bias, mean: Tensor, var: Tensor, gamma: Tensor, beta: Tensor, eps: float
) -> Folded:
    """Most convolutions before a normalization have no bias, and `bias` is None. Zeros stand for it."""
    scale = gamma / torch.sqrt(var + eps)
    return weight * scale.reshape(-1, 1, 1, 1), scale * (bias - mean) + beta  # type: ignore[operator]


def _no_bias_where_there_was_none(
    weight: Tensor, bias: Bias, mean: Tensor, var: Tensor, gamma: Tensor, beta: Tensor, eps: float
) -> tuple[Tensor, Bias]:
    """The normalization shifts as well. Also where the convolution had no bias, there is one now: β − s·μ."""
    new_weight, new_bias = fold(weight, bias, mean, var, gamma, beta, eps)
    return new_weight, None if bias is None else new_bias


def _gamma_on_the_weight_only(
    weight: Tensor, bias: Bias, mean: Tensor, var: Tensor, gamma: Tensor, beta: Tensor, eps: float
) -> Folded:
    """γ multiplies all that is normalized, b − μ as well as W∗x; only β is added after it."""
    new_weight = fold(weight, bias, mean, var, gamma, beta, eps)[0]
    return new_weight, fold(weight, bias, mean, var, torch.ones_like(gamma), beta, eps)[1]


def _along_the_last_axis(
    weight: Tensor, bias: Bias, mean: Tensor, var: Tensor, gamma: Tensor, beta: Tensor, eps: float
) -> Folded:
    """weight * s lines s up with the last axis, the kernel's width. The output channels are the first axis."""
    new_bias = fold(weight, bias, mean, var, gamma, beta, eps)[1]
    return weight * (gamma / torch.sqrt(var + eps)), new_bias


def _in_place(
    weight: Tensor, bias: Bias, mean: Tensor, var: Tensor, gamma: Tensor, beta: Tensor, eps: float
) -> Folded:
    """The result is right, but the caller's own weight is changed. `weight * s` makes a new tensor, `*=` does not."""
    new_bias = fold(weight, bias, mean, var, gamma, beta, eps)[1]
    weight *= (gamma / torch.sqrt(var + eps)).reshape(-1, 1, 1, 1)
    return weight, new_bias


def _inputs(rng: np.random.Generator) -> dict[str, tuple[Tensor | float | None, ...]]:
    def draw(
        filters: int, channels: int, kernel: int, with_bias: bool, variance: float = 1.0
    ) -> tuple[Tensor | float | None, ...]:
        weight = torch.from_numpy(rng.standard_normal((filters, channels, kernel, kernel)))
        bias, mean, beta = (torch.from_numpy(rng.standard_normal(filters)) for _ in range(3))
        var, gamma = (torch.from_numpy(rng.uniform(0.5, 2, filters)) for _ in range(2))
        gamma[rng.integers(filters)] *= -1  # training may make it so
        eps = float(rng.choice([1e-5, 1e-3]))
        return weight, bias if with_bias else None, mean, variance * var, gamma, beta, eps

    return {
        "one channel": draw(1, 1, 1, True),
        "square": draw(3, 3, 3, True),
        "no bias": draw(4, 4, 1, False),
        "ragged": draw(5, 2, int(rng.integers(1, 4)), True),
        "extreme": draw(2, 2, 1, True, variance=1e-6),
    }


FOLD = Exercise(
    name="fusion.fold",
    lesson=LESSON,
    title="Fold batch normalization by hand",
    statement=(
        "Return the (weight, bias) of one convolution that does what the convolution y = W∗x + b and then the "
        "normalization γ·(y - mean)/√(var + eps) + β do. weight is (out, in, height, width), the others are (out,), "
        "eps is a number. bias may be None and counts as zeros then; the bias that you return is always a tensor."
    ),
    signature="fold(weight, bias, mean, var, gamma, beta, eps)",
    solution=fold,
    wrong={
        "forgets eps": _without_eps,
        "adds eps outside the root": _eps_outside,
        "divides by the variance": _by_variance,
        "scales the input channels": _scales_inputs,
        "does not scale the old bias": _bias_unscaled,
        "drops the old bias": _bias_dropped,
        "forgets the mean": _without_mean,
        "does not scale the mean": _mean_unscaled,
        "expects a bias": _needs_bias,
        "returns no bias where there was none": _no_bias_where_there_was_none,
        "applies gamma to the weight only": _gamma_on_the_weight_only,
        "scales along the last axis": _along_the_last_axis,
        "changes the caller's weight": _in_place,
    },
    inputs=_inputs,
    hints=(
        "Write γ·(y − μ)/√(σ² + ε) + β with y = W∗x + b, and sort the terms: which have an x in them?",
        "With s = γ/√(σ² + ε), one number per output channel: s·W stands before x, and the rest is s·(b − μ) + β.",
        "One channel with W = 3, b = 1, μ = 2, σ² + ε = 4, γ = 6, β = 5: s = 3, so W' = 9 and b' = 3·(1 − 2) + 5 = 2. "
        "s.reshape(-1, 1, 1, 1) brings s along the first axis of the weight.",
    ),
    points=3,
    tolerance=1e-12,
    again=FOLD_BEFORE,
)
