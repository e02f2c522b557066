"""What a loss over classes accepts as its target and options, and what it makes of a target that is no class.

A target is an index from 0 to classes − 1, or `ignore_index`, whose row has no loss and no gradient. Any other index
is refused on the CPU, where looking is cheap: `census` reads the targets once, and counts what a mean divides by in
the same pass. On a GPU the CPU would have to wait for an answer, so there the loss and the gradient of such a row
are NaN instead; nothing outside the logits is ever read.
"""

from typing import Any

import torch
from numba import prange
from torch import Tensor

from kernels.twin import twin

REDUCTIONS = ("none", "mean", "sum")


def check_target(target: Any, x: Tensor, name: str) -> Tensor:
    """The target as int64; refuses one that has not an index for each row of x, which is called `name`."""
    if not isinstance(target, Tensor):
        raise TypeError(f"target must be a tensor, got {type(target).__name__}")
    if target.is_floating_point():
        raise TypeError(
            f"target must hold class indices, int64 or int32; class probabilities are not supported, got {target.dtype}"
        )
    if target.dtype not in (torch.int64, torch.int32):
        raise TypeError(f"target must hold class indices, int64 or int32, got {target.dtype}")
    if target.shape != x.shape[:-1]:
        raise ValueError(
            f"target must have shape {tuple(x.shape[:-1])}, {name} without its last axis, got {tuple(target.shape)}"
        )
    if target.device != x.device:
        raise ValueError(f"target must be on {x.device} like {name}, got {target.device}")
    return target.long()


def check_options(ignore_index: int, label_smoothing: float, reduction: str) -> None:
    """Refuse options that torch.nn.functional.cross_entropy would not know."""
    if isinstance(ignore_index, bool) or not isinstance(ignore_index, int):
        raise TypeError(f"ignore_index must be an int, got {type(ignore_index).__name__}")
    if isinstance(label_smoothing, bool) or not isinstance(label_smoothing, (int, float)):
        raise TypeError(f"label_smoothing must be a number, got {type(label_smoothing).__name__}")
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"label_smoothing must be from 0 to 1, got {label_smoothing}")
    if reduction not in REDUCTIONS:
        raise ValueError(f'reduction must be "none", "mean" or "sum", got {reduction!r}')


@twin
def census_twin(target, classes, ignore_index, found):  # found: (2,), targets that are classes, and that are neither
    valid, wrong = 0, 0
    for row in prange(target.size):
        ignored, outside = target[row] == ignore_index, target[row] < 0 or target[row] >= classes
        valid += not ignored
        wrong += outside and not ignored
    found[0], found[1] = valid, wrong


def census(target: Tensor, classes: int, ignore_index: int) -> int:
    """How many targets, (rows,) on the CPU, are not ignored; ValueError if one of them is no class."""
    found = target.new_empty(2)
    census_twin(target, classes, ignore_index, found)
    valid, wrong = found.tolist()
    if wrong:
        outside = ((target < 0) | (target >= classes)) & (target != ignore_index)
        row = int(outside.nonzero()[0])
        raise ValueError(
            f"target must be from 0 to {classes - 1} or ignore_index {ignore_index}, got {int(target[row])} in row {row}"
        )
    return valid
