"""The cross-entropy of a linear layer, whose logits are never written: z = hidden weightᵀ + bias, then row.py's loss.

At the end of a language model each of r rows has a logit for each of K classes, the vocabulary: of all the model's
tensors often the largest. In plain torch it is written, read and written again, with its gradient three or four times
over. All that its losses need is two numbers a row, m = max z and Σ exp(z − m), and these can be had a part of z at a
time: a tile on a GPU (loss_tiles.py), a chunk of rows on a CPU (chunks.py). Memory then grows with r + K, not with rK.

Where hidden, weight or bias have gradients and the loss is one number, the gradients are computed along with it, for a
gradient of 1, and the backward pass only scales them. With reduction "none" each row brings a gradient of its own, and
they are computed then (linear_cross_entropy_backward.py).

Ledger for width w and numbers of s bytes: fused reads hidden, weight, bias and 8-byte targets, (r + K)ws + Ks + 8r
bytes, and writes two numbers a row and the loss; unfused, seven and more tensors of rK numbers are written and read.

Source: P.-L. Hsu et al., Liger Kernel, arXiv 2410.10989, section 3.2; E. Wijmans et al., Cut Your Losses in
Large-Vocabulary Language Models, arXiv 2411.09009, section 4.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function

from kernels.arguments import HALF, as_rows, check_input, multiplied_under_autocast, sums_dtype
from kernels.backend import runs_on_gpu
from kernels.ledger import Ledger, entry, imagine
from kernels.losses import gradient_tiles, loss_tiles
from kernels.losses.chunks import losses_by_chunks
from kernels.losses.cross_entropy import reference as loss_in_torch
from kernels.losses.cross_entropy_backward import reference as slopes_in_torch
from kernels.losses.linear_cross_entropy_backward import (
    finished,
    gradients_in_torch,
    imagined_gradients,
    linear_cross_entropy_backward_operation,
    logits_in_torch,
    room_for_gradients,
)
from kernels.losses.reduction import REDUCING, imagined, in_dtype_of, reduced
from kernels.losses.steps import logits_steps, losing_steps, product_steps, sloping_steps
from kernels.losses.targets import check_options, check_target, count_targets, flat
from kernels.op import Gradient, Operation

Six = tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]


def reference(
    hidden: Tensor,
    weight: Tensor,
    target: Tensor,
    bias: Tensor | None,
    ignore_index: int,
    label_smoothing: float,
    reduction: str,
    needs: Sequence[bool],
) -> Six:
    """The same in plain torch: loss, maxima and sums of exponentials, a mean's divisor, and the gradients needed."""
    logits = logits_in_torch(hidden, weight, target, bias)
    loss, normalizers, count = loss_in_torch(logits, target, ignore_index, label_smoothing, reduction)
    slopes = logits
    if any(needs):
        one = torch.ones((), dtype=logits.dtype, device=logits.device)
        slopes = slopes_in_torch(one, logits, target, normalizers, count, ignore_index, label_smoothing)
    gradients = gradients_in_torch(slopes, hidden, weight, bias, needs)
    grad_hidden, grad_weight, grad_bias = (gradient.detach() for gradient in gradients)
    return loss, normalizers, count, grad_hidden, grad_weight, grad_bias


def _launch(
    hidden: Tensor,
    weight: Tensor,
    target: Tensor,
    bias: Tensor | None,
    ignore_index: int,
    label_smoothing: float,
    reduction: str,
    needs: Sequence[bool],
) -> Six:
    rows, weight, vector = as_rows(hidden.contiguous()), weight.contiguous(), flat(target)
    losses = torch.empty(target.shape, dtype=sums_dtype(hidden.dtype), device=hidden.device)
    normalizers = losses.new_empty(rows.shape[0], 2)
    gradients, options = room_for_gradients(rows, weight, needs), (ignore_index, label_smoothing)
    inputs, outputs = (rows, weight, bias, vector), (flat(losses), normalizers)
    if runs_on_gpu(hidden):
        loss_tiles.losses_by_tiles(*inputs, *outputs, *options)
        loss, count = reduced(losses, vector, ignore_index, reduction)
        if any(needs):
            one = losses.new_ones(1)
            gradient_tiles.gradients_by_tiles(gradients, *inputs, one, normalizers, flat(count), *options)
    else:
        loss, count = imagined(losses, reduction)
        count.fill_(count_targets(vector, weight.shape[0], ignore_index))
        losses_by_chunks(gradients, *inputs, *outputs, flat(count), *options)
        total = losses if reduction == "none" else losses.sum()
        loss = total / count if reduction == "mean" else total
    return loss, normalizers, count, *finished(gradients, hidden, weight, bias, needs)


def _fake(
    hidden: Tensor,
    weight: Tensor,
    target: Tensor,
    bias: Tensor | None,
    ignore_index: int,
    label_smoothing: float,
    reduction: str,
    needs: Sequence[bool],
) -> Six:
    losses = hidden.new_empty(target.shape, dtype=sums_dtype(hidden.dtype))
    loss, count = imagined(losses, reduction)
    normalizers = losses.new_empty((target.numel(), 2))
    return loss, normalizers, count, *imagined_gradients(hidden, weight, bias, needs)


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Six) -> None:
    hidden, weight, target, bias, ctx.ignore_index, ctx.label_smoothing, _, ctx.computed = inputs
    ctx.save_for_backward(hidden, weight, target, bias, *output[1:])
    ctx.mark_non_differentiable(*output[1:])
    ctx.set_materialize_grads(False)


def _backward(ctx: Any, grad: Tensor | None, *unused: None) -> tuple[Tensor | None, ...]:
    hidden, weight, target, bias, normalizers, count, *gradients = ctx.saved_tensors
    need_hidden, need_weight, _, need_bias, *_ = ctx.needs_input_grad
    needs = [need_hidden, need_weight, need_bias]
    if grad is None:
        return (None,) * len(ctx.needs_input_grad)
    at_once = all(done or not need for done, need in zip(ctx.computed, needs, strict=True))
    if at_once and not torch.is_grad_enabled():
        gradients = [gradient * grad for gradient in gradients]
    else:  # each row has a gradient of its own; or a second derivative is wanted, which this operation refuses
        arguments = (
            grad,
            hidden,
            weight,
            target,
            bias,
            normalizers,
            count,
            ctx.ignore_index,
            ctx.label_smoothing,
        )
        gradients = linear_cross_entropy_backward_operation(*arguments, needs)
    grad_hidden, grad_weight, grad_bias = (
        gradient if need else None for gradient, need in zip(gradients, needs, strict=True)
    )
    return grad_hidden, grad_weight, None, grad_bias, None, None, None, None


def _ledger(
    hidden: Tensor,
    weight: Tensor,
    target: Tensor,
    bias: Tensor | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
    needs: Sequence[bool] = (False, False, False),
) -> Ledger:
    losses = imagine(hidden, *target.shape, dtype=sums_dtype(hidden.dtype))
    logits = imagine(losses, *target.shape, weight.shape[0])
    loss, count = imagined(losses, reduction)
    steps = (
        *logits_steps(hidden, weight, target, bias),
        *losing_steps(logits, target, label_smoothing, reduction),
    )
    writes = [loss, imagine(losses, target.numel(), 2), count]
    if any(needs):
        one = imagine(losses)
        steps += (
            entry("ones", (), (one,), 0),
            *sloping_steps(one, logits, target, count, label_smoothing),
            *product_steps(logits, hidden, weight, bias, needs),
        )
        likes = hidden, weight, bias
        writes += [like for like, needed in zip(likes, needs, strict=True) if needed and like is not None]
    flops = sum(step.flops for step in steps)
    return entry("linear_cross_entropy", (hidden, weight, target, bias), writes, flops, steps)


linear_cross_entropy_operation = Operation(
    schema="linear_cross_entropy(Tensor hidden, Tensor weight, Tensor target, Tensor? bias, int ignore_index,"
    " float label_smoothing, str reduction, bool[] needs) -> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)",
    launcher=_launch,
    fake=_fake,
    reference=reference,
    ledger=_ledger,
    gradient=Gradient(_setup_context, _backward),
    promises=(*loss_tiles.PROMISES, REDUCING),
)


def linear_cross_entropy(
    hidden: Tensor,
    weight: Tensor,
    target: Tensor,
    bias: Tensor | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> Tensor:
    """cross_entropy(hidden @ weight.T + bias, target), without ever holding all logits in memory.

    hidden: (..., width); weight: (classes, width) and bias: (classes,) or None, as in torch.nn.Linear; target: (...),
    class indices in int64 or int32. The options and the result are those of `cross_entropy`, the result in the dtype of
    hidden. Gradients flow to hidden, weight and bias; with reduction "mean" or "sum" they are computed in the forward
    pass and take their room from then on.

    Raises TypeError for a dtype and ValueError for a shape, device or option that does not fit, and for a target that
    is no class; on a GPU such a row has the loss NaN and makes gradients NaN. Source: arXiv 2410.10989, section 3.2.
    """
    if has_torch_function((hidden, weight, target, bias)):
        given = hidden, weight, target, bias, ignore_index, label_smoothing, reduction
        return handle_torch_function(linear_cross_entropy, (hidden, weight, target, bias), *given)
    check_input("hidden", hidden)
    check_input("weight", weight)
    if bias is not None:
        check_input("bias", bias)
    hidden, weight, bias = multiplied_under_autocast(hidden, weight, bias)
    _check(hidden, weight, bias)
    target = check_target(target, hidden, "hidden")
    check_options(ignore_index, label_smoothing, reduction)
    at_once = torch.is_grad_enabled() and reduction != "none"
    needs = [at_once and tensor is not None and tensor.requires_grad for tensor in (hidden, weight, bias)]
    options = ignore_index, float(label_smoothing), reduction, needs
    return in_dtype_of(hidden, linear_cross_entropy_operation(hidden, weight, target, bias, *options)[0])


def _check(hidden: Tensor, weight: Tensor, bias: Tensor | None) -> None:
    """Refuse a weight and a bias that do not fit hidden."""
    if weight.dim() != 2 or weight.shape[1] != hidden.shape[-1]:
        wanted = f"(classes, {hidden.shape[-1]}), hidden's last axis"
        raise ValueError(f"weight must have shape {wanted}, got {tuple(weight.shape)}")
    if bias is not None and bias.shape != weight.shape[:1]:
        wanted = f"{tuple(weight.shape[:1])}, one number for each class"
        raise ValueError(f"bias must have shape {wanted}, got {tuple(bias.shape)}")
    for name, tensor in (("weight", weight), ("bias", bias)):
        if tensor is None:
            continue
        if tensor.dtype != hidden.dtype and not (hidden.dtype in HALF and tensor.dtype == torch.float32):
            wanted = f"{hidden.dtype}{' or float32' if hidden.dtype in HALF else ''}"
            raise TypeError(f"{name} must be {wanted} beside hidden in {hidden.dtype}, got {tensor.dtype}")
        if tensor.device != hidden.device:
            raise ValueError(f"{name} must be on {hidden.device} like hidden, got {tensor.device}")
