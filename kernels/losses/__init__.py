"""Losses over classes: what a row of logits says about the one class that is right."""

from kernels.losses.cross_entropy import cross_entropy, cross_entropy_operation
from kernels.losses.cross_entropy_backward import cross_entropy_backward_operation
from kernels.losses.linear_cross_entropy import linear_cross_entropy, linear_cross_entropy_operation
from kernels.losses.linear_cross_entropy_backward import linear_cross_entropy_backward_operation

OPERATIONS = (
    cross_entropy_operation,
    cross_entropy_backward_operation,
    linear_cross_entropy_operation,
    linear_cross_entropy_backward_operation,
)

__all__ = ["OPERATIONS", "cross_entropy", "linear_cross_entropy"]
