"""Bias and GELU in one pass: y = GELU(x + b), with GELU as in gelu.py.

Ledger for n elements of s bytes in rows of `width`: fused reads x and b and writes y, (2n + width)s bytes. Unfused,
x + b goes to memory and comes back: (4n + width)s bytes, twice as many for the same FLOPs.

Source: D. Hendrycks, K. Gimpel, Gaussian Error Linear Units, arXiv 1606.08415, section 2.
"""

from typing import Any

import torch
import torch.nn.functional as F
from numba import prange
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function

from kernels.arguments import (
    as_rows,
    check_input,
    check_vector,
    empty_rows,
    follow_autocast,
    rounded,
    widened,
)
from kernels.backend import cuda, gpu_kernel, launch, runs_on_gpu, tile_grid
from kernels.ledger import Ledger, entry, imagine
from kernels.loads import load4, real_of, store4
from kernels.op import Gradient, Operation
from kernels.pointwise.bias_gelu_backward import bias_gelu_backward_operation
from kernels.pointwise.gelu import cpu_gelu, cpu_gelu_tanh, gpu_gelu, gpu_gelu_tanh
from kernels.promises import Promise
from kernels.twin import twin

FLOPS = {"none": 5, "tanh": 10}  # an element: x + b, and the formula


def reference(x: Tensor, bias: Tensor, approximate: str = "none") -> Tensor:
    """The same in plain torch: two operations, with x + b in memory between them."""
    return F.gelu(x + bias.to(x.dtype), approximate=approximate)


@gpu_kernel
def bias_gelu_kernel(x, bias, out, tanh):  # (rows, width), (width,), (rows, width)
    """A thread keeps the bias of four columns and walks down the rows; neighbors touch neighboring addresses."""
    column, first = cuda.grid(2)
    column *= 4
    if column < x.shape[1]:
        zero = real_of(x)(0)
        bias_a, bias_b, bias_c, bias_d = load4(bias, column, zero)
        for row in range(first, x.shape[0], cuda.gridsize(2)[1]):
            a, b, c, d = load4(x[row], column, zero)
            a, b, c, d = a + bias_a, b + bias_b, c + bias_c, d + bias_d
            if tanh:
                store4(
                    out[row], column, gpu_gelu_tanh(a), gpu_gelu_tanh(b), gpu_gelu_tanh(c), gpu_gelu_tanh(d)
                )
            else:
                store4(out[row], column, gpu_gelu(a), gpu_gelu(b), gpu_gelu(c), gpu_gelu(d))


@twin
def bias_gelu_twin(x, bias, out, tanh):
    """One formula in each inner loop, so that each can be vectorized."""
    for row in prange(x.shape[0]):
        if tanh:
            for column in range(x.shape[1]):
                out[row, column] = cpu_gelu_tanh(x[row, column] + bias[column])
        else:
            for column in range(x.shape[1]):
                out[row, column] = cpu_gelu(x[row, column] + bias[column])


def _launch(x: Tensor, bias: Tensor, approximate: str) -> Tensor:
    tanh = approximate == "tanh"
    if runs_on_gpu(x):
        out = empty_rows(x)
        rows = as_rows(x.contiguous())
        launch(bias_gelu_kernel, *tile_grid(rows), rows, bias.contiguous(), as_rows(out), tanh)
        return out
    wide = widened(x)
    out = torch.empty_like(wide)
    bias_gelu_twin(as_rows(wide), widened(bias), as_rows(out), tanh)
    return rounded(out, x.dtype)


def _fake(x: Tensor, bias: Tensor, approximate: str) -> Tensor:
    return x.new_empty(x.shape)


def _ledger(x: Tensor, bias: Tensor, approximate: str = "none") -> Ledger:
    n, full = x.numel(), imagine(x, *x.shape)
    steps = (
        entry("add", (x, bias), (full,), n),
        entry("gelu", (full,), (full,), n * (FLOPS[approximate] - 1)),
    )
    return entry("bias_gelu", (x, bias), (full,), n * FLOPS[approximate], steps)


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    x, bias, ctx.approximate = inputs
    ctx.save_for_backward(x, bias)


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
    x, bias = ctx.saved_tensors
    need_x, need_bias, _ = ctx.needs_input_grad
    grad_x, grad_bias = bias_gelu_backward_operation(grad, x, bias, ctx.approximate, need_x, need_bias)
    return grad_x if need_x else None, grad_bias if need_bias else None, None


bias_gelu_operation = Operation(
    schema="bias_gelu(Tensor x, Tensor bias, str approximate) -> Tensor",
    launcher=_launch,
    fake=_fake,
    reference=reference,
    ledger=_ledger,
    gradient=Gradient(_setup_context, _backward),
    promises=(Promise(bias_gelu_kernel, (2, 1, 2, bool), threads=256, load_bytes=16, occupancy=0.75),),
)


def bias_gelu(x: Tensor, bias: Tensor, approximate: str = "none") -> Tensor:
    """GELU(x + bias), read and written once.

    x: (..., width), bias: (width,); the result has x's shape and dtype. `approximate` is "none" (with the normal
    distribution) or "tanh", as in torch.nn.functional.gelu. Gradients flow to x and bias.

    Raises TypeError for a dtype and ValueError for a shape, device or `approximate` that does not fit.
    Source: arXiv 1606.08415, section 2.
    """
    if has_torch_function((x, bias)):
        return handle_torch_function(bias_gelu, (x, bias), x, bias, approximate)
    check_input("x", x)
    check_input("bias", bias)
    x, bias = follow_autocast((x,), bias)
    check_vector("bias", bias, x)
    if approximate not in FLOPS:
        raise ValueError(f'approximate must be "none" or "tanh", got {approximate!r}')
    return bias_gelu_operation(x, bias, approximate)
