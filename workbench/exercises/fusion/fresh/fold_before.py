"""Fresh task after the fold: batch normalization stands before a linear layer, not behind a convolution.

    W·(γ·(x − μ)/√(σ² + ε) + β) + b  =  (W·diag(s))·x + W·(β − s·μ) + b   with  s = γ/√(σ² + ε), one number per input

Each input has its s now, so s multiplies the columns of W, and the shift β − s·μ passes through the layer, like any x.
In evaluation mode only, as μ and σ² are fixed there (S. Ioffe, C. Szegedy, arXiv 1502.03167, section 3.1).

Before a convolution the same holds for every place where the kernel sees real numbers only. With zero padding it is not
exact at the border: the zeros are put there after the normalization, which never sees them, so a kernel that reaches
over the edge gets only part of the shift, and no single bias is right for all places.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from workbench.exercises.exercise import Exercise

LESSON = "3_fusion/2_moderate"

Folded = tuple[Tensor, Tensor]
Bias = Tensor | None


def fold_before(
    mean: Tensor, var: Tensor, gamma: Tensor, beta: Tensor, eps: float, weight: Tensor, bias: Bias
) -> Folded:
    """The scale multiplies the columns of the weight; the shift goes through the weight as it was."""
    scale = gamma / torch.sqrt(var + eps)  # (in,)
    shift = weight @ (beta - scale * mean)  # (out,)
    return weight * scale, shift if bias is None else shift + bias


def _eps_outside(
    mean: Tensor, var: Tensor, gamma: Tensor, beta: Tensor, eps: float, weight: Tensor, bias: Bias
) -> Folded:
    """The root is taken of variance and eps together: √(var + eps), not √var + eps."""
    return fold_before(mean, (var.sqrt() + eps).square(), gamma, beta, 0.0, weight, bias)


def _scales_rows(
    mean: Tensor, var: Tensor, gamma: Tensor, beta: Tensor, eps: float, weight: Tensor, bias: Bias
) -> Folded:
    """The normalization comes first and scales inputs. Input j meets column j of the weight; rows belong to outputs."""
    new_bias = fold_before(mean, var, gamma, beta, eps, weight, bias)[1]
    return weight * (gamma / torch.sqrt(var + eps)).reshape(-1, 1), new_bias


def _as_if_behind(
    mean: Tensor, var: Tensor, gamma: Tensor, beta: Tensor, eps: float, weight: Tensor, bias: Bias
) -> Folded:
    """That is the formula for a normalization behind the layer. Here it comes first: put it into the place of x."""
    scale = gamma / torch.sqrt(var + eps)
    return weight * scale.reshape(-1, 1), scale * ((0 if bias is None else bias) - mean) + beta


def _shift_past_weight(
    mean: Tensor, var: Tensor, gamma: Tensor, beta: Tensor, eps: float, weight: Tensor, bias: Bias
) -> Folded:
    """The shift, beta − s·mean, has one number per input, and like every input it goes through the weight.

    A convolution with zero padding shows it at the border: the padded zeros are not normalized, so not all of the
    shift arrives there, and such a fold is not exact.
    """
    scale = gamma / torch.sqrt(var + eps)
    return weight * scale, (0 if bias is None else bias) + (beta - scale * mean)


def _shift_scaled_twice(
    mean: Tensor, var: Tensor, gamma: Tensor, beta: Tensor, eps: float, weight: Tensor, bias: Bias
) -> Folded:
    """The new weight and s·mean hold the scale already. The shift beta − s·mean goes through the old weight."""
    scale = gamma / torch.sqrt(var + eps)
    new_weight = weight * scale
    return new_weight, new_weight @ (beta - scale * mean) + (0 if bias is None else bias)


def _bias_dropped(
    mean: Tensor, var: Tensor, gamma: Tensor, beta: Tensor, eps: float, weight: Tensor, bias: Bias
) -> Folded:
    """The old bias is added behind the weight, where no normalization comes any more. It stays, as it was."""
    return fold_before(mean, var, gamma, beta, eps, weight, None)


def _inputs(rng: np.random.Generator) -> dict[str, tuple[Tensor | float | None, ...]]:
    def draw(
        inputs: int, outputs: int, with_bias: bool, variance: float = 1.0
    ) -> tuple[Tensor | float | None, ...]:
        mean, beta = (torch.from_numpy(rng.standard_normal(inputs)) for _ in range(2))
        var, gamma = (torch.from_numpy(rng.uniform(0.5, 2, inputs)) for _ in range(2))
        weight, bias = (torch.from_numpy(rng.standard_normal(s)) for s in ((outputs, inputs), outputs))
        return mean, variance * var, gamma, beta, 1e-5, weight, bias if with_bias else None

    return {
        "one input": draw(1, 1, True),
        "square": draw(3, 3, True),
        "no bias": draw(2, 1, False),  # zeros in its place must be as many as outputs, not as inputs
        "ragged": draw(int(rng.integers(4, 7)), 3, True),
        "extreme": draw(2, 2, True, variance=1e-6),  # eps is nearly all there is under the root
    }


FOLD_BEFORE = Exercise(
    name="fusion.fold_before",
    lesson=LESSON,
    title="Fold a normalization that comes first",
    statement=(
        "For x of shape (batch, in) a network first computes n = gamma·(x − mean)/√(var + eps) + beta, column by "
        "column and with fixed numbers (evaluation mode), and then a linear layer: n @ weight.T + bias. Return the "
        "(weight, bias) of one linear layer that does both. mean, var, gamma and beta are (in,), eps is a number, "
        "weight is (out, in), bias is (out,), or None where the layer has none. The bias you return is always a tensor "
        "(out,). All tensors are float64, and so are the two results; they are compared to twelve digits."
    ),
    signature="fold_before(mean, var, gamma, beta, eps, weight, bias)",
    solution=fold_before,
    wrong={
        "adds eps outside the root": _eps_outside,
        "scales the rows of the weight": _scales_rows,
        "folds as if the normalization came behind": _as_if_behind,
        "leads the shift past the weight": _shift_past_weight,
        "scales the shift twice": _shift_scaled_twice,
        "drops the old bias": _bias_dropped,
    },
    inputs=_inputs,
    hints=(
        "Put the normalization into the place of the layer's input and multiply out: which terms have an x in them?",
        "Write n = s·x + t, with s = gamma/√(var + eps) and t = beta − s·mean, one number of each per input. Then "
        "W·n + b is a weight times x, plus something without x. Input j meets column j of W.",
        "One input, W = 3, b = 1, mean 2, var + eps = 4, gamma 6, beta 5: s = 3 and t = 5 − 3·2 = −1, so W' = 3·3 = 9 "
        "and b' = 3·(−1) + 1 = −2. For vectors, weight * s scales columns, and weight @ t is (out,).",
    ),
    tolerance=1e-12,
)
