"""A linear layer with 8-bit weights: y = x (q · scale)ᵀ + b, with a scale for each output (row of q).

Weight-only quantization: x and y stay what they are, the weights are dequantized inside the product. A layer that is
given a single row of x spends its time reading weights, and now reads a quarter of float32's bytes.

Ledger for r rows of x and s bytes a number: fused reads in · out bytes of weights, out · s of scales and r · in · s of
x, and writes r · out · s. Unfused, all weights are written and read as numbers twice: 1 + 4s bytes for each.

Source: T. Dettmers and others, LLM.int8(), arXiv 2208.07339, section 2.1 (absmax quantization, a scale a row).
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


def reference(x: Tensor, weight: Tensor, scale: Tensor, bias: Tensor | None = None) -> Tensor:
    """The same in plain torch."""
    return reference_linear(x, weight, scale.unsqueeze(-1), bias, _group(weight))


def _group(weight: Tensor) -> int:
    return weight.shape[1]  # one group: the whole row


def _launch(x: Tensor, weight: Tensor, scale: Tensor, bias: Tensor | None) -> Tensor:
    return launch_linear(x, weight, scale.unsqueeze(-1), bias, _group(weight))


def _fake(x: Tensor, weight: Tensor, scale: Tensor, bias: Tensor | None) -> Tensor:
    return x.new_empty((*x.shape[:-1], weight.shape[0]))


def _ledger(x: Tensor, weight: Tensor, scale: Tensor, bias: Tensor | None = None) -> Ledger:
    return linear_ledger("int8_linear", x, weight, scale, bias)


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    x, weight, scale, bias = inputs
    ctx.bias_dtype = None if bias is None else bias.dtype
    ctx.save_for_backward(x if ctx.needs_input_grad[2] else None, weight, scale)


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, None, Tensor | None, Tensor | None]:
    x, weight, scale = ctx.saved_tensors
    need_x, _, need_scale, need_bias = ctx.needs_input_grad
    needs = need_x, need_scale, need_bias
    grad_x, grad_scale, grad_bias = linear_gradients(
        grad, x, weight, scale.unsqueeze(-1), _group(weight), needs
    )
    return (
        grad_x,
        None,
        None if grad_scale is None else rounded(grad_scale.view(scale.shape), scale.dtype),
        None if grad_bias is None else rounded(grad_bias, ctx.bias_dtype),
    )


int8_linear_operation = Operation(
    schema="int8_linear(Tensor x, Tensor weight, Tensor scale, Tensor? bias) -> Tensor",
    launcher=_launch,
    fake=_fake,
    reference=reference,
    ledger=_ledger,
    gradient=Gradient(_setup_context, _backward),
    promises=FORWARD,
)


def int8_linear(x: Tensor, weight: Tensor, scale: Tensor, bias: Tensor | None = None) -> Tensor:
    """x (weight · scale)ᵀ + bias, with the weights dequantized inside the product.

    x: (..., in), weight: (out, in) int8, scale and bias: (out,) in x's dtype or, where that is a half type, float32.
    The result is (..., out) in x's dtype. Gradients flow to x, scale and bias.

    Raises TypeError for a dtype and ValueError for a shape or device that does not fit.
    Source: arXiv 2208.07339, section 2.1.
    """
    if has_torch_function((x, weight, scale, bias)):
        return handle_torch_function(int8_linear, (x, weight, scale, bias), x, weight, scale, bias)
    check_input("x", x)
    (x,) = multiplied_under_autocast(x)
    check_weight("weight", weight, torch.int8, x.shape[-1], x)
    check_beside("scale", scale, (weight.shape[0],), x)
    if bias is not None:
        check_beside("bias", bias, (weight.shape[0],), x)
    return int8_linear_operation(x, weight, scale, bias)
