"""The gradient of cross-entropy in one pass: with g the gradient of a row's loss, S = Σ exp(z − m) and target t,

    ∂z_j = g (exp(z_j − m)/S − ε/K − (1 − ε)[j = t]).

The probabilities are computed again from the logits, which costs less than keeping them. m and S of each row come from
the forward pass, and so does a mean's divisor; g is one number for all rows or one for each. A row that is ignored has
the gradient 0, and its logits are not read.

Ledger for n logits of s bytes: fused reads the logits and writes their gradient, 2ns bytes and a few for each row;
unfused, each of difference, exponential, quotient, smoothing, subtracting at the target and scaling reads and
writes n numbers.
"""

import math

import numpy as np
import torch
from numba import prange
from torch import Tensor

from kernels.arguments import as_real, as_rows, rounded, widened
from kernels.backend import cuda, gpu_kernel, launch, row_grid, runs_on_gpu
from kernels.lanes import MAX_THREADS
from kernels.ledger import Ledger, entry, imagine
from kernels.loads import load4, real_of, store4
from kernels.losses.row import cpu_row_scale, cpu_slope, gpu_row_scale, gpu_slope
from kernels.losses.steps import sloping_steps
from kernels.losses.targets import TARGET, flat
from kernels.op import Operation
from kernels.promises import Promise, sums
from kernels.twin import twin


def reference(
    grad: Tensor,
    logits: Tensor,
    target: Tensor,
    normalizers: Tensor,
    count: Tensor,
    ignore_index: int,
    label_smoothing: float,
) -> Tensor:
    """The same in plain torch."""
    largest, total = normalizers.view(*target.shape, 1, 2).unbind(-1)
    slope = (widened(logits) - largest).exp() / total
    if label_smoothing > 0:
        slope = slope - label_smoothing / logits.shape[-1]
    ignored = target == ignore_index
    chosen = target.masked_fill(ignored, 0).unsqueeze(-1)
    whole = torch.full(chosen.shape, label_smoothing - 1, dtype=slope.dtype, device=slope.device)
    scale = (grad / count if count.numel() else grad).masked_fill(ignored, 0)
    return rounded(slope.scatter_add(-1, chosen, whole) * scale.unsqueeze(-1), logits.dtype)


@gpu_kernel
def cross_entropy_backward_kernel(
    grad, logits, target, normalizers, count, grad_logits, ignore_index, smoothing
):
    """grad: (rows,), or (1,) for all; count: (1,), or empty; logits, grad_logits: (rows, classes), others (rows,)."""
    real = real_of(logits)
    first, step, classes = 4 * cuda.threadIdx.x, 4 * cuda.blockDim.x, logits.shape[1]
    even, whole = smoothing / real(classes), real(1) - smoothing
    for row in range(cuda.blockIdx.x, logits.shape[0], cuda.gridDim.x):
        chosen = target[row]
        scale = gpu_row_scale(grad, count, row)
        if not 0 <= chosen < classes:
            scale = real(math.nan)
        m, share = normalizers[row, 0], real(1) / normalizers[row, 1]
        for column in range(first, classes, step):
            a, b, c, d = real(0), real(0), real(0), real(0)
            if chosen != ignore_index:
                a, b, c, d = load4(logits[row], column, m)
                a = gpu_slope(a, m, share, even) - (whole if column == chosen else real(0))
                b = gpu_slope(b, m, share, even) - (whole if column + 1 == chosen else real(0))
                c = gpu_slope(c, m, share, even) - (whole if column + 2 == chosen else real(0))
                d = gpu_slope(d, m, share, even) - (whole if column + 3 == chosen else real(0))
                a, b, c, d = a * scale, b * scale, c * scale, d * scale
            store4(grad_logits[row], column, a, b, c, d)


@twin
def cross_entropy_backward_twin(
    logits, grad, target, normalizers, count, grad_logits, ignore_index, smoothing
):
    """Arguments as of the kernel, the logits first; grad_logits may be the logits themselves."""
    real = logits.dtype.type
    classes = logits.shape[1]
    even, whole = real(smoothing / classes), real(1) - smoothing
    for row in prange(logits.shape[0]):
        chosen = target[row]
        if chosen == ignore_index:
            grad_logits[row] = 0
        else:
            # prange counts in uint64, and of that and another place's 0 Numba makes a float
            scale = cpu_row_scale(grad, count, np.int64(row))
            m, share = normalizers[row, 0], real(1) / normalizers[row, 1]
            for column in range(classes):
                grad_logits[row, column] = cpu_slope(logits[row, column], m, share, even) * scale
            grad_logits[row, chosen] -= whole * scale


def _launch(
    grad: Tensor,
    logits: Tensor,
    target: Tensor,
    normalizers: Tensor,
    count: Tensor,
    ignore_index: int,
    label_smoothing: float,
) -> Tensor:
    rows = as_rows(logits.contiguous() if runs_on_gpu(logits) else widened(logits))
    grad_logits = torch.empty_like(logits, dtype=rows.dtype, memory_format=torch.contiguous_format)
    vectors = flat(target), normalizers, flat(count)
    options = as_rows(grad_logits), ignore_index, as_real(label_smoothing, rows)
    if runs_on_gpu(logits):
        grid, block = row_grid(rows, MAX_THREADS)
        launch(cross_entropy_backward_kernel, grid, block, flat(grad), rows, *vectors, *options)
    else:
        cross_entropy_backward_twin(rows, flat(grad), *vectors, *options)
    return rounded(grad_logits, logits.dtype)


def _fake(
    grad: Tensor,
    logits: Tensor,
    target: Tensor,
    normalizers: Tensor,
    count: Tensor,
    ignore_index: int,
    label_smoothing: float,
) -> Tensor:
    return logits.new_empty(logits.shape)


def _ledger(
    grad: Tensor,
    logits: Tensor,
    target: Tensor,
    normalizers: Tensor,
    count: Tensor,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
) -> Ledger:
    steps = sloping_steps(grad, logits, target, count, label_smoothing)
    reads, flops = (grad, logits, target, normalizers, count), sum(step.flops for step in steps)
    return entry("cross_entropy_backward", reads, (imagine(logits, *logits.shape),), flops, steps)


cross_entropy_backward_operation = Operation(
    schema="cross_entropy_backward(Tensor grad, Tensor logits, Tensor target, Tensor normalizers, Tensor count,"
    " int ignore_index, float label_smoothing) -> Tensor",
    launcher=_launch,
    fake=_fake,
    reference=reference,
    ledger=_ledger,
    promises=(
        Promise(
            cross_entropy_backward_kernel,
            (sums(1), 2, TARGET, sums(2), sums(1), 2, int, float),
            threads=MAX_THREADS,
            load_bytes=16,
            occupancy=0.625,
        ),
    ),
)
