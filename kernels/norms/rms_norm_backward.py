"""The gradients of RMS normalization in one pass: with r = 1/√(mean(x²) + ε) and the normalized row n = x r,
g the gradient of y = w n and h = w g,

    ∂x = r (h − n mean(h n)),     ∂w = Σ_rows g n.

r is computed again from x, which must be read anyway, instead of being kept from the forward pass. The sum over rows is
taken in two rounds, within chunks of rows and then over the chunks, always in the same order: the same bits every time.
Where the row was first a sum whose own gradient is known (add_rms_norm.py), ∂x is added to that in passing.

Ledger for n elements of s bytes in rows of `width`: fused reads g, x and w and writes both gradients,
(3n + 2 width)s bytes; the unfused chain moves (22n + 2 width)s and a little for the rows' means.

Source: B. Zhang, R. Sennrich, Root Mean Square Layer Normalization, arXiv 1910.07467, section 4.
"""

import math

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
from kernels.backend import cuda, device_function, gpu_kernel, launch, row_grid, runs_on_gpu
from kernels.lanes import MAX_THREADS, block_sum
from kernels.ledger import Ledger, entry, imagine
from kernels.loads import load4, real_of, store4
from kernels.op import Operation
from kernels.partials import SUMMING, sum_over_rows
from kernels.promises import Promise, sums
from kernels.twin import chunk_bounds, chunks, twin


def reference(
    grad: Tensor,
    x: Tensor,
    weight: Tensor | None,
    eps: float,
    grad_sum: Tensor | None,
    need_x: bool,
    need_weight: bool,
) -> tuple[Tensor, Tensor]:
    """The same in plain torch; a gradient that is not needed comes back empty."""
    wide, wide_grad = widened(x), widened(grad)
    root = torch.rsqrt(wide.square().mean(-1, keepdim=True) + eps)
    normed = wide * root
    grad_x, grad_weight = x.new_empty(0), x.new_empty(0)
    if need_x:
        scaled = wide_grad if weight is None else wide_grad * weight
        slope = (scaled - normed * (scaled * normed).mean(-1, keepdim=True)) * root
        grad_x = rounded(slope if grad_sum is None else slope + grad_sum, x.dtype)
    if need_weight and weight is not None:
        grad_weight = rounded((wide_grad * normed).flatten(0, -2).sum(0), weight.dtype)
    return grad_x, grad_weight


@device_function
def scaled4(grad, weight, column, zero):
    """Four elements of w g; without a weight, of g."""
    a, b, c, d = load4(grad, column, zero)
    if weight.size:
        weight_a, weight_b, weight_c, weight_d = load4(weight, column, zero)
        a, b, c, d = a * weight_a, b * weight_b, c * weight_c, d * weight_d
    return a, b, c, d


@device_function
def add_to_share4(share, column, begins, a, b, c, d):
    """Add four numbers to a block's share of a sum over rows; its first row begins the sums."""
    if not begins:
        sum_a, sum_b, sum_c, sum_d = load4(share, column, type(a)(0))
        a, b, c, d = a + sum_a, b + sum_b, c + sum_c, d + sum_d
    store4(share, column, a, b, c, d)


@gpu_kernel
def rms_norm_backward_kernel(grad, x, weight, grad_sum, grad_x, partial, eps):
    """partial: (blocks, width), each block's share of the weight gradient; all but grad and x may be empty."""
    real = real_of(x)
    first, step = 4 * cuda.threadIdx.x, 4 * cuda.blockDim.x
    for row in range(cuda.blockIdx.x, x.shape[0], cuda.gridDim.x):
        squares, products = real(0), real(0)
        for column in range(first, x.shape[1], step):
            a, b, c, d = load4(x[row], column, real(0))
            scaled_a, scaled_b, scaled_c, scaled_d = scaled4(grad[row], weight, column, real(0))
            squares += a * a + b * b + c * c + d * d
            products += scaled_a * a + scaled_b * b + scaled_c * c + scaled_d * d
        root = real(1) / math.sqrt(block_sum(squares) / real(x.shape[1]) + eps)
        mean = block_sum(products) / real(x.shape[1]) * root
        for column in range(first, x.shape[1], step):
            a, b, c, d = load4(x[row], column, real(0))
            a, b, c, d = a * root, b * root, c * root, d * root
            if partial.size:
                share, begins = partial[cuda.blockIdx.x], row == cuda.blockIdx.x
                grad_a, grad_b, grad_c, grad_d = load4(grad[row], column, real(0))
                add_to_share4(share, column, begins, grad_a * a, grad_b * b, grad_c * c, grad_d * d)
            if grad_x.size:
                scaled_a, scaled_b, scaled_c, scaled_d = scaled4(grad[row], weight, column, real(0))
                a, b = (scaled_a - a * mean) * root, (scaled_b - b * mean) * root
                c, d = (scaled_c - c * mean) * root, (scaled_d - d * mean) * root
                if grad_sum.size:
                    sum_a, sum_b, sum_c, sum_d = load4(grad_sum[row], column, real(0))
                    a, b, c, d = a + sum_a, b + sum_b, c + sum_c, d + sum_d
                store4(grad_x[row], column, a, b, c, d)


@twin
def rms_norm_backward_twin(grad, x, weight, grad_sum, grad_x, partial, eps):
    """partial: (chunks, width), or (chunks, 0) if unused; grad_sum and grad_x may be empty, but not weight."""
    real = x.dtype.type
    rows, width = x.shape
    parts = partial.shape[0]
    for chunk in prange(parts):
        first, end = chunk_bounds(chunk, parts, rows)
        partial[chunk] = 0
        for row in range(first, end):
            squares, products = real(0), real(0)
            for column in range(width):
                squares += x[row, column] * x[row, column]
                products += grad[row, column] * weight[column] * x[row, column]
            root = real(1) / math.sqrt(squares / real(width) + real(eps))
            mean = products / real(width) * root
            for column in range(partial.shape[1]):
                partial[chunk, column] += grad[row, column] * (x[row, column] * root)
            if grad_x.size:
                for column in range(width):
                    normed = x[row, column] * root
                    grad_x[row, column] = (grad[row, column] * weight[column] - normed * mean) * root
            if grad_x.size and grad_sum.size:
                for column in range(width):
                    grad_x[row, column] += grad_sum[row, column]


def _launch(
    grad: Tensor,
    x: Tensor,
    weight: Tensor | None,
    eps: float,
    grad_sum: Tensor | None,
    need_x: bool,
    need_weight: bool,
) -> tuple[Tensor, Tensor]:
    width, nothing = x.shape[-1], x.new_empty(0)
    if runs_on_gpu(x):
        rows, grad_x = as_rows(x.contiguous()), empty_rows(x) if need_x else x.new_empty((0, width))
        grid, block = row_grid(rows, MAX_THREADS, most_blocks=512)
        partial = x.new_empty((grid[0] if need_weight else 0, width), dtype=sums_dtype(x.dtype))
        extra = rows.new_empty((0, 0)) if grad_sum is None else as_rows(grad_sum.contiguous())
        inputs = as_rows(grad.contiguous()), rows, or_empty(weight, rows), extra
        launch(rms_norm_backward_kernel, grid, block, *inputs, as_rows(grad_x), partial, as_real(eps, rows))
    else:
        wide = widened(x)
        grad_x = torch.empty_like(wide) if need_x else wide.new_empty(0, width)
        partial = wide.new_empty(chunks(wide.numel() // max(width, 1)), width if need_weight else 0)
        extra = wide.new_empty(0, 0) if grad_sum is None else as_rows(widened(grad_sum))
        inputs = as_rows(widened(grad)), as_rows(wide), wide_or_full(weight, wide, 1.0), extra
        rms_norm_backward_twin(*inputs, as_rows(grad_x), partial, eps)
    return (
        rounded(grad_x, x.dtype) if need_x else nothing,
        nothing if weight is None or not need_weight else sum_over_rows(partial, weight.dtype),
    )


def _fake(
    grad: Tensor,
    x: Tensor,
    weight: Tensor | None,
    eps: float,
    grad_sum: Tensor | None,
    need_x: bool,
    need_weight: bool,
) -> tuple[Tensor, Tensor]:
    grad_weight = x.new_empty(0) if weight is None or not need_weight else weight.new_empty(weight.shape)
    return x.new_empty(x.shape if need_x else 0), grad_weight


def normalizing_steps(x: Tensor, weight: Tensor | None) -> tuple[Ledger, ...]:
    """The unfused chain from x to w x r."""
    n, rows = x.numel(), x.numel() // max(x.shape[-1], 1)
    full, means = imagine(x, *x.shape), imagine(x, *x.shape[:-1], 1)
    steps = (
        entry("square", (x,), (full,), n),
        entry("mean", (full,), (means,), n + rows),
        entry("add", (means,), (means,), rows),
        entry("rsqrt", (means,), (means,), rows),
        entry("mul", (x, means), (full,), n),
    )
    return steps if weight is None else (*steps, entry("mul", (full, weight), (full,), n))


def _ledger(
    grad: Tensor,
    x: Tensor,
    weight: Tensor | None = None,
    eps: float | None = None,
    grad_sum: Tensor | None = None,
    need_x: bool = True,
    need_weight: bool = True,
) -> Ledger:
    n, rows = x.numel(), x.numel() // max(x.shape[-1], 1)
    full, means = imagine(x, *x.shape), imagine(x, *x.shape[:-1], 1)
    steps, writes = list(normalizing_steps(x, None)), []
    if need_x:
        steps += [] if weight is None else [entry("mul", (grad, weight), (full,), n)]
        steps += [
            entry("mul", (full, full), (full,), n),
            entry("mean", (full,), (means,), n + rows),
            entry("mul", (full, means), (full,), n),
            entry("sub", (full, full), (full,), n),
            entry("mul", (full, means), (full,), n),
        ]
        steps += [] if grad_sum is None else [entry("add", (full, grad_sum), (full,), n)]
        writes.append(full)
    if need_weight and weight is not None:
        grad_weight = imagine(weight, *weight.shape)
        steps += [entry("mul", (grad, full), (full,), n), entry("sum", (full,), (grad_weight,), n)]
        writes.append(grad_weight)
    reads, flops = (grad, x, weight, grad_sum), sum(step.flops for step in steps)
    return entry("rms_norm_backward", reads, writes, flops, tuple(steps))


rms_norm_backward_operation = Operation(
    schema="rms_norm_backward(Tensor grad, Tensor x, Tensor? weight, float eps, Tensor? grad_sum, bool need_x,"
    " bool need_weight) -> (Tensor, Tensor)",
    launcher=_launch,
    fake=_fake,
    reference=reference,
    ledger=_ledger,
    promises=(
        Promise(
            rms_norm_backward_kernel,
            (2, 2, 1, 2, 2, sums(2), float),
            threads=MAX_THREADS,
            load_bytes=16,
            occupancy=0.5,
        ),
        SUMMING,
    ),
)
