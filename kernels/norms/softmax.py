"""Softmax over the last axis, for rows of any length: y = exp(x − m) / Σ exp(x − m) with m the row's maximum.

Without m, exp overflows from 89 on in float32. It seems to take three readings of a row: for m, for the sum, for y.
The *online* form takes two. It keeps a running maximum and the sum so far relative to it; when the maximum grows
from m to m′, the old sum is worth exp(m − m′) of what it was:

    s ← s exp(m − m′) + exp(x − m′).

Two such pairs combine in the same way, so threads, then warps, then the block can each have a part of the row.
kernels/ladders/softmax.py goes there step by step. On a CPU a core has the whole row in its cache, where reading it
once more is cheaper than the extra exponentials.

Ledger for n elements of s bytes: fused reads x and writes y, 2ns bytes. In plain torch maximum, difference,
exponential, sum and quotient move 8ns, and a little for the rows' maxima and sums.

Source: M. Milakov, N. Gimelshein, Online normalizer calculation for softmax, arXiv 1805.02867, algorithm 3.
"""

import math
from typing import Any

import torch
from numba import prange
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function

from kernels.arguments import as_real, as_rows, check_input, empty_rows, rounded, widened
from kernels.backend import cuda, gpu_kernel, launch, row_grid, runs_on_gpu
from kernels.fastmath import exp
from kernels.lanes import MAX_THREADS, block_max, block_sum
from kernels.ledger import Ledger, entry, imagine
from kernels.loads import load4, real_of, store4
from kernels.norms.softmax_backward import softmax_backward_operation
from kernels.op import Gradient, Operation
from kernels.promises import Promise
from kernels.row_max import row_max
from kernels.twin import twin


def reference(x: Tensor) -> Tensor:
    """The same in plain torch, five operations; half types are computed in float32."""
    wide = widened(x)
    powers = torch.exp(wide - wide.amax(-1, keepdim=True))
    return rounded(powers / powers.sum(-1, keepdim=True), x.dtype)


@gpu_kernel
def softmax_kernel(x, out, lowest):  # (rows, width) twice; the lowest finite number
    """Maxima start at `lowest`, not at −inf: −inf − −inf would be nan where a thread has nothing else."""
    real = real_of(x)
    nothing = real(-math.inf)  # exp of it is 0
    first, step = 4 * cuda.threadIdx.x, 4 * cuda.blockDim.x
    for row in range(cuda.blockIdx.x, x.shape[0], cuda.gridDim.x):
        largest, total = lowest, real(0)
        for column in range(first, x.shape[1], step):
            a, b, c, d = load4(x[row], column, nothing)
            before, largest = largest, max(max(largest, max(a, b)), max(c, d))
            total *= math.exp(before - largest)
            total += math.exp(a - largest) + math.exp(b - largest)
            total += math.exp(c - largest) + math.exp(d - largest)
        before, largest = largest, block_max(largest)
        share = real(1) / block_sum(total * math.exp(before - largest))
        for column in range(first, x.shape[1], step):
            a, b, c, d = load4(x[row], column, nothing)
            a, b = math.exp(a - largest) * share, math.exp(b - largest) * share
            c, d = math.exp(c - largest) * share, math.exp(d - largest) * share
            store4(out[row], column, a, b, c, d)


@twin
def softmax_twin(x, out):
    """Three loops over a row, of which the last two find it in cache."""
    real = x.dtype.type
    for row in prange(x.shape[0]):
        largest, total = row_max(x[row]), real(0)
        for column in range(x.shape[1]):
            power = exp(x[row, column] - largest)
            out[row, column] = power
            total += power
        share = real(1) / total
        for column in range(x.shape[1]):
            out[row, column] *= share


def _launch(x: Tensor) -> Tensor:
    if runs_on_gpu(x):
        out, rows = empty_rows(x), as_rows(x.contiguous())
        lowest = as_real(torch.finfo(torch.float64 if x.dtype == torch.float64 else torch.float32).min, rows)
        launch(softmax_kernel, *row_grid(rows, MAX_THREADS), rows, as_rows(out), lowest)
        return out
    wide = widened(x)
    out = torch.empty_like(wide)
    softmax_twin(as_rows(wide), as_rows(out))
    return rounded(out, x.dtype)


def _fake(x: Tensor) -> Tensor:
    return x.new_empty(x.shape)


def _ledger(x: Tensor) -> Ledger:
    n, full, sums = x.numel(), imagine(x, *x.shape), imagine(x, *x.shape[:-1], 1)
    steps = (
        entry("amax", (x,), (sums,), n),
        entry("sub", (x, sums), (full,), n),
        entry("exp", (full,), (full,), n),
        entry("sum", (full,), (sums,), n),
        entry("div", (full, sums), (full,), n),
    )
    return entry("softmax", (x,), (full,), 5 * n, steps)


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(output)


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor]:
    (y,) = ctx.saved_tensors
    return (softmax_backward_operation(grad, y),)


softmax_operation = Operation(
    schema="softmax(Tensor x) -> Tensor",
    launcher=_launch,
    fake=_fake,
    reference=reference,
    ledger=_ledger,
    gradient=Gradient(_setup_context, _backward),
    promises=(Promise(softmax_kernel, (2, 2, float), threads=MAX_THREADS, load_bytes=16, occupancy=0.625),),
)


def softmax(x: Tensor) -> Tensor:
    """Positive numbers that add up to 1 over the last axis, in the proportions of exp(x).

    x: (..., width), width of any length; the result has x's shape and dtype. A row of nothing but −inf, or with a nan
    or +inf, is nan, as in torch. Gradients flow to x.

    Raises TypeError for a dtype and ValueError for a scalar. Source: arXiv 1805.02867, algorithm 3.
    """
    if has_torch_function((x,)):
        return handle_torch_function(softmax, (x,), x)
    check_input("x", x)
    result: Tensor = softmax_operation(x)
    return result
