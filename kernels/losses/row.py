"""The loss of one row and its slope, each formula written once and compiled for GPU and CPU.

A row of logits z over K classes has the target t. With m = max z and S = Σ exp(z − m), softmax gives class j the
probability exp(z_j − m) / S, and the cross-entropy with t is

    loss = log S − (z_t − m) = log S + m − z_t.

Label smoothing takes ε of the target's weight and shares it out over all classes, the target too:

    loss = log S + (1 − ε)(m − z_t) + ε (m − mean z),      ∂loss/∂z_j = exp(z_j − m)/S − ε/K − (1 − ε)[j = t].

A mean of large numbers would lose the digits of their differences, so it may be taken of z less a number near them,
the `anchor`: mean z = anchor + mean(z − anchor).

Source: C. Szegedy et al., Rethinking the Inception Architecture for Computer Vision, arXiv 1512.00567, section 7.
"""

import math
from typing import Any

from kernels.backend import device_function
from kernels.fastmath import exp
from kernels.twin import jitable


def formulas(exp: Any) -> tuple[Any, ...]:
    """The loss of a row, its slope for a class other than the target, and what to multiply that with."""

    def row_loss(largest, total, right, anchor, mean, smoothing):
        loss = math.log(total) + (type(total)(1) - smoothing) * (largest - right)
        # asked for: a class of probability 0 makes the mean infinite, and 0 times that is NaN
        if smoothing > type(smoothing)(0):
            loss += smoothing * (largest - anchor - mean)
        return loss

    def slope(logit, largest, share, even):  # share: 1/S, even: ε/K
        return exp(logit - largest) * share - even

    def row_scale(grad, count, row):  # (rows,) or (1,) for all; (1,), a mean's divisor, or empty
        scale = grad[row if grad.size > 1 else 0]
        if count.size:
            scale /= count[0]
        return scale

    return row_loss, slope, row_scale


gpu_row_loss, gpu_slope, gpu_row_scale = map(device_function, formulas(math.exp))
cpu_row_loss, cpu_slope, cpu_row_scale = map(jitable, formulas(exp))
