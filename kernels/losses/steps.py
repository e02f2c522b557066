"""The unfused chains of the losses, step by step, for their ledgers: what their references move in plain torch.

A step that chooses or compares, such as gather or eq, moves bytes and has no FLOPs. The maximum counts as an addition.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from kernels.arguments import sums_dtype
from kernels.ledger import Ledger, entry, imagine

Steps = tuple[Ledger, ...]


def losing_steps(logits: Tensor, target: Tensor, label_smoothing: float, reduction: str) -> Steps:
    """The unfused chain from logits to the loss."""
    n, rows, real = logits.numel(), target.numel(), sums_dtype(logits.dtype)
    full, row = imagine(logits, *logits.shape, dtype=real), imagine(logits, *target.shape, dtype=real)
    ignored = imagine(target, *target.shape, dtype=torch.bool)
    smoothed = (
        entry("mean", (full,), (row,), n + rows),
        entry("mul", (row,), (row,), rows),
        entry("sub", (row, imagine(row, *row.shape)), (row,), rows),
    )
    return (
        entry("amax", (logits,), (row,), n),
        entry("sub", (logits, row), (full,), n),
        entry("exp", (full,), (full,), n),
        entry("sum", (full,), (row,), n),
        entry("eq", (target,), (ignored,), 0),
        entry("masked_fill", (target, ignored), (target,), 0),
        entry("gather", (full, target), (row,), 0),
        entry("log", (row,), (row,), rows),
        entry("mul", (row,), (row,), rows),
        entry("sub", (row, row), (row,), rows),
        *(smoothed if label_smoothing > 0 else ()),
        entry("masked_fill", (row, ignored), (row,), 0),
        *reducing_steps(row, ignored, reduction),
        entry("stack", (row, row), (imagine(row, row.numel(), 2),), 0),
    )


def reducing_steps(losses: Tensor, ignored: Tensor, reduction: str) -> Steps:
    """The unfused chain from the losses of rows to one number."""
    if reduction == "none":
        return ()
    rows, one = losses.numel(), imagine(losses)
    summed = entry("sum", (losses,), (one,), rows)
    if reduction == "sum":
        return (summed,)
    counted = entry("not", (ignored,), (ignored,), 0), entry("sum", (ignored,), (one,), rows)
    return (*counted, summed, entry("div", (one, one), (one,), 1))


def sloping_steps(
    grad: Tensor, logits: Tensor, target: Tensor, count: Tensor, label_smoothing: float
) -> Steps:
    """The unfused chain from the gradient of the loss to that of the logits."""
    n, rows, real = logits.numel(), target.numel(), sums_dtype(logits.dtype)
    full, row = imagine(logits, *logits.shape, dtype=real), imagine(logits, *target.shape, dtype=real)
    ignored = imagine(target, *target.shape, dtype=torch.bool)
    return (
        entry("sub", (logits, row), (full,), n),
        entry("exp", (full,), (full,), n),
        entry("div", (full, row), (full,), n),
        *([entry("sub", (full,), (full,), n)] if label_smoothing > 0 else []),
        entry("eq", (target,), (ignored,), 0),
        entry("masked_fill", (target, ignored), (target,), 0),
        entry("full", (), (row,), 0),
        *([entry("div", (grad, count), (grad,), grad.numel())] if count.numel() else []),
        entry("masked_fill", (grad, ignored), (row,), 0),
        entry("scatter_add", (full, target, row), (full,), rows),
        entry("mul", (full, row), (full,), n),
    )


def logits_steps(hidden: Tensor, weight: Tensor, target: Tensor, bias: Tensor | None) -> Steps:
    """The unfused chain from hidden to the logits."""
    logits = imagine(hidden, *target.shape, weight.shape[0], dtype=sums_dtype(hidden.dtype))
    product = entry("mm", (hidden, weight), (logits,), 2 * logits.numel() * weight.shape[1])
    return (product,) if bias is None else (product, entry("add", (logits, bias), (logits,), logits.numel()))


def product_steps(
    logits: Tensor, hidden: Tensor, weight: Tensor, bias: Tensor | None, needs: Sequence[bool]
) -> Steps:
    """The unfused chain from the gradient of the logits to those of hidden, weight and bias."""
    n, width = logits.numel(), weight.shape[1]
    likes = hidden, weight, weight if bias is None else bias
    steps = (
        entry("mm", (logits, weight), (hidden,), 2 * n * width),
        entry("mm", (logits, hidden), (weight,), 2 * n * width),
        entry("sum", (logits,), (likes[2],), n),
    )
    return tuple(step for step, needed in zip(steps, needs, strict=True) if needed)
