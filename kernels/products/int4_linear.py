"""A linear layer with 4-bit weights: y = x Wᵀ + b, W[o, k] = q[o, k] · scale[o, k // group] with −8 ≤ q ≤ 7.

Sixteen values are few: one scale a row would have to suit its largest weight, and most of the others would become 0 or
±1. So every `group` neighbors have a scale of their own. Two weights share a byte (packing.py).

Ledger for r rows of x and s bytes a number: fused reads in · out (1/2 + s / group) bytes of weights and scales and
r · in · s of x, and writes r · out · s. Unfused, the weights are taken apart, widened, shifted and scaled in memory.

Source: E. Frantar, S. Ashkboos, T. Hoefler, D. Alistarh, GPTQ, arXiv 2210.17323, section 4 (4 bits in groups).
"""

from typing import Any

import torch
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function

from kernels.arguments import check_input, multiplied_under_autocast, rounded
from kernels.ledger import Ledger
from kernels.op import Gradient, Operation
from kernels.products.quantized import FORWARD
from kernels.products.quantized_linear import (
    check_beside,
    check_weight,
    launch_linear,
    linear_ledger,
    reference_linear,
)
from kernels.products.quantized_linear_backward import linear_gradients


def reference(
    x: Tensor, packed: Tensor, scale: Tensor, bias: Tensor | None = None, group: int = 32
) -> Tensor:
    """The same in plain torch."""
    return reference_linear(x, packed, scale, bias, group)


def _launch(x: Tensor, packed: Tensor, scale: Tensor, bias: Tensor | None, group: int) -> Tensor:
    return launch_linear(x, packed, scale, bias, group)


def _fake(x: Tensor, packed: Tensor, scale: Tensor, bias: Tensor | None, group: int) -> Tensor:
    return x.new_empty((*x.shape[:-1], packed.shape[0]))


def _ledger(x: Tensor, packed: Tensor, scale: Tensor, bias: Tensor | None = None, group: int = 32) -> Ledger:
    return linear_ledger("int4_linear", x, packed, scale, bias)


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    x, packed, scale, bias, ctx.group = inputs
    ctx.bias_dtype = None if bias is None else bias.dtype
    ctx.save_for_backward(x if ctx.needs_input_grad[2] else None, packed, scale)


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, None, Tensor | None, Tensor | None, None]:
    x, packed, scale = ctx.saved_tensors
    need_x, _, need_scale, need_bias, _ = ctx.needs_input_grad
    needs = need_x, need_scale, need_bias
    grad_x, grad_scale, grad_bias = linear_gradients(grad, x, packed, scale, ctx.group, needs)
    return (
        grad_x,
        None,
        None if grad_scale is None else rounded(grad_scale, scale.dtype),
        None if grad_bias is None else rounded(grad_bias, ctx.bias_dtype),
        None,
    )


int4_linear_operation = Operation(
    schema="int4_linear(Tensor x, Tensor packed, Tensor scale, Tensor? bias, int group) -> Tensor",
    launcher=_launch,
    fake=_fake,
    reference=reference,
    ledger=_ledger,
    gradient=Gradient(_setup_context, _backward),
    promises=FORWARD,
)


def int4_linear(
    x: Tensor, packed: Tensor, scale: Tensor, bias: Tensor | None = None, group: int = 32
) -> Tensor:
    """x Wᵀ + bias with W[o, k] = q[o, k] · scale[o, k // group], dequantized inside the product.

    x: (..., in); packed: (out, in/2) uint8, q[o, 2i] + 8 in the low half of byte i and q[o, 2i + 1] + 8 in the high
    one, as `pack_int4` makes it; scale: (out, in/group); bias: (out,); scale and bias in x's dtype or, where that is a
    half type, float32. group is a multiple of 8 that divides in. The result is (..., out) in x's dtype. Gradients flow
    to x, scale and bias.

    Raises TypeError for a dtype and ValueError for a shape, device or group that does not fit.
    Source: arXiv 2210.17323, section 4.
    """
    if has_torch_function((x, packed, scale, bias)):
        return handle_torch_function(int4_linear, (x, packed, scale, bias), x, packed, scale, bias, group)
    check_input("x", x)
    (x,) = multiplied_under_autocast(x)
    width = x.shape[-1]
    if isinstance(group, bool) or not isinstance(group, int):
        raise TypeError(f"group must be a whole number, got {type(group).__name__}")
    if group <= 0 or group % 8 or width % group:
        raise ValueError(f"group must be a multiple of 8 that divides x's last axis, {width}, got {group}")
    check_weight("packed", packed, torch.uint8, width // 2, x)
    check_beside("scale", scale, (packed.shape[0], width // group), x)
    if bias is not None:
        check_beside("bias", bias, (packed.shape[0],), x)
    return int4_linear_operation(x, packed, scale, bias, group)
