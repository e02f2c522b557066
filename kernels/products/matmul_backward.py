"""The gradients of a product with bias and activation: with z = A B + bias, y = f(z) and g the gradient of y,

    ∂z = g f′(z),     ∂A = ∂z Bᵀ,     ∂B = Aᵀ ∂z,     ∂bias = Σ_rows ∂z.

∂z and each block's share of ∂bias are made in one pass; then come two products on the kernels of the forward one, which
take transposed factors as they are. A factor is given where the gradient of the other is wanted.

Ledger: g, z (for ReLU y) and the given factors are read once, the gradients written once; ∂z passes between two
kernels of this operation and is in memory only meanwhile.
"""

import torch
from numba import prange
from torch import Tensor

from kernels.arguments import as_rows, sums_dtype, widened
from kernels.backend import cuda, device_function, gpu_kernel, launch, runs_on_gpu, tile_grid
from kernels.ledger import Ledger, entry, imagine
from kernels.loads import load4, real_of, store4
from kernels.op import Operation
from kernels.partials import SUMMING, sum_over_rows
from kernels.pointwise.gelu import cpu_slope, cpu_slope_tanh, gpu_slope, gpu_slope_tanh
from kernels.pointwise.silu import cpu_silu_and_slope, gpu_silu_and_slope
from kernels.products.epilogue import ACTIVATIONS, FLOPS, GELU, GELU_TANH, NONE, RELU, SILU
from kernels.products.product import PROMISES, product
from kernels.promises import Promise, sums
from kernels.twin import chunk_bounds, chunks, twin


def reference(
    grad: Tensor,
    a: Tensor | None,
    b: Tensor | None,
    kept: Tensor | None,
    activation: str | None,
    b_dtype: torch.dtype | None,
    bias_dtype: torch.dtype | None,
) -> tuple[Tensor, Tensor, Tensor]:
    """The same in plain torch; a gradient that is not wanted comes back empty."""
    aten = torch.ops.aten
    rows = grad.reshape(-1, grad.shape[-1])
    if kept is not None:
        z = kept.reshape(rows.shape)
        if activation == "relu":
            rows = aten.threshold_backward(rows, z, 0)
        elif activation == "silu":
            rows = aten.silu_backward(rows, z)
        else:
            rows = aten.gelu_backward(rows, z, approximate="tanh" if activation == "gelu_tanh" else "none")
    grad_a, grad_b, grad_bias = (grad.new_empty(0) for _ in range(3))
    if b is not None:
        grad_a = torch.mm(rows, b.to(rows.dtype).t()).view(*grad.shape[:-1], b.shape[0])
    if a is not None and b_dtype is not None:
        grad_b = torch.mm(a.reshape(-1, a.shape[-1]).t(), rows).to(b_dtype)
    if bias_dtype is not None:
        grad_bias = rows.sum(0).to(bias_dtype)
    return grad_a, grad_b, grad_bias


@device_function
def gpu_slope_of(kept, activation):
    """f′ from what the forward pass kept: y for ReLU, z for the others."""
    if activation == RELU:
        return type(kept)(0) if kept <= type(kept)(0) else type(kept)(1)
    if activation == GELU:
        return gpu_slope(kept)
    if activation == GELU_TANH:
        return gpu_slope_tanh(kept)
    return gpu_silu_and_slope(kept)[1]


@gpu_kernel
def activation_backward_kernel(grad, kept, grad_z, partial, activation):
    """grad: (rows, width); kept and grad_z: the same or, without an activation, empty; partial may be empty.

    partial: (threads down, width), each one's share of the bias gradient.
    """
    column, first = cuda.grid(2)
    column *= 4
    if column < grad.shape[1]:
        zero = real_of(grad)(0)
        sum_a, sum_b, sum_c, sum_d = zero, zero, zero, zero
        for row in range(first, grad.shape[0], cuda.gridsize(2)[1]):
            a, b, c, d = load4(grad[row], column, zero)
            if activation != NONE:
                kept_a, kept_b, kept_c, kept_d = load4(kept[row], column, zero)
                a, b = a * gpu_slope_of(kept_a, activation), b * gpu_slope_of(kept_b, activation)
                c, d = c * gpu_slope_of(kept_c, activation), d * gpu_slope_of(kept_d, activation)
                store4(grad_z[row], column, a, b, c, d)
            sum_a, sum_b, sum_c, sum_d = sum_a + a, sum_b + b, sum_c + c, sum_d + d
        if partial.size:
            store4(partial[first], column, sum_a, sum_b, sum_c, sum_d)


@twin
def activation_backward_twin(grad, kept, grad_z, partial, activation):
    """All (rows, width) but partial: (chunks, width), or (chunks, 0) if unused."""
    rows, width = grad.shape
    parts = partial.shape[0]
    for chunk in prange(parts):
        first, end = chunk_bounds(chunk, parts, rows)
        partial[chunk] = 0
        for row in range(first, end):
            if activation == RELU:
                for column in range(width):
                    grad_z[row, column] = 0 if kept[row, column] <= 0 else grad[row, column]
            elif activation == GELU:
                for column in range(width):
                    grad_z[row, column] = grad[row, column] * cpu_slope(kept[row, column])
            elif activation == GELU_TANH:
                for column in range(width):
                    grad_z[row, column] = grad[row, column] * cpu_slope_tanh(kept[row, column])
            elif activation == SILU:
                for column in range(width):
                    grad_z[row, column] = grad[row, column] * cpu_silu_and_slope(kept[row, column])[1]
            for column in range(partial.shape[1]):
                partial[chunk, column] += grad_z[row, column]


def _through_activation(
    grad: Tensor, kept: Tensor | None, activation: str | None, bias_dtype: torch.dtype | None
) -> tuple[Tensor, Tensor]:
    """∂z and ∂bias, which is empty if not wanted. grad: (rows, width)."""
    code, width = ACTIVATIONS.index(activation), grad.shape[1]
    if kept is None and bias_dtype is None:
        return grad, grad.new_empty(0)
    shares = width if bias_dtype is not None else 0
    if runs_on_gpu(grad):
        grad = grad.contiguous()
        grid, block = tile_grid(grad, most_down=256)
        grad_z = grad.new_empty((0, width)) if kept is None else torch.empty_like(grad)
        z = grad_z if kept is None else as_rows(kept.contiguous())
        down = grid[1] * block[1] if shares else 0
        partial = grad.new_empty((down, width), dtype=sums_dtype(grad.dtype))
        launch(activation_backward_kernel, grid, block, grad, z, grad_z, partial, code)
        grad_z = grad if kept is None else grad_z
    elif kept is None:
        grad_z, partial = grad, widened(grad)
    else:
        wide = widened(grad)
        grad_z, partial = torch.empty_like(wide), wide.new_empty((chunks(wide.shape[0]), shares))
        activation_backward_twin(wide, as_rows(widened(kept)), grad_z, partial, code)
    return grad_z, grad.new_empty(0) if bias_dtype is None else sum_over_rows(partial, bias_dtype)


def _launch(
    grad: Tensor,
    a: Tensor | None,
    b: Tensor | None,
    kept: Tensor | None,
    activation: str | None,
    b_dtype: torch.dtype | None,
    bias_dtype: torch.dtype | None,
) -> tuple[Tensor, Tensor, Tensor]:
    rows = grad.reshape(-1, grad.shape[-1])
    grad_z, grad_bias = _through_activation(rows, kept, activation, bias_dtype)
    grad_a, grad_b = grad.new_empty(0), grad.new_empty(0)
    if b is not None:
        grad_a = product(grad_z, b.t(), grad.dtype)[0].view(*grad.shape[:-1], b.shape[0])
    if a is not None and b_dtype is not None:
        grad_b = product(a.reshape(-1, a.shape[-1]).t(), grad_z, b_dtype)[0]
    return grad_a, grad_b, grad_bias


def _fake(
    grad: Tensor,
    a: Tensor | None,
    b: Tensor | None,
    kept: Tensor | None,
    activation: str | None,
    b_dtype: torch.dtype | None,
    bias_dtype: torch.dtype | None,
) -> tuple[Tensor, Tensor, Tensor]:
    width = grad.shape[-1]
    return (
        grad.new_empty(0 if b is None else (*grad.shape[:-1], b.shape[0])),
        grad.new_empty(0 if a is None or b_dtype is None else (a.shape[-1], width), dtype=b_dtype),
        grad.new_empty(0 if bias_dtype is None else width, dtype=bias_dtype),
    )


def _ledger(
    grad: Tensor,
    a: Tensor | None = None,
    b: Tensor | None = None,
    kept: Tensor | None = None,
    activation: str | None = None,
    b_dtype: torch.dtype | None = None,
    bias_dtype: torch.dtype | None = None,
) -> Ledger:
    n, full = grad.numel(), imagine(grad, *grad.shape)
    steps, writes = [], []
    if kept is not None:
        steps.append(entry(f"{activation}_backward", (grad, kept), (full,), n * (FLOPS[activation] + 5)))
    if b is not None:
        writes.append(imagine(grad, *grad.shape[:-1], b.shape[0]))
        steps.append(entry("mm", (full, b), writes[-1:], 2 * n * b.shape[0]))
    if a is not None and b_dtype is not None:
        writes.append(imagine(grad, a.shape[-1], grad.shape[-1], dtype=b_dtype))
        steps.append(entry("mm", (a, full), writes[-1:], 2 * n * a.shape[-1]))
    if bias_dtype is not None:
        writes.append(imagine(grad, grad.shape[-1], dtype=bias_dtype))
        steps.append(entry("sum", (full,), writes[-1:], n))
    flops = sum(step.flops for step in steps)
    return entry("matmul_backward", (grad, a, b, kept), writes, flops, tuple(steps))


matmul_backward_operation = Operation(
    schema="matmul_backward(Tensor grad, Tensor? a, Tensor? b, Tensor? kept, str? activation, ScalarType? b_dtype,"
    " ScalarType? bias_dtype) -> (Tensor, Tensor, Tensor)",
    launcher=_launch,
    fake=_fake,
    reference=reference,
    ledger=_ledger,
    promises=(
        *PROMISES,
        SUMMING,
        Promise(
            activation_backward_kernel, (2, 2, 2, sums(2), int), threads=256, load_bytes=16, occupancy=0.75
        ),
    ),
)
