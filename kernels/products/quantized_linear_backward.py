"""The gradients of a linear layer with quantized weights, W[o, k] = q[o, k] s[o, k // group]: with g the gradient of
y = x Wᵀ,

    ∂x = g W,     ∂s[o, j] = Σ_{k in group j} q[o, k] · (gᵀ x)[o, k].

The whole numbers q have none. ∂x is again a product with quantized weights, which are dequantized on the way. ∂s is
what learns the scales; gᵀ x is as large as all weights in float32, so it is made for a block of outputs at a time.

Ledger: g is read, and q; for ∂x the scales are too, and ∂x is written; for ∂s x is, and ∂s is written.

Source: S. Esser and others, Learned Step Size Quantization, arXiv 1902.08153, section 2 (the gradient of a scale).
"""

import torch
from torch import Tensor

from kernels.arguments import as_rows, rounded, sums_dtype, widened
from kernels.backend import runs_on_gpu
from kernels.ledger import Ledger, entry, imagine
from kernels.op import Operation
from kernels.products.packing import whole_numbers
from kernels.products.quantized import BACKWARD, gradient_on_gpu
from kernels.products.quantized_linear import dequantizing_steps
from kernels.products.quantized_on_cpu import BLOCK, gradient_on_cpu


def width_of(weight: Tensor) -> int:
    """How many weights a row has."""
    return weight.shape[1] * (1 if weight.dtype == torch.int8 else 2)


def groups_of(weight: Tensor, group: int) -> int:
    """How many groups, and so scales, a row has."""
    return 1 if weight.dtype == torch.int8 else width_of(weight) // group


def reference(
    grad: Tensor, weight: Tensor, scale: Tensor | None, x: Tensor | None, group: int
) -> tuple[Tensor, Tensor]:
    """The same in plain torch; a gradient that is not wanted comes back empty."""
    rows = as_rows(widened(grad))
    groups = whole_numbers(weight, rows.dtype).unflatten(-1, (groups_of(weight, group), group))
    grad_x, grad_scale = grad.new_empty(0), rows.new_empty(0)
    if scale is not None:
        matrix = (groups * widened(scale).unsqueeze(-1)).flatten(-2)
        grad_x = rounded(torch.mm(rows, matrix).view(*grad.shape[:-1], width_of(weight)), grad.dtype)
    if x is not None:
        products = torch.mm(rows.t(), as_rows(widened(x))).view(groups.shape) * groups
        grad_scale = products.sum(-1)
    return grad_x, grad_scale


def _scale_gradient(grad: Tensor, weight: Tensor, x: Tensor, group: int) -> Tensor:
    """grad: (rows, out), x: (rows, in) in the dtype of sums."""
    outputs, width = grad.shape[1], x.shape[1]
    groups = groups_of(weight, group)
    result = grad.new_empty((outputs, groups))
    products = grad.new_empty((min(BLOCK, outputs), width))
    for first in range(0, outputs, BLOCK):
        block = products[: outputs - first]
        torch.mm(grad[:, first : first + BLOCK].t(), x, out=block)  # autocast leaves out= alone
        block *= whole_numbers(weight[first : first + BLOCK], block.dtype)
        torch.sum(block.unflatten(-1, (groups, group)), -1, out=result[first : first + BLOCK])
    return result


def _launch(
    grad: Tensor, weight: Tensor, scale: Tensor | None, x: Tensor | None, group: int
) -> tuple[Tensor, Tensor]:
    grad_x, grad_scale = grad.new_empty(0), grad.new_empty(0, dtype=sums_dtype(grad.dtype))
    weight = weight.contiguous()
    if scale is not None:
        shape = *grad.shape[:-1], width_of(weight)
        if runs_on_gpu(grad):
            grad_x = grad.new_empty(shape)
            gradient_on_gpu(as_rows(grad.contiguous()), weight, scale.contiguous(), as_rows(grad_x), group)
        else:
            wide = widened(grad)
            out = wide.new_empty(shape)
            gradient_on_cpu(as_rows(wide), weight, widened(scale), as_rows(out), group)
            grad_x = rounded(out, grad.dtype)
    if x is not None:
        grad_scale = _scale_gradient(as_rows(widened(grad)), weight, as_rows(widened(x)), group)
    return grad_x, grad_scale


def _fake(
    grad: Tensor, weight: Tensor, scale: Tensor | None, x: Tensor | None, group: int
) -> tuple[Tensor, Tensor]:
    width = width_of(weight)
    return (
        grad.new_empty((*grad.shape[:-1], width) if scale is not None else 0),
        grad.new_empty(
            (weight.shape[0], groups_of(weight, group)) if x is not None else 0, dtype=sums_dtype(grad.dtype)
        ),
    )


def _ledger(
    grad: Tensor, weight: Tensor, scale: Tensor | None = None, x: Tensor | None = None, group: int = 32
) -> Ledger:
    width, (outputs, _) = width_of(weight), weight.shape
    rows, n = grad.numel() // max(outputs, 1), outputs * width
    full = imagine(grad, outputs, width, dtype=sums_dtype(grad.dtype))
    *steps, scaling = dequantizing_steps(grad, weight, scale if scale is not None else full, width)
    writes = []
    if scale is not None:
        grad_x = imagine(grad, *grad.shape[:-1], width)
        steps += [scaling, entry("mm", (grad, full), (grad_x,), 2 * rows * n)]
        writes.append(grad_x)
    if x is not None:
        grad_scale = imagine(full, outputs, groups_of(weight, group))
        steps += [
            entry("mm", (grad, x), (full,), 2 * rows * n),
            entry("mul", (full, full), (full,), n),
            entry("sum", (full,), (grad_scale,), n),
        ]
        writes.append(grad_scale)
    flops = sum(step.flops for step in steps)
    return entry("quantized_linear_backward", (grad, weight, scale, x), writes, flops, tuple(steps))


quantized_linear_backward_operation = Operation(
    schema="quantized_linear_backward(Tensor grad, Tensor weight, Tensor? scale, Tensor? x, SymInt group)"
    " -> (Tensor, Tensor)",
    launcher=_launch,
    fake=_fake,
    reference=reference,
    ledger=_ledger,
    promises=(BACKWARD,),
)


def linear_gradients(
    grad: Tensor, x: Tensor, weight: Tensor, scale: Tensor, group: int, needs: tuple[bool, bool, bool]
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """The gradients of x, scale (out, groups) and bias in the dtype of sums, those that are needed."""
    need_x, need_scale, need_bias = needs
    grad_x = grad_scale = grad_bias = None
    if need_x or need_scale:
        given = scale if need_x else None, x if need_scale else None
        grad_x, grad_scale = quantized_linear_backward_operation(grad, weight, *given, group)
    if need_bias:
        grad_bias = as_rows(grad.contiguous()).sum(0, dtype=sums_dtype(grad.dtype))
    return grad_x if need_x else None, grad_scale if need_scale else None, grad_bias
