"""Bias and GELU in one pass: y = GELU(x + b).

The Gaussian error linear unit weighs z by the probability that a standard normal variable lies below it:

    GELU(z)  = z Φ(z),         Φ(z) = erfc(−z/√2) / 2                            approximate="none"
    GELU(z)  ≈ z σ(2u),        u = √(2/π) (z + 0.044715 z³)                      approximate="tanh"
    GELU′(z) = Φ(z) + z φ(z),  φ(z) = exp(−z²/2) / √(2π)
             ≈ σ + z σ(1 − σ) 2u′

The second is the tanh approximation, since (1 + tanh u)/2 = σ(2u) with the logistic σ. With z = x + b, the gradient of
x is GELU′(z) times that of y, and the gradient of b is its sum over rows.

Ledger for n elements of s bytes in rows of `width`: fused reads x and b and writes y, (2n + width)s bytes. Unfused,
x + b goes to memory and comes back: (4n + width)s bytes, twice as many for the same FLOPs.

Source: D. Hendrycks, K. Gimpel, Gaussian Error Linear Units, arXiv 1606.08415, section 2.
"""

import math
from typing import Any

import torch
import torch.nn.functional as F
from numba import prange
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function

from kernels.arguments import as_rows, check_input, check_vector, follow_autocast, rounded, widened
from kernels.backend import (
    blocks,
    cuda,
    device_function,
    gpu_kernel,
    launch,
    runs_on_gpu,
    threads_for,
    with_types,
)
from kernels.fastmath import exp, normal_cdf
from kernels.ledger import Ledger, entry, imagine
from kernels.op import Gradient, Operation
from kernels.twin import chunk_bounds, chunks, jitable, twin

SQRT_HALF = math.sqrt(1 / 2)
SQRT_2_OVER_PI = math.sqrt(2 / math.pi)
ONE_OVER_SQRT_2PI = 1 / math.sqrt(2 * math.pi)
CUBIC = 0.044715
FAR = 30.0  # beyond, σ(2u) is exactly 0 or 1 in every dtype; z² must not overflow
COLUMNS = 128  # threads of a block, one a column
ROW_BLOCKS = 256  # blocks that share a column's rows, and so the partial sums of the bias gradient


def reference(x: Tensor, bias: Tensor, approximate: str = "none") -> Tensor:
    """The same in plain torch: two operations, with x + bias in memory between them."""
    return F.gelu(x + bias.to(x.dtype), approximate=approximate)


def reference_backward(
    grad: Tensor, x: Tensor, bias: Tensor, approximate: str, *needs: bool
) -> tuple[Tensor, Tensor]:
    """The gradients in plain torch, both of them whatever `needs` says."""
    slope = torch.ops.aten.gelu_backward(grad, x + bias.to(x.dtype), approximate=approximate)
    return slope, slope.sum_to_size(bias.shape).to(bias.dtype)


# ---- the formulas, once: `type(z)` keeps constants in z's dtype, where a bare 0.5 makes a GPU compute in float64


def formulas(normal_cdf: Any, exp: Any) -> tuple[Any, ...]:
    """GELU, its tanh form, and the slopes of both, over a given Φ and exp."""

    def gelu(z):
        return z * normal_cdf(z)

    def gelu_tanh(z):
        real = type(z)
        u = real(SQRT_2_OVER_PI) * z * (real(1) + real(CUBIC) * z * z)
        return z / (real(1) + exp(real(-2) * u))

    def slope(z):
        real = type(z)
        return normal_cdf(z) + z * exp(real(-0.5) * z * z) * real(ONE_OVER_SQRT_2PI)

    def slope_tanh(z):
        real = type(z)
        near = min(max(z, real(-FAR)), real(FAR))
        cubic = real(CUBIC) * near * near
        sigma = real(1) / (real(1) + exp(real(-2 * SQRT_2_OVER_PI) * near * (real(1) + cubic)))
        return sigma + z * (sigma * (real(1) - sigma)) * (
            real(2 * SQRT_2_OVER_PI) * (real(1) + real(3) * cubic)
        )

    return gelu, gelu_tanh, slope, slope_tanh


@device_function
def gpu_normal_cdf(z):
    real = type(z)
    return math.erfc(-z * real(SQRT_HALF)) * real(0.5)


gpu_gelu, gpu_gelu_tanh, gpu_slope, gpu_slope_tanh = map(device_function, formulas(gpu_normal_cdf, math.exp))
cpu_gelu, cpu_gelu_tanh, cpu_slope, cpu_slope_tanh = map(jitable, formulas(normal_cdf, exp))


# ---- GPU: a thread keeps one column's bias and walks down the rows; neighbors touch neighboring addresses


@gpu_kernel
def bias_gelu_kernel(x, bias, out, tanh):  # (rows, width), (width,), (rows, width)
    column = cuda.grid(2)[0]
    if column < x.shape[1]:
        b = bias[column]
        for row in range(cuda.blockIdx.y, x.shape[0], cuda.gridDim.y):
            z = x[row, column] + b
            out[row, column] = gpu_gelu_tanh(z) if tanh else gpu_gelu(z)


@gpu_kernel
def bias_gelu_backward_kernel(grad, x, bias, grad_x, partial, tanh):
    """`partial` (row blocks, width) takes each block's share of the bias gradient; it or `grad_x` may be empty."""
    column = cuda.grid(2)[0]
    if column < x.shape[1]:
        b = bias[column]
        total = x.dtype.type(0)
        for row in range(cuda.blockIdx.y, x.shape[0], cuda.gridDim.y):
            z = x[row, column] + b
            value = grad[row, column] * (gpu_slope_tanh(z) if tanh else gpu_slope(z))
            total += value
            if grad_x.size:
                grad_x[row, column] = value
        if partial.size:
            partial[cuda.blockIdx.y, column] = total


# ---- CPU: one formula an inner loop, so that each can be vectorized


@twin
def bias_gelu_twin(x, bias, out, tanh):
    for row in prange(x.shape[0]):
        if tanh:
            for column in range(x.shape[1]):
                out[row, column] = cpu_gelu_tanh(x[row, column] + bias[column])
        else:
            for column in range(x.shape[1]):
                out[row, column] = cpu_gelu(x[row, column] + bias[column])


@twin
def bias_gelu_backward_twin(grad, x, bias, grad_x, partial, tanh):
    """`partial` is (chunks, width), or (chunks, 0) if unused; `grad_x` is (chunks, width), scratch, if not wanted."""
    rows, width = x.shape
    parts = partial.shape[0]
    for chunk in prange(parts):
        first, end = chunk_bounds(chunk, parts, rows)
        partial[chunk] = 0
        for row in range(first, end):
            value = grad_x[row] if grad_x.shape[0] == rows else grad_x[chunk]
            if tanh:
                for column in range(width):
                    value[column] = grad[row, column] * cpu_slope_tanh(x[row, column] + bias[column])
            else:
                for column in range(width):
                    value[column] = grad[row, column] * cpu_slope(x[row, column] + bias[column])
            for column in range(partial.shape[1]):
                partial[chunk, column] += value[column]


# ---- launchers


def _launch(x: Tensor, bias: Tensor, approximate: str) -> Tensor:
    wide, wide_bias, tanh = widened(x), widened(bias), approximate == "tanh"
    out = torch.empty_like(wide)
    if out.numel():
        rows, out_rows = as_rows(wide), as_rows(out)
        if runs_on_gpu(x):
            launch(bias_gelu_kernel, *_grid(rows), rows, wide_bias, out_rows, tanh)
        else:
            bias_gelu_twin(rows, wide_bias, out_rows, tanh)
    return rounded(out, x.dtype)


def _launch_backward(
    grad: Tensor, x: Tensor, bias: Tensor, approximate: str, need_x: bool, need_bias: bool
) -> tuple[Tensor, Tensor]:
    """The gradients of x and bias; one that is not needed comes back empty."""
    rows, grad_rows, wide_bias, tanh = (
        as_rows(widened(x)),
        as_rows(widened(grad)),
        widened(bias),
        approximate == "tanh",
    )
    count, width = rows.shape
    if runs_on_gpu(x):
        grad_x = rows.new_empty((count if need_x else 0, width))
        partial = rows.new_empty((min(count, ROW_BLOCKS) if need_bias else 0, width))
        if rows.numel():
            launch(bias_gelu_backward_kernel, *_grid(rows), grad_rows, rows, wide_bias, grad_x, partial, tanh)
    else:
        parts = chunks(count)
        grad_x = rows.new_empty((count if need_x else parts, width))
        partial = rows.new_empty((parts, width if need_bias else 0))
        if rows.numel():
            bias_gelu_backward_twin(grad_rows, rows, wide_bias, grad_x, partial, tanh)
    return (
        rounded(grad_x.view(x.shape), x.dtype) if need_x else x.new_empty(0),
        rounded(partial.sum(0), bias.dtype) if need_bias else bias.new_empty(0),
    )


def _grid(rows: Tensor) -> tuple[tuple[int, int], tuple[int, int]]:
    threads = threads_for(rows.shape[1], COLUMNS)
    return (blocks(rows.shape[1], threads), min(rows.shape[0], ROW_BLOCKS)), (threads, 1)


# ---- the operation and its gradient


def _fake(x: Tensor, bias: Tensor, approximate: str) -> Tensor:
    return x.new_empty(x.shape)


def _fake_backward(
    grad: Tensor, x: Tensor, bias: Tensor, approximate: str, need_x: bool, need_bias: bool
) -> tuple[Tensor, Tensor]:
    return x.new_empty(x.shape if need_x else 0), bias.new_empty(bias.shape if need_bias else 0)


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    x, bias, ctx.approximate = inputs
    ctx.save_for_backward(x, bias)


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
    x, bias = ctx.saved_tensors
    need_x, need_bias, _ = ctx.needs_input_grad
    grad_x, grad_bias = bias_gelu_backward_operation(grad, x, bias, ctx.approximate, need_x, need_bias)
    return grad_x if need_x else None, grad_bias if need_bias else None, None


FLOPS = {"none": 5, "tanh": 10}  # an element: x + b and the formula above
FLOPS_BACKWARD = {"none": 11, "tanh": 18}


def _ledger(x: Tensor, bias: Tensor, approximate: str = "none") -> Ledger:
    n, z = x.numel(), imagine(x, *x.shape)
    steps = (
        entry("add", (x, bias), (z,), n),
        entry("gelu", (z,), (z,), n * (FLOPS[approximate] - 1)),
    )
    return entry("bias_gelu", (x, bias), (z,), n * FLOPS[approximate], steps)


def _ledger_backward(
    grad: Tensor,
    x: Tensor,
    bias: Tensor,
    approximate: str = "none",
    need_x: bool = True,
    need_bias: bool = True,
) -> Ledger:
    n, z, formula = x.numel(), imagine(x, *x.shape), FLOPS_BACKWARD[approximate]
    steps = [entry("add", (x, bias), (z,), n), entry("gelu_backward", (grad, z), (z,), n * (formula - 1))]
    writes = [z] if need_x else []
    if need_bias:
        steps.append(entry("sum", (z,), (bias,), n))
        writes.append(imagine(bias, *bias.shape))
    return entry("bias_gelu_backward", (grad, x, bias), writes, n * (formula + need_bias), tuple(steps))


bias_gelu_backward_operation = Operation(
    schema="bias_gelu_backward(Tensor grad, Tensor x, Tensor bias, str approximate, bool need_x, bool need_bias)"
    " -> (Tensor, Tensor)",
    launcher=_launch_backward,
    fake=_fake_backward,
    reference=reference_backward,
    ledger=_ledger_backward,
    kernels=with_types(bias_gelu_backward_kernel, 2, 2, 1, 2, 2, bool),
)

bias_gelu_operation = Operation(
    schema="bias_gelu(Tensor x, Tensor bias, str approximate) -> Tensor",
    launcher=_launch,
    fake=_fake,
    reference=reference,
    ledger=_ledger,
    gradient=Gradient(_setup_context, _backward),
    kernels=with_types(bias_gelu_kernel, 2, 1, 2, bool),
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
