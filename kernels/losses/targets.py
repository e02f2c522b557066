"""What a loss over classes takes as its target and options, and what becomes of a target that is no class.

A target is an index from 0 to classes − 1, or `ignore_index`, whose row has no loss and no gradient. Any other index
is refused on the CPU, where looking is cheap: a twin begins by reading the targets, and counts in the same pass what a
mean is divided by. On a GPU the CPU would have to wait for the answer, so there the loss and the gradient of such a row
are NaN instead; nothing outside the logits is ever read.
"""

from typing import Any

import torch
from numba import types
from torch import Tensor

from kernels.twin import jitable, twin

REDUCTIONS = ("none", "mean", "sum")
TARGET = types.Array(types.int64, 1, "C")  # what kernels get, whatever the dtype of the logits


def check_target(target: Any, x: Tensor, name: str) -> Tensor:
    """The target as int64; refuses one that has not a class index for each row of x, which is called `name`."""
    if not isinstance(target, Tensor):
        raise TypeError(f"target must be a tensor, got {type(target).__name__}")
    if target.dtype not in (torch.int64, torch.int32):
        unsupported = " (class probabilities are not supported)" if target.is_floating_point() else ""
        raise TypeError(f"target must hold class indices in int64 or int32, got {target.dtype}{unsupported}")
    if target.shape != x.shape[:-1]:
        wanted = f"{tuple(x.shape[:-1])}, an index for each row of {name}"
        raise ValueError(f"target must have shape {wanted}, got {tuple(target.shape)}")
    if target.device != x.device:
        raise ValueError(f"target must be on {x.device} like {name}, got {target.device}")
    return target.long()


def check_options(ignore_index: int, label_smoothing: float, reduction: str) -> None:
    """Refuse options that torch.nn.functional.cross_entropy does not have."""
    if isinstance(ignore_index, bool) or not isinstance(ignore_index, int):
        raise TypeError(f"ignore_index must be an int, got {type(ignore_index).__name__}")
    if isinstance(label_smoothing, bool) or not isinstance(label_smoothing, (int, float)):
        raise TypeError(f"label_smoothing must be a number, got {type(label_smoothing).__name__}")
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"label_smoothing must be from 0 to 1, got {label_smoothing}")
    if reduction not in REDUCTIONS:
        raise ValueError(f'reduction must be "none", "mean" or "sum", got {reduction!r}')


def count_targets(target: Tensor, classes: int, ignore_index: int) -> int:
    """How many targets, of (rows,), are not ignored; ValueError if one of these is no class."""
    valid: int = census_twin(target, classes, ignore_index)
    if valid < 0:
        refuse_target(target, classes, ignore_index)
    return valid


def refuse_target(target: Tensor, classes: int, ignore_index: int) -> None:
    """Raise the ValueError that names the first target, of (rows,), that is no class."""
    wrong = ((target < 0) | (target >= classes)) & (target != ignore_index)
    row = int(wrong.nonzero()[0])
    allowed = f"from 0 to {classes - 1}, or ignore_index {ignore_index}"
    raise ValueError(f"target must be {allowed}; got {int(target[row])} in row {row}")


@twin
def census_twin(target, classes, ignore_index):
    """How many targets are not ignored; −1 if one of these is no class."""
    return census(target, classes, ignore_index)


@jitable
def census(target, classes, ignore_index):
    """The same inside other twins."""
    valid, wrong = 0, 0
    for row in range(target.size):
        counts = target[row] != ignore_index
        valid += counts
        wrong += counts and (target[row] < 0 or target[row] >= classes)
    return -1 if wrong else valid


def flat(tensor: Tensor) -> Tensor:
    """The tensor seen along one axis, without gaps."""
    tensor = tensor.contiguous()
    return tensor if tensor.dim() == 1 else tensor.view(-1)
