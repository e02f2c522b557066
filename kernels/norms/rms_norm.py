"""Root-mean-square normalization in one pass: y = w x r with r = 1/√(mean(x²) + ε), row by row.

Ledger for n elements of s bytes in rows of `width`: fused reads x and w and writes y, (2n + width)s bytes. In plain
torch square, mean, add, rsqrt and two multiplications move (7n + width)s bytes, and a little for the rows' means.

Source: B. Zhang, R. Sennrich, Root Mean Square Layer Normalization, arXiv 1910.07467, equation 4.
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
from kernels.norms.rms_norm_backward import normalizing_steps, rms_norm_backward_operation
from kernels.op import Gradient, Operation
from kernels.promises import Promise
from kernels.twin import twin


def reference(x: Tensor, weight: Tensor | None = None, eps: float = 1e-6) -> Tensor:
    """The same in plain torch, six operations; half types are computed in float32."""
    wide = widened(x)
    normed = wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + eps)
    return rounded(normed if weight is None else normed * weight, x.dtype)


@gpu_kernel
def rms_norm_kernel(x, weight, out, eps):  # (rows, width), (width,) or empty for none, (rows, width)
    """A block takes a row at a time; its threads stride over the columns by fours and add up their shares."""
    real = real_of(x)  # a bare 1.0 would make the GPU compute in float64
    first, step = 4 * cuda.threadIdx.x, 4 * cuda.blockDim.x
    for row in range(cuda.blockIdx.x, x.shape[0], cuda.gridDim.x):
        squares = real(0)
        for column in range(first, x.shape[1], step):
            a, b, c, d = load4(x[row], column, real(0))
            squares += a * a + b * b + c * c + d * d
        root = real(1) / math.sqrt(block_sum(squares) / real(x.shape[1]) + eps)
        for column in range(first, x.shape[1], step):
            a, b, c, d = load4(x[row], column, real(0))
            a, b, c, d = a * root, b * root, c * root, d * root
            if weight.size:
                weight_a, weight_b, weight_c, weight_d = load4(weight, column, real(0))
                a, b, c, d = a * weight_a, b * weight_b, c * weight_c, d * weight_d
            store4(out[row], column, a, b, c, d)


@twin
def rms_norm_twin(x, weight, out, eps):
    """The second loop over a row finds it in cache; ones stand for a weight left out."""
    real = x.dtype.type
    for row in prange(x.shape[0]):
        squares = real(0)
        for column in range(x.shape[1]):
            squares += x[row, column] * x[row, column]
        root = real(1) / math.sqrt(squares / real(x.shape[1]) + real(eps))
        for column in range(x.shape[1]):
            out[row, column] = x[row, column] * root * weight[column]


def _launch(x: Tensor, weight: Tensor | None, eps: float) -> Tensor:
    if runs_on_gpu(x):
        out, rows = empty_rows(x), as_rows(x.contiguous())
        tensors = rows, or_empty(weight, rows), as_rows(out)
        launch(rms_norm_kernel, *row_grid(rows, MAX_THREADS), *tensors, as_real(eps, rows))
        return out
    wide = widened(x)
    out = torch.empty_like(wide)
    rms_norm_twin(as_rows(wide), wide_or_full(weight, wide, 1.0), as_rows(out), eps)
    return rounded(out, x.dtype)


def _fake(x: Tensor, weight: Tensor | None, eps: float) -> Tensor:
    return x.new_empty(x.shape)


def _ledger(x: Tensor, weight: Tensor | None = None, eps: float | None = None) -> Ledger:
    steps = normalizing_steps(x, weight)
    return entry("rms_norm", (x, weight), (imagine(x, *x.shape),), sum(step.flops for step in steps), steps)


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    x, weight, ctx.eps = inputs
    ctx.save_for_backward(x, weight)


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
    x, weight = ctx.saved_tensors
    need_x, need_weight, _ = ctx.needs_input_grad
    grad_x, grad_weight = rms_norm_backward_operation(grad, x, weight, ctx.eps, None, need_x, need_weight)
    return grad_x if need_x else None, grad_weight if need_weight else None, None


rms_norm_operation = Operation(
    schema="rms_norm(Tensor x, Tensor? weight, float eps) -> Tensor",
    launcher=_launch,
    fake=_fake,
    reference=reference,
    ledger=_ledger,
    gradient=Gradient(_setup_context, _backward),
    promises=(
        Promise(rms_norm_kernel, (2, 1, 2, float), threads=MAX_THREADS, load_bytes=16, occupancy=0.625),
    ),
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
