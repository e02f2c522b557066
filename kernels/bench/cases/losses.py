"""Losses over `size` rows: cross entropy of (size, size) logits, and of logits that a linear layer makes.

The linear layer has 4·size classes and a width of size/16, so that the (size, 4·size) logits are by far the largest
thing about it, as in a language model.
"""

import torch.nn.functional as F
from torch import Tensor

from kernels.bench.case import Arguments, Case, Draw


def _logits(size: int, draw: Draw) -> Arguments:
    return draw.normal(size, size), draw.integers(0, size, size)


def _hidden(size: int, draw: Draw) -> Arguments:
    width, classes = max(8, size // 16), 4 * size
    hidden, weight = draw.normal(size, width), draw.normal(classes, width) / width**0.5
    return hidden, weight, draw.integers(0, classes, size)


def _linear_cross_entropy(hidden: Tensor, weight: Tensor, target: Tensor) -> Tensor:
    return F.cross_entropy(F.linear(hidden, weight), target)


CASES = (
    Case(
        "cross_entropy",
        _logits,
        F.cross_entropy,
        liger=lambda liger: liger.liger_cross_entropy,
        kind="rows",
    ),
    Case(
        "linear_cross_entropy",
        _hidden,
        _linear_cross_entropy,
        liger=lambda liger: liger.liger_fused_linear_cross_entropy,
    ),
)
