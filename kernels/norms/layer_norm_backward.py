"""The gradients of layer normalization in one pass: with r = 1/√(σ² + ε), the normalized row n = (x − mean) r,
g the gradient of y = w n + b and h = w g,

    ∂x = r (h − mean(h) − n mean(h n)),     ∂w = Σ_rows g n,     ∂b = Σ_rows g.

Beside RMS normalization (rms_norm_backward.py) one more mean is taken out, because adding a number to a whole row
changes nothing. Mean and r are computed again from x, which must be read anyway, instead of being kept from the forward
pass. The sums over rows are taken in two rounds, within chunks of rows and then over the chunks, always in the same
order: the same bits every time.

Ledger for n elements of s bytes in rows of `width`: fused reads g, x and w and writes three gradients,
(3n + 3 width)s bytes; the unfused chain moves (29n + 3 width)s and a little for the rows' means.

Source: J. Ba, J. Kiros, G. Hinton, Layer Normalization, arXiv 1607.06450, section 3.
"""

import torch
from numba import prange
from torch import Tensor

from kernels.arguments import (
    as_real,
    as_rows,
    empty_rows,
    or_empty,
    rounded,
    sums_dtype,
    wide_or_full,
    widened,
)
from kernels.backend import cuda, gpu_kernel, launch, row_grid, runs_on_gpu
from kernels.lanes import MAX_THREADS, block_sum
from kernels.ledger import Ledger, entry, imagine
from kernels.loads import load4, real_of, store4
from kernels.norms.moments import cpu_moments, deviation, deviations4, gpu_moments
from kernels.norms.rms_norm_backward import add_to_share4, normalizing_steps, scaled4
from kernels.op import Operation
from kernels.partials import SUMMING, sum_over_rows
from kernels.promises import Promise, sums
from kernels.twin import chunk_bounds, chunks, twin


def reference(
    grad: Tensor,
    x: Tensor,
    weight: Tensor | None,
    eps: float,
    need_x: bool,
    need_weight: bool,
    bias_dtype: torch.dtype | None,
) -> tuple[Tensor, Tensor, Tensor]:
    """The same in plain torch; a gradient that is not needed comes back empty."""
    wide, wide_grad = widened(x), widened(grad)
    centered = wide - wide.mean(-1, keepdim=True)
    root = torch.rsqrt(centered.square().mean(-1, keepdim=True) + eps)
    normed = centered * root
    grad_x, grad_weight, grad_bias = (x.new_empty(0) for _ in range(3))
    if need_x:
        scaled = wide_grad if weight is None else wide_grad * weight
        slope = scaled - scaled.mean(-1, keepdim=True) - normed * (scaled * normed).mean(-1, keepdim=True)
        grad_x = rounded(slope * root, x.dtype)
    if need_weight and weight is not None:
        grad_weight = rounded((wide_grad * normed).flatten(0, -2).sum(0), weight.dtype)
    if bias_dtype is not None:
        grad_bias = rounded(wide_grad.flatten(0, -2).sum(0), bias_dtype)
    return grad_x, grad_weight, grad_bias


@gpu_kernel
def layer_norm_backward_kernel(grad, x, weight, grad_x, weight_partial, bias_partial, eps):
    """partials: (blocks, width), each block's shares; they, weight and grad_x may be empty."""
    real = real_of(x)
    first, step, width = 4 * cuda.threadIdx.x, 4 * cuda.blockDim.x, real(x.shape[1])
    for row in range(cuda.blockIdx.x, x.shape[0], cuda.gridDim.x):
        begins = row == cuda.blockIdx.x
        origin, offset, root = gpu_moments(x[row], eps)
        total, products = real(0), real(0)
        for column in range(first, x.shape[1], step):
            a, b, c, d = deviations4(x[row], column, origin, offset)
            scaled_a, scaled_b, scaled_c, scaled_d = scaled4(grad[row], weight, column, real(0))
            total += scaled_a + scaled_b + scaled_c + scaled_d
            products += scaled_a * a + scaled_b * b + scaled_c * c + scaled_d * d
        mean, slope = block_sum(total) / width, block_sum(products) / width * root
        for column in range(first, x.shape[1], step):
            a, b, c, d = deviations4(x[row], column, origin, offset)
            a, b, c, d = a * root, b * root, c * root, d * root
            grad_a, grad_b, grad_c, grad_d = load4(grad[row], column, real(0))
            if weight_partial.size:
                share = weight_partial[cuda.blockIdx.x]
                add_to_share4(share, column, begins, grad_a * a, grad_b * b, grad_c * c, grad_d * d)
            if bias_partial.size:
                share = bias_partial[cuda.blockIdx.x]
                add_to_share4(share, column, begins, grad_a, grad_b, grad_c, grad_d)
            if grad_x.size:
                scaled_a, scaled_b, scaled_c, scaled_d = scaled4(grad[row], weight, column, real(0))
                a, b = (scaled_a - mean - a * slope) * root, (scaled_b - mean - b * slope) * root
                c, d = (scaled_c - mean - c * slope) * root, (scaled_d - mean - d * slope) * root
                store4(grad_x[row], column, a, b, c, d)


@twin
def layer_norm_backward_twin(grad, x, weight, grad_x, weight_partial, bias_partial, eps):
    """partials: (chunks, width), or (chunks, 0) both if unused; grad_x may be empty, but not weight."""
    real = x.dtype.type
    rows, width = x.shape
    parts = weight_partial.shape[0]
    for chunk in prange(parts):
        first, end = chunk_bounds(chunk, parts, rows)
        weight_partial[chunk] = 0
        bias_partial[chunk] = 0
        for row in range(first, end):
            origin, offset, root = cpu_moments(x[row], eps)
            total, products = real(0), real(0)
            for column in range(width):
                scaled = grad[row, column] * weight[column]
                total += scaled
                products += scaled * deviation(x[row, column], origin, offset)
            mean, slope = total / real(width), products / real(width) * root
            for column in range(weight_partial.shape[1]):
                normed = deviation(x[row, column], origin, offset) * root
                weight_partial[chunk, column] += grad[row, column] * normed
                bias_partial[chunk, column] += grad[row, column]
            if grad_x.size:
                for column in range(width):
                    normed = deviation(x[row, column], origin, offset) * root
                    scaled = grad[row, column] * weight[column]
                    grad_x[row, column] = (scaled - mean - normed * slope) * root


def _launch(
    grad: Tensor,
    x: Tensor,
    weight: Tensor | None,
    eps: float,
    need_x: bool,
    need_weight: bool,
    bias_dtype: torch.dtype | None,
) -> tuple[Tensor, Tensor, Tensor]:
    width = x.shape[-1]
    if runs_on_gpu(x):
        rows, grad_x = as_rows(x.contiguous()), empty_rows(x) if need_x else x.new_empty((0, width))
        grid, block = row_grid(rows, MAX_THREADS, most_blocks=512)
        shares = [
            x.new_empty((grid[0], width if needed else 0), dtype=sums_dtype(x.dtype))
            for needed in (need_weight, bias_dtype is not None)
        ]
        tensors = as_rows(grad.contiguous()), rows, or_empty(weight, rows), as_rows(grad_x), *shares
        launch(layer_norm_backward_kernel, grid, block, *tensors, as_real(eps, rows))
    else:
        wide = widened(x)
        grad_x = torch.empty_like(wide) if need_x else wide.new_empty(0, width)
        parts = chunks(wide.numel() // max(width, 1))
        learned = need_weight or bias_dtype is not None
        # the twin takes both sums or none: one of them is a rare wish, and costs little more than both
        shares = [wide.new_empty(parts, width if learned else 0) for _ in range(2)]
        inputs = as_rows(widened(grad)), as_rows(wide), wide_or_full(weight, wide, 1.0)
        layer_norm_backward_twin(*inputs, as_rows(grad_x), *shares, eps)
    return (
        rounded(grad_x, x.dtype) if need_x else x.new_empty(0),
        sum_over_rows(shares[0], weight.dtype) if need_weight and weight is not None else x.new_empty(0),
        x.new_empty(0) if bias_dtype is None else sum_over_rows(shares[1], bias_dtype),
    )


def _fake(
    grad: Tensor,
    x: Tensor,
    weight: Tensor | None,
    eps: float,
    need_x: bool,
    need_weight: bool,
    bias_dtype: torch.dtype | None,
) -> tuple[Tensor, Tensor, Tensor]:
    return (
        x.new_empty(x.shape if need_x else 0),
        weight.new_empty(weight.shape) if need_weight and weight is not None else x.new_empty(0),
        x.new_empty(0) if bias_dtype is None else x.new_empty(x.shape[-1:], dtype=bias_dtype),
    )


def centering_steps(x: Tensor) -> tuple[Ledger, ...]:
    """The unfused chain from x to x − mean."""
    n, rows = x.numel(), x.numel() // max(x.shape[-1], 1)
    full, means = imagine(x, *x.shape), imagine(x, *x.shape[:-1], 1)
    return entry("mean", (x,), (means,), n + rows), entry("sub", (x, means), (full,), n)


def _ledger(
    grad: Tensor,
    x: Tensor,
    weight: Tensor | None = None,
    eps: float = 1e-5,
    need_x: bool = True,
    need_weight: bool = True,
    bias_dtype: torch.dtype | None = None,
) -> Ledger:
    n, rows = x.numel(), x.numel() // max(x.shape[-1], 1)
    full, means = imagine(x, *x.shape), imagine(x, *x.shape[:-1], 1)
    steps, writes = [*centering_steps(x), *normalizing_steps(full, None)], []
    if need_x:
        steps += [] if weight is None else [entry("mul", (grad, weight), (full,), n)]
        steps += [
            entry("mean", (full,), (means,), n + rows),
            entry("sub", (full, means), (full,), n),
            entry("mul", (full, full), (full,), n),
            entry("mean", (full,), (means,), n + rows),
            entry("mul", (full, means), (full,), n),
            entry("sub", (full, full), (full,), n),
            entry("mul", (full, means), (full,), n),
        ]
        writes.append(full)
    if need_weight and weight is not None:
        grad_weight = imagine(weight, *weight.shape)
        steps += [entry("mul", (grad, full), (full,), n), entry("sum", (full,), (grad_weight,), n)]
        writes.append(grad_weight)
    if bias_dtype is not None:
        grad_bias = imagine(x, *x.shape[-1:], dtype=bias_dtype)
        steps.append(entry("sum", (grad,), (grad_bias,), n))
        writes.append(grad_bias)
    flops = sum(step.flops for step in steps)
    return entry("layer_norm_backward", (grad, x, weight), writes, flops, tuple(steps))


layer_norm_backward_operation = Operation(
    schema="layer_norm_backward(Tensor grad, Tensor x, Tensor? weight, float eps, bool need_x, bool need_weight,"
    " ScalarType? bias_dtype) -> (Tensor, Tensor, Tensor)",
    launcher=_launch,
    fake=_fake,
    reference=reference,
    ledger=_ledger,
    promises=(
        Promise(
            layer_norm_backward_kernel,
            (2, 2, 1, 2, sums(2), sums(2), float),
            threads=MAX_THREADS,
            load_bytes=16,
            occupancy=0.5,
        ),
        SUMMING,
    ),
)
