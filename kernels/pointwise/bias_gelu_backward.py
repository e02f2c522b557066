"""The gradients of bias and GELU in one pass: with z = x + b and g the gradient of y = GELU(z),

    ∂x = g GELU′(z),     ∂b = Σ_rows ∂x.

z is computed again rather than kept. The sum over rows is taken in two rounds, within blocks of rows and then over the
blocks, always in the same order: no atomic additions, so the same bits every time.

Ledger for n elements of s bytes in rows of `width`: fused reads g, x and b and writes both gradients,
(3n + 2 width)s bytes; unfused, add, gelu_backward and sum move (6n + 2 width)s.
"""

import torch
from numba import prange
from torch import Tensor

from kernels.arguments import as_rows, empty_rows, rounded, sums_dtype, widened
from kernels.backend import cuda, gpu_kernel, launch, runs_on_gpu, tile_grid
from kernels.ledger import Ledger, entry, imagine
from kernels.loads import load4, real_of, store4
from kernels.op import Operation
from kernels.partials import SUMMING, sum_over_rows
from kernels.pointwise.gelu import cpu_slope, cpu_slope_tanh, gpu_slope, gpu_slope_tanh
from kernels.promises import Promise, sums
from kernels.twin import chunk_bounds, chunks, twin

FLOPS = {"none": 11, "tanh": 18}  # an element: x + b, the slope, and g times it


def reference(
    grad: Tensor, x: Tensor, bias: Tensor, approximate: str, need_x: bool, need_bias: bool
) -> tuple[Tensor, Tensor]:
    """The same in plain torch; a gradient that is not needed comes back empty."""
    grad_x = torch.ops.aten.gelu_backward(grad, x + bias.to(x.dtype), approximate=approximate)
    grad_bias = grad_x.sum_to_size(bias.shape).to(bias.dtype) if need_bias else bias.new_empty(0)
    return grad_x if need_x else x.new_empty(0), grad_bias


@gpu_kernel
def bias_gelu_backward_kernel(grad, x, bias, grad_x, partial, tanh):
    """partial: (threads down, width), each one's share of the bias gradient; it or grad_x may be empty."""
    column, first = cuda.grid(2)
    column *= 4
    if column < x.shape[1]:
        zero = real_of(x)(0)
        bias_a, bias_b, bias_c, bias_d = load4(bias, column, zero)
        sum_a, sum_b, sum_c, sum_d = zero, zero, zero, zero
        for row in range(first, x.shape[0], cuda.gridsize(2)[1]):
            a, b, c, d = load4(x[row], column, zero)
            a, b, c, d = a + bias_a, b + bias_b, c + bias_c, d + bias_d
            if tanh:
                a, b, c, d = gpu_slope_tanh(a), gpu_slope_tanh(b), gpu_slope_tanh(c), gpu_slope_tanh(d)
            else:
                a, b, c, d = gpu_slope(a), gpu_slope(b), gpu_slope(c), gpu_slope(d)
            grad_a, grad_b, grad_c, grad_d = load4(grad[row], column, zero)
            a, b, c, d = grad_a * a, grad_b * b, grad_c * c, grad_d * d
            if grad_x.size:
                store4(grad_x[row], column, a, b, c, d)
            sum_a, sum_b, sum_c, sum_d = sum_a + a, sum_b + b, sum_c + c, sum_d + d
        if partial.size:
            store4(partial[first], column, sum_a, sum_b, sum_c, sum_d)


@twin
def bias_gelu_backward_twin(grad, x, bias, grad_x, partial, tanh):
    """partial: (chunks, width), or (chunks, 0) if unused; grad_x: (chunks, width), scratch, if not wanted."""
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


def _launch(
    grad: Tensor, x: Tensor, bias: Tensor, approximate: str, need_x: bool, need_bias: bool
) -> tuple[Tensor, Tensor]:
    tanh, width = approximate == "tanh", x.shape[-1]
    nothing = x.new_empty(0)
    if runs_on_gpu(x):
        rows, grad_x = as_rows(x.contiguous()), empty_rows(x) if need_x else x.new_empty((0, width))
        grid, block = tile_grid(rows, most_down=256)
        partial = x.new_empty((grid[1] * block[1] if need_bias else 0, width), dtype=sums_dtype(x.dtype))
        tensors = as_rows(grad.contiguous()), rows, bias.contiguous(), as_rows(grad_x), partial
        launch(bias_gelu_backward_kernel, grid, block, *tensors, tanh)
        return grad_x if need_x else nothing, sum_over_rows(partial, bias.dtype) if need_bias else nothing
    wide = widened(x)
    parts = chunks(wide.numel() // max(width, 1))
    grad_x = torch.empty_like(wide) if need_x else wide.new_empty(parts, width)
    partial = wide.new_empty(parts, width if need_bias else 0)
    tensors = as_rows(widened(grad)), as_rows(wide), widened(bias), as_rows(grad_x), partial
    bias_gelu_backward_twin(*tensors, tanh)
    return (
        rounded(grad_x, x.dtype) if need_x else nothing,
        sum_over_rows(partial, bias.dtype) if need_bias else nothing,
    )


def _fake(
    grad: Tensor, x: Tensor, bias: Tensor, approximate: str, need_x: bool, need_bias: bool
) -> tuple[Tensor, Tensor]:
    return x.new_empty(x.shape if need_x else 0), bias.new_empty(bias.shape if need_bias else 0)


def _ledger(
    grad: Tensor,
    x: Tensor,
    bias: Tensor,
    approximate: str = "none",
    need_x: bool = True,
    need_bias: bool = True,
) -> Ledger:
    n, full, flops = x.numel(), imagine(x, *x.shape), FLOPS[approximate]
    steps = [
        entry("add", (x, bias), (full,), n),
        entry("gelu_backward", (grad, full), (full,), n * (flops - 1)),
    ]
    writes = [full] if need_x else []
    if need_bias:
        grad_bias = imagine(bias, *bias.shape)
        steps.append(entry("sum", (full,), (grad_bias,), n))
        writes.append(grad_bias)
    return entry("bias_gelu_backward", (grad, x, bias), writes, n * (flops + need_bias), tuple(steps))


bias_gelu_backward_operation = Operation(
    schema="bias_gelu_backward(Tensor grad, Tensor x, Tensor bias, str approximate, bool need_x, bool need_bias)"
    " -> (Tensor, Tensor)",
    launcher=_launch,
    fake=_fake,
    reference=reference,
    ledger=_ledger,
    promises=(
        Promise(
            bias_gelu_backward_kernel, (2, 2, 1, 2, sums(2), bool), threads=256, load_bytes=16, occupancy=0.75
        ),
        SUMMING,
    ),
)
