"""Cross-entropy in one pass over the logits: −log of the probability that softmax gives the right class.

The formula is in row.py. Its two sums run over a row, and the sum of exponentials is relative to the row's maximum m,
which is known only at the row's end. On a GPU the *online* form carries both along: when a larger logit comes, the sum
so far is multiplied by exp(m − m′). A CPU reads a row twice, the second time from its cache.

Neither exponentials nor probabilities go to memory. Kept for the backward pass are m and Σ exp(z − m) of each row, and
how many rows are in the mean. (m + log Σ would be one number a row, but beside a large m the logarithm loses its
digits: at logits near 10⁴ a softmax computed from it is off by a thousandth.)

Ledger for n logits of s bytes in r rows: fused reads the logits and 8-byte targets once, ns + 8r bytes, and writes two
numbers a row and the loss. In plain torch maximum, difference, exponential, sum and choosing the right class move
7ns bytes and more for the rows.

Source: M. Milakov, N. Gimelshein, Online normalizer calculation for softmax, arXiv 1805.02867, algorithm 3.
"""

import math
from typing import Any

import torch
from numba import prange
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function

from kernels.arguments import as_real, as_rows, check_input, sums_dtype, widened
from kernels.backend import cuda, gpu_kernel, launch, row_grid, runs_on_gpu
from kernels.fastmath import exp
from kernels.lanes import MAX_THREADS, block_max, block_sum
from kernels.ledger import Ledger, entry, imagine
from kernels.loads import load, load4, real_of
from kernels.losses.cross_entropy_backward import cross_entropy_backward_operation
from kernels.losses.reduction import (
    REDUCING,
    imagined,
    in_dtype_of,
    reduced,
    reduced_in_torch,
)
from kernels.losses.row import cpu_row_loss, gpu_row_loss
from kernels.losses.steps import losing_steps
from kernels.losses.targets import TARGET, census, check_options, check_target, flat, refuse_target
from kernels.op import Gradient, Operation
from kernels.promises import Promise, sums
from kernels.row_max import row_max
from kernels.twin import twin


def reference(
    logits: Tensor,
    target: Tensor,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> tuple[Tensor, Tensor, Tensor]:
    """The same in plain torch: the loss, (rows, 2) maxima and sums of exponentials, a mean's divisor."""
    wide = widened(logits)
    largest = wide.detach().amax(-1)
    shifted = wide - largest.unsqueeze(-1)
    total = shifted.exp().sum(-1)
    ignored = target == ignore_index
    right = shifted.gather(-1, target.masked_fill(ignored, 0).unsqueeze(-1)).squeeze(-1)
    losses = total.log() - right * (1 - label_smoothing)
    if label_smoothing > 0:
        losses = losses - shifted.mean(-1) * label_smoothing
    loss, count = reduced_in_torch(losses.masked_fill(ignored, 0), ignored, reduction)
    return loss, torch.stack((largest.flatten(), total.detach().flatten()), -1), count


@gpu_kernel
def cross_entropy_kernel(logits, target, losses, normalizers, ignore_index, smoothing, lowest):
    """A block takes a row at a time; maxima start at the lowest finite number, as −inf − −inf would be NaN."""
    real = real_of(logits)
    first, step, classes = 4 * cuda.threadIdx.x, 4 * cuda.blockDim.x, logits.shape[1]
    for row in range(cuda.blockIdx.x, logits.shape[0], cuda.gridDim.x):
        chosen = target[row]
        m, exponentials, distances, loss = lowest, real(0), real(0), real(0)
        if chosen != ignore_index:
            right = real(math.nan)
            if 0 <= chosen < classes:
                right = load(logits[row], chosen)
            anchor = right if right > lowest else real(0)
            for column in range(first, classes, step):
                a, b, c, d = load4(logits[row], column, -real(math.inf))
                before, m = m, max(max(m, max(a, b)), max(c, d))
                exponentials *= math.exp(before - m)
                exponentials += math.exp(a - m) + math.exp(b - m) + math.exp(c - m) + math.exp(d - m)
                if smoothing > real(0):
                    distances += a - anchor
                    distances += b - anchor if column + 1 < classes else real(0)
                    distances += c - anchor if column + 2 < classes else real(0)
                    distances += d - anchor if column + 3 < classes else real(0)
            before, m = m, block_max(m)
            exponentials = block_sum(exponentials * math.exp(before - m))
            distances = block_sum(distances)
            loss = gpu_row_loss(m, exponentials, right, anchor, distances / real(classes), smoothing)
        if cuda.threadIdx.x == 0:
            losses[row], normalizers[row, 0], normalizers[row, 1] = loss, m, exponentials


@twin
def cross_entropy_twin(logits, target, losses, normalizers, ignore_index, smoothing):
    """Returns the sum of the losses and how many rows are in it, −1 for a wrong target."""
    real = logits.dtype.type
    classes = logits.shape[1]
    valid = census(target, classes, ignore_index)
    if valid < 0:
        return real(math.nan), valid
    for row in prange(logits.shape[0]):
        m, exponentials, distances, losses[row] = real(0), real(0), real(0), real(0)
        chosen = target[row]
        if chosen != ignore_index:
            m = row_max(logits[row])
            for column in range(classes):
                distance = logits[row, column] - m
                exponentials += exp(distance)
                distances += distance
            right = logits[row, chosen]
            losses[row] = cpu_row_loss(m, exponentials, right, m, real(distances / classes), smoothing)
        normalizers[row, 0], normalizers[row, 1] = m, exponentials
    return losses.sum(), valid


def _launch(
    logits: Tensor, target: Tensor, ignore_index: int, label_smoothing: float, reduction: str
) -> tuple[Tensor, Tensor, Tensor]:
    vector = flat(target)
    if runs_on_gpu(logits):
        rows, real = as_rows(logits.contiguous()), sums_dtype(logits.dtype)
        losses = torch.empty(target.shape, dtype=real, device=logits.device)
        normalizers = losses.new_empty(rows.shape[0], 2)
        numbers = as_real(label_smoothing, rows), as_real(torch.finfo(real).min, rows)
        tensors = rows, vector, flat(losses), normalizers
        launch(cross_entropy_kernel, *row_grid(rows, MAX_THREADS), *tensors, ignore_index, *numbers)
        loss, count = reduced(losses, vector, ignore_index, reduction)
        return loss, normalizers, count
    rows = as_rows(widened(logits))
    losses, normalizers = rows.new_empty(rows.shape[0]), rows.new_empty(rows.shape[0], 2)
    numbers = ignore_index, as_real(label_smoothing, rows)
    total, valid = cross_entropy_twin(rows, vector, losses, normalizers, *numbers)
    if valid < 0:
        refuse_target(vector, logits.shape[-1], ignore_index)
    if reduction == "none":
        return losses.view(target.shape), normalizers, losses.new_empty(0)
    if reduction == "sum":
        return torch.scalar_tensor(total, dtype=losses.dtype), normalizers, losses.new_empty(0)
    mean = total / valid if valid else math.nan
    loss, count = (torch.scalar_tensor(number, dtype=losses.dtype) for number in (mean, valid))
    return loss, normalizers, count


def _fake(
    logits: Tensor, target: Tensor, ignore_index: int, label_smoothing: float, reduction: str
) -> tuple[Tensor, Tensor, Tensor]:
    losses = logits.new_empty(target.shape, dtype=sums_dtype(logits.dtype))
    loss, count = imagined(losses, reduction)
    return loss, losses.new_empty((target.numel(), 2)), count


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    logits, target, ctx.ignore_index, ctx.label_smoothing, _ = inputs
    _, normalizers, count = output
    ctx.save_for_backward(logits, target, normalizers, count)
    ctx.mark_non_differentiable(normalizers, count)
    ctx.set_materialize_grads(False)


def _backward(ctx: Any, grad: Tensor | None, *unused: None) -> tuple[Tensor | None, ...]:
    if grad is None:
        return (None,) * 5
    options = ctx.ignore_index, ctx.label_smoothing
    grad_logits = cross_entropy_backward_operation(grad, *ctx.saved_tensors, *options)
    return grad_logits, None, None, None, None


def _ledger(
    logits: Tensor,
    target: Tensor,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> Ledger:
    row = imagine(logits, *target.shape, dtype=sums_dtype(logits.dtype))
    steps = losing_steps(logits, target, label_smoothing, reduction)
    writes = (*imagined(row, reduction), imagine(row, row.numel(), 2))
    return entry("cross_entropy", (logits, target), writes, sum(step.flops for step in steps), steps)


cross_entropy_operation = Operation(
    schema="cross_entropy(Tensor logits, Tensor target, int ignore_index, float label_smoothing, str reduction)"
    " -> (Tensor, Tensor, Tensor)",
    launcher=_launch,
    fake=_fake,
    reference=reference,
    ledger=_ledger,
    gradient=Gradient(_setup_context, _backward),
    promises=(
        Promise(
            cross_entropy_kernel,
            (2, TARGET, sums(1), sums(2), int, float, float),
            threads=MAX_THREADS,
            load_bytes=16,
            occupancy=0.625,
        ),
        REDUCING,
    ),
)


def cross_entropy(
    logits: Tensor,
    target: Tensor,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> Tensor:
    """The cross-entropy of softmax(logits) with the target classes, the logits read once.

    logits: (..., classes), the classes on the last axis; target: (...), class indices in int64 or int32. Rows whose
    target is `ignore_index` have no loss and no gradient. `label_smoothing`, from 0 to 1, is the weight shared out over
    all classes. `reduction`: "none" gives a loss for each row, (...), "sum" their sum, "mean" their mean over the rows
    not ignored, NaN if there are none. The loss has the dtype of logits, under autocast float32 at least, as in torch.
    Gradients flow to logits.

    Raises TypeError for a dtype and ValueError for a shape, device or option that does not fit, and for a target that
    is no class; on a GPU such a row has the loss NaN and the gradient NaN. Source: arXiv 1512.00567, section 7.
    """
    if has_torch_function((logits, target)):
        given = logits, target, ignore_index, label_smoothing, reduction
        return handle_torch_function(cross_entropy, (logits, target), *given)
    check_input("logits", logits)
    target = check_target(target, logits, "logits")
    check_options(ignore_index, label_smoothing, reduction)
    options = ignore_index, float(label_smoothing), reduction
    return in_dtype_of(logits, cross_entropy_operation(logits, target, *options)[0])
