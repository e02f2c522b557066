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

from kernels.arguments import as_rows, rounded, widened
from kernels.backend import column_grid, cuda, gpu_kernel, launch, runs_on_gpu, with_types
from kernels.ledger import Ledger, entry, imagine
from kernels.op import Operation
from kernels.pointwise.gelu import cpu_slope, cpu_slope_tanh, gpu_slope, gpu_slope_tanh
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
    """partial: (row blocks, width), each block's share of the bias gradient; it or grad_x may be empty."""
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
    wide, wide_grad, wide_bias, tanh = widened(x), widened(grad), widened(bias), approximate == "tanh"
    rows, width = as_rows(wide), wide.shape[-1]
    if runs_on_gpu(x):
        grid, block = column_grid(rows)
        grad_x = torch.empty_like(wide) if need_x else wide.new_empty((0, width))
        partial = wide.new_empty((grid[1] if need_bias else 0, width))
        if wide.numel():
            tensors = (as_rows(wide_grad), rows, wide_bias, as_rows(grad_x), partial)
            launch(bias_gelu_backward_kernel, grid, block, *tensors, tanh)
    else:
        parts = chunks(rows.shape[0])
        grad_x = torch.empty_like(wide) if need_x else wide.new_empty((parts, width))
        partial = wide.new_empty((parts, width if need_bias else 0))
        if wide.numel():
            bias_gelu_backward_twin(as_rows(wide_grad), rows, wide_bias, as_rows(grad_x), partial, tanh)
    return (
        rounded(grad_x, x.dtype) if need_x else x.new_empty(0),
        rounded(partial.sum(0), bias.dtype) if need_bias else bias.new_empty(0),
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
    kernels=with_types(bias_gelu_backward_kernel, 2, 2, 1, 2, 2, bool),
)
