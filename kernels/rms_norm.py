"""Root-mean-square normalization in one pass: y = w x r with r = 1/√(mean(x²) + ε), row by row.

With g the gradient of y, h = w g and the normalized row n = x r, the gradients are

    ∂x = r (h − n mean(h n)),     ∂w = Σ_rows g n.

The backward pass computes r again from x, which it must read anyway, instead of keeping it from the forward pass.

Ledger for n elements of s bytes in rows of `width`: fused reads x and w and writes y, (2n + width)s bytes. In plain
torch square, mean, add, rsqrt and two multiplications move (7n + width)s bytes, and a little for the rows' means.

Source: B. Zhang, R. Sennrich, Root Mean Square Layer Normalization, arXiv 1910.07467, equation 4.
"""

import math
from typing import Any

import numpy as np
import torch
from numba import prange
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function

from kernels.arguments import as_rows, check_eps, check_input, check_vector, follow_autocast, rounded, widened
from kernels.backend import cuda, gpu_kernel, launch, runs_on_gpu, threads_for, with_types
from kernels.lanes import MAX_THREADS, block_sum
from kernels.ledger import Ledger, entry, imagine
from kernels.op import Gradient, Operation
from kernels.twin import chunk_bounds, chunks, twin

MAX_BLOCKS = (
    1024  # a block takes several rows when there are more, and keeps one partial weight gradient for all
)


def reference(x: Tensor, weight: Tensor | None = None, eps: float = 1e-6) -> Tensor:
    """The same in plain torch, six operations; half types are computed in float32."""
    wide = widened(x)
    normed = wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + eps)
    return rounded(normed if weight is None else normed * weight, x.dtype)


def reference_backward(
    grad: Tensor,
    x: Tensor,
    weight: Tensor | None,
    eps: float,
    grad_sum: Tensor | None,
    need_x: bool,
    need_weight: bool,
) -> tuple[Tensor, Tensor]:
    """The gradients in plain torch; one that is not needed comes back empty."""
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


# ---- GPU: a block takes a row at a time; its threads stride over the columns and add up their shares


@gpu_kernel
def rms_norm_kernel(x, weight, out, eps):
    """x, out: (rows, width); weight: (width,), or empty for none."""
    scratch = cuda.shared.array(MAX_THREADS, x.dtype)
    real = x.dtype.type  # a bare 1.0 would make the GPU compute in float64
    for row in range(cuda.blockIdx.x, x.shape[0], cuda.gridDim.x):
        squares = real(0)
        for column in range(cuda.threadIdx.x, x.shape[1], cuda.blockDim.x):
            squares += x[row, column] * x[row, column]
        root = real(1) / math.sqrt(block_sum(squares, scratch) / real(x.shape[1]) + eps)
        for column in range(cuda.threadIdx.x, x.shape[1], cuda.blockDim.x):
            normed = x[row, column] * root
            out[row, column] = normed * weight[column] if weight.size else normed


@gpu_kernel
def rms_norm_backward_kernel(grad, x, weight, grad_sum, grad_x, partial, eps):
    """weight, grad_sum, grad_x and partial, which must start as zeros (blocks, width), may be empty."""
    scratch = cuda.shared.array(MAX_THREADS, x.dtype)
    real = x.dtype.type
    for row in range(cuda.blockIdx.x, x.shape[0], cuda.gridDim.x):
        squares, products = real(0), real(0)
        for column in range(cuda.threadIdx.x, x.shape[1], cuda.blockDim.x):
            scaled = grad[row, column] * weight[column] if weight.size else grad[row, column]
            squares += x[row, column] * x[row, column]
            products += scaled * x[row, column]
        root = real(1) / math.sqrt(block_sum(squares, scratch) / real(x.shape[1]) + eps)
        mean = block_sum(products, scratch) / real(x.shape[1]) * root
        for column in range(cuda.threadIdx.x, x.shape[1], cuda.blockDim.x):
            normed = x[row, column] * root
            if partial.size:
                partial[cuda.blockIdx.x, column] += grad[row, column] * normed
            if grad_x.size:
                scaled = grad[row, column] * weight[column] if weight.size else grad[row, column]
                slope = (scaled - normed * mean) * root
                grad_x[row, column] = slope + grad_sum[row, column] if grad_sum.size else slope


# ---- CPU: the second loop over a row finds it in cache


@twin
def rms_norm_twin(x, weight, out, eps):
    real = x.dtype.type
    width = x.shape[1]
    for row in prange(x.shape[0]):
        squares = real(0)
        for column in range(width):
            squares += x[row, column] * x[row, column]
        root = real(1 / math.sqrt(squares / width + eps))
        if weight.size:
            for column in range(width):
                out[row, column] = x[row, column] * root * weight[column]
        else:
            for column in range(width):
                out[row, column] = x[row, column] * root


@twin
def rms_norm_backward_twin(grad, x, weight, grad_sum, grad_x, partial, eps):
    """partial: (chunks, width), or (chunks, 0) if unused; weight, grad_sum and grad_x may be empty."""
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
            if weight.size:
                for column in range(width):
                    products += grad[row, column] * weight[column] * x[row, column]
            else:
                for column in range(width):
                    products += grad[row, column] * x[row, column]
            root = real(1 / math.sqrt(squares / width + eps))
            mean = real(products / width * root)
            for column in range(partial.shape[1]):
                partial[chunk, column] += grad[row, column] * (x[row, column] * root)
            if grad_x.size and weight.size:
                for column in range(width):
                    normed = x[row, column] * root
                    grad_x[row, column] = (grad[row, column] * weight[column] - normed * mean) * root
            elif grad_x.size:
                for column in range(width):
                    grad_x[row, column] = (grad[row, column] - x[row, column] * root * mean) * root
            if grad_x.size and grad_sum.size:
                for column in range(width):
                    grad_x[row, column] += grad_sum[row, column]


# ---- launchers: an argument left out is passed on as an empty tensor


def _launch(x: Tensor, weight: Tensor | None, eps: float) -> Tensor:
    wide = widened(x)
    out = torch.empty_like(wide)
    if out.numel():
        rows, out_rows = as_rows(wide), as_rows(out)
        scale = optional(weight, rows)
        if runs_on_gpu(x):
            launch(rms_norm_kernel, *grid(rows), rows, scale, out_rows, as_real(eps, rows))
        else:
            rms_norm_twin(rows, scale, out_rows, eps)
    return rounded(out, x.dtype)


def _launch_backward(
    grad: Tensor,
    x: Tensor,
    weight: Tensor | None,
    eps: float,
    grad_sum: Tensor | None,
    need_x: bool,
    need_weight: bool,
) -> tuple[Tensor, Tensor]:
    """The gradients of x and weight; one that is not needed comes back empty."""
    rows, grad_rows, scale = as_rows(widened(x)), as_rows(widened(grad)), optional(weight, widened(x))
    extra = rows.new_empty((0, 0)) if grad_sum is None else as_rows(widened(grad_sum))
    count, width = rows.shape
    grad_x = rows.new_empty((count if need_x else 0, width))
    if runs_on_gpu(x):
        partial = rows.new_zeros((min(count, MAX_BLOCKS) if need_weight else 0, width))
        if rows.numel():
            arguments = (grad_rows, rows, scale, extra, grad_x, partial, as_real(eps, rows))
            launch(rms_norm_backward_kernel, *grid(rows), *arguments)
    else:
        partial = rows.new_empty((chunks(count), width if need_weight else 0))
        if rows.numel():
            rms_norm_backward_twin(grad_rows, rows, scale, extra, grad_x, partial, eps)
    return (
        rounded(grad_x.view(x.shape), x.dtype) if need_x else x.new_empty(0),
        x.new_empty(0) if weight is None or not need_weight else rounded(partial.sum(0), weight.dtype),
    )


def optional(weight: Tensor | None, rows: Tensor) -> Tensor:
    """The weight in the rows' dtype, or an empty tensor for none."""
    return rows.new_empty(0) if weight is None else rounded(weight, rows.dtype).contiguous()


def as_real(eps: float, rows: Tensor) -> Any:
    """eps in the rows' dtype: a float64 would make the kernel compute in float64."""
    return np.float64(eps) if rows.dtype == torch.float64 else np.float32(eps)


def grid(rows: Tensor) -> tuple[tuple[int], tuple[int]]:
    """One block a row, up to MAX_BLOCKS, of as many threads as the row can use."""
    return (min(rows.shape[0], MAX_BLOCKS),), (threads_for(rows.shape[1], MAX_THREADS),)


# ---- the operation and its gradient


def _fake(x: Tensor, weight: Tensor | None, eps: float) -> Tensor:
    return x.new_empty(x.shape)


def _fake_backward(
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


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    x, weight, ctx.eps = inputs
    ctx.save_for_backward(x, weight)


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
    x, weight = ctx.saved_tensors
    need_x, need_weight, _ = ctx.needs_input_grad
    grad_x, grad_weight = rms_norm_backward_operation(grad, x, weight, ctx.eps, None, need_x, need_weight)
    return grad_x if need_x else None, grad_weight if need_weight else None, None


def norm_steps(x: Tensor, weight: Tensor | None) -> tuple[Ledger, ...]:
    """The unfused chain of `reference`."""
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


def _ledger(x: Tensor, weight: Tensor | None = None, eps: float | None = None) -> Ledger:
    steps = norm_steps(x, weight)
    return entry("rms_norm", (x, weight), (imagine(x, *x.shape),), sum(step.flops for step in steps), steps)


def _ledger_backward(
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
    steps, writes = list(norm_steps(x, None)), []
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
    launcher=_launch_backward,
    fake=_fake_backward,
    reference=reference_backward,
    ledger=_ledger_backward,
    kernels=with_types(rms_norm_backward_kernel, 2, 2, 1, 2, 2, 2, float),
)

rms_norm_operation = Operation(
    schema="rms_norm(Tensor x, Tensor? weight, float eps) -> Tensor",
    launcher=_launch,
    fake=_fake,
    reference=reference,
    ledger=_ledger,
    gradient=Gradient(_setup_context, _backward),
    kernels=with_types(rms_norm_kernel, 2, 1, 2, float),
)


def rms_norm(x: Tensor, weight: Tensor | None = None, eps: float | None = 1e-6) -> Tensor:
    """Divide each row of x by its root mean square and multiply by weight, in one pass.

    x: (..., width), weight: (width,) or None for ones; the result has x's shape and dtype. eps None is the machine
    epsilon of the dtype of sums, as in torch.nn.functional.rms_norm. Gradients flow to x and weight.

    Raises TypeError for a dtype and ValueError for a shape, device or eps that does not fit.
    Source: arXiv 1910.07467, equation 4.
    """
    if has_torch_function((x, weight)):
        return handle_torch_function(rms_norm, (x, weight), x, weight, eps)
    check_input("x", x)
    if weight is not None:
        check_input("weight", weight)
        x, weight = follow_autocast((x,), weight)
        check_vector("weight", weight, x)
    return rms_norm_operation(x, weight, check_eps(eps, x))
