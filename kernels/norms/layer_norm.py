"""Layer normalization in one pass: y = w (x − mean) r + b with r = 1/√(σ² + ε), row by row.

Mean and σ² take two passes over the row, and the result a third; all but the first find the row in cache. moments.py
says why mean and σ² are not taken in one.

Ledger for n elements of s bytes in rows of `width`: fused reads x, w and b and writes y, (2n + 2 width)s bytes. In
plain torch mean, difference, square, mean, add, rsqrt, two multiplications and an addition move (12n + 2 width)s
bytes, and a little for the rows' means.

Source: J. Ba, J. Kiros, G. Hinton, Layer Normalization, arXiv 1607.06450, equation 4.
"""

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
from kernels.lanes import MAX_THREADS
from kernels.ledger import Ledger, entry, imagine
from kernels.loads import load4, real_of, store4
from kernels.norms.layer_norm_backward import centering_steps, layer_norm_backward_operation
from kernels.norms.moments import cpu_moments, deviation, deviations4, gpu_moments
from kernels.norms.rms_norm_backward import normalizing_steps
from kernels.op import Gradient, Operation
from kernels.promises import Promise
from kernels.twin import twin


def reference(
    x: Tensor, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    """The same in plain torch, nine operations; half types are computed in float32."""
    wide = widened(x)
    centered = wide - wide.mean(-1, keepdim=True)
    normed = centered * torch.rsqrt(centered.square().mean(-1, keepdim=True) + eps)
    scaled = normed if weight is None else normed * weight
    return rounded(scaled if bias is None else scaled + bias, x.dtype)


@gpu_kernel
def layer_norm_kernel(x, weight, bias, out, eps):  # (rows, width), (width,) or empty twice, (rows, width)
    """A block takes a row at a time; its threads stride over the columns by fours."""
    zero = real_of(x)(0)
    for row in range(cuda.blockIdx.x, x.shape[0], cuda.gridDim.x):
        origin, offset, root = gpu_moments(x[row], eps)
        for column in range(4 * cuda.threadIdx.x, x.shape[1], 4 * cuda.blockDim.x):
            a, b, c, d = deviations4(x[row], column, origin, offset)
            a, b, c, d = a * root, b * root, c * root, d * root
            if weight.size:
                weight_a, weight_b, weight_c, weight_d = load4(weight, column, zero)
                a, b, c, d = a * weight_a, b * weight_b, c * weight_c, d * weight_d
            if bias.size:
                bias_a, bias_b, bias_c, bias_d = load4(bias, column, zero)
                a, b, c, d = a + bias_a, b + bias_b, c + bias_c, d + bias_d
            store4(out[row], column, a, b, c, d)


@twin
def layer_norm_twin(x, weight, bias, out, eps):
    """weight and bias: (width,); ones and zeros stand for those left out."""
    for row in prange(x.shape[0]):
        origin, offset, root = cpu_moments(x[row], eps)
        for column in range(x.shape[1]):
            normed = deviation(x[row, column], origin, offset) * root
            out[row, column] = normed * weight[column] + bias[column]


def _launch(x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
    if runs_on_gpu(x):
        out, rows = empty_rows(x), as_rows(x.contiguous())
        tensors = rows, or_empty(weight, rows), or_empty(bias, rows), as_rows(out)
        launch(layer_norm_kernel, *row_grid(rows, MAX_THREADS), *tensors, as_real(eps, rows))
        return out
    wide = widened(x)
    out = torch.empty_like(wide)
    vectors = wide_or_full(weight, wide, 1.0), wide_or_full(bias, wide, 0.0)
    layer_norm_twin(as_rows(wide), *vectors, as_rows(out), eps)
    return rounded(out, x.dtype)


def _fake(x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float) -> Tensor:
    return x.new_empty(x.shape)


def _ledger(
    x: Tensor, weight: Tensor | None = None, bias: Tensor | None = None, eps: float | None = None
) -> Ledger:
    full = imagine(x, *x.shape)
    steps = [*centering_steps(x), *normalizing_steps(full, weight)]
    steps += [] if bias is None else [entry("add", (full, bias), (full,), x.numel())]
    return entry("layer_norm", (x, weight, bias), (full,), sum(step.flops for step in steps), tuple(steps))


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    x, weight, bias, ctx.eps = inputs
    ctx.save_for_backward(x, weight)
    ctx.bias_dtype = None if bias is None else bias.dtype


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    x, weight = ctx.saved_tensors
    need_x, need_weight, need_bias, _ = ctx.needs_input_grad
    grad_x, grad_weight, grad_bias = layer_norm_backward_operation(
        grad, x, weight, ctx.eps, need_x, need_weight, ctx.bias_dtype if need_bias else None
    )
    return (
        grad_x if need_x else None,
        grad_weight if need_weight else None,
        grad_bias if need_bias else None,
        None,
    )


layer_norm_operation = Operation(
    schema="layer_norm(Tensor x, Tensor? weight, Tensor? bias, float eps) -> Tensor",
    launcher=_launch,
    fake=_fake,
    reference=reference,
    ledger=_ledger,
    gradient=Gradient(_setup_context, _backward),
    promises=(
        Promise(layer_norm_kernel, (2, 1, 1, 2, float), threads=MAX_THREADS, load_bytes=16, occupancy=0.5),
    ),
)


def layer_norm(
    x: Tensor, weight: Tensor | None = None, bias: Tensor | None = None, eps: float | None = 1e-5
) -> Tensor:
    """Take the mean off each row of x and divide by its standard deviation, then multiply by weight and add bias.

    x: (..., width); weight, bias: (width,), or None for ones and zeros; the result has x's shape and dtype. eps None is
    the machine epsilon of the dtype of sums. Gradients flow to x, weight and bias.

    Raises TypeError for a dtype and ValueError for a shape, device or eps that does not fit.
    Source: arXiv 1607.06450, equation 4.
    """
    if has_torch_function((x, weight, bias)):
        return handle_torch_function(layer_norm, (x, weight, bias), x, weight, bias, eps)
    check_input("x", x)
    if weight is not None:
        check_input("weight", weight)
        x, weight = follow_autocast((x,), weight)
        check_vector("weight", weight, x)
    if bias is not None:
        check_input("bias", bias)
        x, bias = follow_autocast((x,), bias)
        check_vector("bias", bias, x)
    result: Tensor = layer_norm_operation(x, weight, bias, check_eps(eps, x))
    return result
