"""Residual addition and RMS normalization in one pass: s = x + residual, y = w s / √(mean(s²) + ε).

Transformers do this before every attention and every feed-forward layer, and need both results: y goes into the
layer, s on along the residual stream. The sum's gradient arrives from both, through the normalization (see rms_norm.py)
and directly; x and residual get the same.

Ledger for n elements of s bytes in rows of `width`: fused reads x, residual and w and writes both results,
(4n + width)s bytes. Unfused, the addition moves 3n and the normalization 7n + width elements.

Source: B. Zhang, R. Sennrich, Root Mean Square Layer Normalization, arXiv 1910.07467; fused with the residual as in
Liger Kernel, arXiv 2410.10989, section 3.2.
"""

import math
from typing import Any

import torch
from numba import prange
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function

from kernels.arguments import (
    as_real,
    as_rows,
    check_alike,
    check_eps,
    check_input,
    check_vector,
    empty_rows,
    follow_autocast,
    or_empty,
    rounded,
    wide_or_full,
    widened,
)
from kernels.backend import cuda, gpu_kernel, launch, row_grid, runs_on_gpu
from kernels.lanes import MAX_THREADS, block_sum
from kernels.ledger import Ledger, entry, imagine
from kernels.loads import load4, real_of, store4
from kernels.norms.rms_norm import reference as rms_norm_reference
from kernels.norms.rms_norm_backward import normalizing_steps, rms_norm_backward_operation
from kernels.op import Gradient, Operation
from kernels.promises import Promise
from kernels.twin import twin


def reference(
    x: Tensor, residual: Tensor, weight: Tensor | None = None, eps: float = 1e-6
) -> tuple[Tensor, Tensor]:
    """The same in plain torch; half types are added and normalized in float32, then rounded."""
    summed = widened(x) + widened(residual)
    return rounded(rms_norm_reference(summed, weight, eps), x.dtype), rounded(summed, x.dtype)


@gpu_kernel
def add_rms_norm_kernel(x, residual, weight, normed, summed, eps):
    """All (rows, width) but weight, (width,) or empty. Each thread reads back only the sums it wrote itself."""
    real = real_of(x)
    first, step = 4 * cuda.threadIdx.x, 4 * cuda.blockDim.x
    for row in range(cuda.blockIdx.x, x.shape[0], cuda.gridDim.x):
        squares = real(0)
        for column in range(first, x.shape[1], step):
            a, b, c, d = load4(x[row], column, real(0))
            more_a, more_b, more_c, more_d = load4(residual[row], column, real(0))
            a, b, c, d = a + more_a, b + more_b, c + more_c, d + more_d
            store4(summed[row], column, a, b, c, d)
            squares += a * a + b * b + c * c + d * d
        root = real(1) / math.sqrt(block_sum(squares) / real(x.shape[1]) + eps)
        for column in range(first, x.shape[1], step):
            a, b, c, d = load4(summed[row], column, real(0))
            a, b, c, d = a * root, b * root, c * root, d * root
            if weight.size:
                weight_a, weight_b, weight_c, weight_d = load4(weight, column, real(0))
                a, b, c, d = a * weight_a, b * weight_b, c * weight_c, d * weight_d
            store4(normed[row], column, a, b, c, d)


@twin
def add_rms_norm_twin(x, residual, weight, normed, summed, eps):
    """Ones stand for a weight left out."""
    real = x.dtype.type
    for row in prange(x.shape[0]):
        squares = real(0)
        for column in range(x.shape[1]):
            total = x[row, column] + residual[row, column]
            summed[row, column] = total
            squares += total * total
        root = real(1) / math.sqrt(squares / real(x.shape[1]) + real(eps))
        for column in range(x.shape[1]):
            normed[row, column] = summed[row, column] * root * weight[column]


def _launch(x: Tensor, residual: Tensor, weight: Tensor | None, eps: float) -> tuple[Tensor, Tensor]:
    if runs_on_gpu(x):
        normed, summed, rows = empty_rows(x), empty_rows(x), as_rows(x.contiguous())
        inputs = rows, as_rows(residual.contiguous()), or_empty(weight, rows)
        outputs = as_rows(normed), as_rows(summed)
        launch(add_rms_norm_kernel, *row_grid(rows, MAX_THREADS), *inputs, *outputs, as_real(eps, rows))
        return normed, summed
    wide = widened(x)
    normed, summed = torch.empty_like(wide), torch.empty_like(wide)
    inputs = as_rows(wide), as_rows(widened(residual)), wide_or_full(weight, wide, 1.0)
    add_rms_norm_twin(*inputs, as_rows(normed), as_rows(summed), eps)
    return rounded(normed, x.dtype), rounded(summed, x.dtype)


def _fake(x: Tensor, residual: Tensor, weight: Tensor | None, eps: float) -> tuple[Tensor, Tensor]:
    return x.new_empty(x.shape), x.new_empty(x.shape)


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    _, _, weight, ctx.eps = inputs
    ctx.save_for_backward(output[1], weight)  # the sum is all that the backward pass needs of x and residual
    ctx.set_materialize_grads(False)  # a result that is not used has no gradient, rather than one of zeros


def _backward(ctx: Any, grad_normed: Tensor | None, grad_summed: Tensor | None) -> tuple[Tensor | None, ...]:
    summed, weight = ctx.saved_tensors
    need_x, need_residual, need_weight, _ = ctx.needs_input_grad
    if grad_normed is None:  # only the sum was used
        return grad_summed if need_x else None, grad_summed if need_residual else None, None, None
    grad_x, grad_weight = rms_norm_backward_operation(
        grad_normed, summed, weight, ctx.eps, grad_summed, need_x or need_residual, need_weight
    )
    return (
        grad_x if need_x else None,
        grad_x if need_residual else None,
        grad_weight if need_weight else None,
        None,
    )


def _ledger(x: Tensor, residual: Tensor, weight: Tensor | None = None, eps: float | None = None) -> Ledger:
    full = imagine(x, *x.shape)
    steps = (entry("add", (x, residual), (full,), x.numel()), *normalizing_steps(full, weight))
    return entry(
        "add_rms_norm", (x, residual, weight), (full, full), sum(step.flops for step in steps), steps
    )


add_rms_norm_operation = Operation(
    schema="add_rms_norm(Tensor x, Tensor residual, Tensor? weight, float eps) -> (Tensor, Tensor)",
    launcher=_launch,
    fake=_fake,
    reference=reference,
    ledger=_ledger,
    gradient=Gradient(_setup_context, _backward),
    promises=(
        Promise(
            add_rms_norm_kernel, (2, 2, 1, 2, 2, float), threads=MAX_THREADS, load_bytes=16, occupancy=0.625
        ),
    ),
)


def add_rms_norm(
    x: Tensor, residual: Tensor, weight: Tensor | None = None, eps: float | None = 1e-6
) -> tuple[Tensor, Tensor]:
    """Add the residual, then normalize the sum by its root mean square: returns (normed, summed).

    x, residual: (..., width) alike in shape, dtype and device; weight: (width,) or None for ones; both results have
    x's shape and dtype. eps as in `rms_norm`. Gradients flow to x, residual and weight.

    Raises TypeError for a dtype and ValueError for a shape, device or eps that does not fit.
    Source: arXiv 1910.07467, equation 4.
    """
    if has_torch_function((x, residual, weight)):
        return handle_torch_function(add_rms_norm, (x, residual, weight), x, residual, weight, eps)
    check_input("x", x)
    check_input("residual", residual)
    if weight is not None:
        check_input("weight", weight)
    x, residual, weight = follow_autocast((x, residual), weight)
    check_alike("residual", residual, x)
    if weight is not None:
        check_vector("weight", weight, x)
    return add_rms_norm_operation(x, residual, weight, check_eps(eps, x))
