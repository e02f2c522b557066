"""The gradients of a 2:4 sparse matrix times a dense one: with g the gradient of y = A · dense, and c(r, k) the column
in which values[r, k] stands (sparse24.py),

    ∂values[r, k] = g[r] · dense[c(r, k)],     ∂dense = Aᵀ g.

The zeros of A have no gradient. On a GPU each thread of a tile of g · denseᵀ has four neighbors of a row, one group,
and writes the two that are kept. On the CPU torch multiplies a block of rows at a time, and the kept ones are picked.

Ledger: g and the index are read; for ∂values dense is, and half a matrix is written; for ∂dense values are, and dense's
size is written.
"""

import torch
from numba import types
from torch import Tensor

from kernels.arguments import rounded, widened
from kernels.backend import blocks, cuda, gpu_kernel, launch, runs_on_gpu
from kernels.ledger import Ledger, entry, imagine
from kernels.loads import real_of, store
from kernels.op import Operation
from kernels.products.sparse24 import BLOCK, blocks_of, check_places, columns_of, quad_at, with_zeros
from kernels.products.tiles import (
    DEPTH,
    SIDE,
    THREADS,
    WIDTH,
    accumulate,
    across,
    clear,
    down,
    fill,
    fill_transposed,
    store_tile,
)
from kernels.promises import Promise
from kernels.shared import put4, shared_array

PLACES = types.Array(types.uint8, 2, "C")


def reference(
    grad: Tensor, index: Tensor, values: Tensor | None, dense: Tensor | None
) -> tuple[Tensor, Tensor]:
    """The same in plain torch; a gradient that is not wanted comes back empty."""
    wide, grad_values, grad_dense = widened(grad), grad.new_empty(0), grad.new_empty(0)
    if dense is not None:
        grad_values = rounded(torch.mm(wide, widened(dense).t()).gather(1, columns_of(index)), grad.dtype)
    if values is not None:
        grad_dense = rounded(torch.mm(with_zeros(widened(values), index).t(), wide), grad.dtype)
    return grad_values, grad_dense


@gpu_kernel
def sparse24_values_kernel(grad, index, dense, grad_values):
    """A tile of g · denseᵀ, of which each thread writes two of every four neighbors."""
    real = real_of(grad)
    left, right = shared_array((DEPTH, WIDTH), real), shared_array((DEPTH, WIDTH), real)
    sums = cuda.local.array((4, 4), real)
    row, column = SIDE * cuda.blockIdx.x, SIDE * cuda.blockIdx.y
    clear(sums)
    for start in range(0, grad.shape[1], DEPTH):
        fill_transposed(left, grad, row, start)
        fill_transposed(right, dense, column, start)
        cuda.syncthreads()
        accumulate(sums, left, right)
        cuda.syncthreads()
    pair = (column + across()) // 2
    for i in range(4):
        below = row + down() + i
        if below < grad.shape[0] and pair < index.shape[1]:
            for k in range(2):
                place = index[below, pair + k] & 3
                lower = sums[i, 0] if place == 0 else sums[i, 1]
                upper = sums[i, 2] if place == 2 else sums[i, 3]
                store(grad_values[below], pair + k, lower if place < 2 else upper)


@gpu_kernel
def sparse24_dense_kernel(grad, index, values, grad_dense):
    """A tile of Aᵀ g; the rows of A are the depth."""
    real = real_of(grad)
    left, right = shared_array((DEPTH, WIDTH), real), shared_array((DEPTH, WIDTH), real)
    sums = cuda.local.array((4, 4), real)
    row, column = SIDE * cuda.blockIdx.x, SIDE * cuda.blockIdx.y
    k, i = cuda.threadIdx.x // 16, across()
    clear(sums)
    for start in range(0, grad.shape[0], DEPTH):
        a, b, c, d = real(0), real(0), real(0), real(0)
        if start + k < grad.shape[0] and row + i < grad_dense.shape[0]:
            a, b, c, d = quad_at(values, index, start + k, (row + i) // 4)
        put4(left[k], i, a, b, c, d)
        fill(right, grad, start, column)
        cuda.syncthreads()
        accumulate(sums, left, right)
        cuda.syncthreads()
    store_tile(grad_dense, row, column, sums)


def _on_cpu(
    grad: Tensor, index: Tensor, values: Tensor | None, dense: Tensor | None
) -> tuple[Tensor, Tensor]:
    grad_values, grad_dense = grad.new_empty(0), grad.new_empty(0)
    if dense is not None:
        grad_values = grad.new_empty(index.shape)
        products = grad.new_empty((min(BLOCK, grad.shape[0]), dense.shape[0]))
        for first in range(0, grad.shape[0], BLOCK):
            rows = slice(first, first + BLOCK)
            block = torch.mm(grad[rows], dense.t(), out=products[: grad.shape[0] - first])
            torch.gather(block, 1, columns_of(index[rows]), out=grad_values[rows])
    if values is not None:
        grad_dense = grad.new_zeros((2 * index.shape[1], grad.shape[1]))
        for first, block in blocks_of(values, index):
            torch.addmm(grad_dense, block.t(), grad[first : first + block.shape[0]], out=grad_dense)
    return grad_values, grad_dense


def _launch(
    grad: Tensor, index: Tensor, values: Tensor | None, dense: Tensor | None
) -> tuple[Tensor, Tensor]:
    index = index.contiguous()
    if not runs_on_gpu(grad):
        check_places(index)
        wide = (None if tensor is None else widened(tensor) for tensor in (values, dense))
        found = _on_cpu(widened(grad), index, *wide)
        return rounded(found[0], grad.dtype), rounded(found[1], grad.dtype)
    grad_values, grad_dense, grad = grad.new_empty(0), grad.new_empty(0), grad.contiguous()
    (rows, width), columns = grad.shape, 2 * index.shape[1]
    if dense is not None:
        grad_values = grad.new_empty(index.shape)
        grid = blocks(rows, SIDE), blocks(columns, SIDE)
        launch(sparse24_values_kernel, grid, (THREADS,), grad, index, dense.contiguous(), grad_values)
    if values is not None:
        grad_dense = grad.new_empty((columns, width))
        grid = blocks(columns, SIDE), blocks(width, SIDE)
        launch(sparse24_dense_kernel, grid, (THREADS,), grad, index, values.contiguous(), grad_dense)
    return grad_values, grad_dense


def _fake(grad: Tensor, index: Tensor, values: Tensor | None, dense: Tensor | None) -> tuple[Tensor, Tensor]:
    return (
        grad.new_empty(index.shape if dense is not None else 0),
        grad.new_empty((2 * index.shape[1], grad.shape[1]) if values is not None else 0),
    )


def column_steps(index: Tensor) -> tuple[Ledger, ...]:
    """The chain from places to columns."""
    whole, starts = imagine(index, *index.shape, dtype=torch.int64), index.shape[1] // 2
    start = imagine(index, starts, dtype=torch.int64)
    return (
        entry("arange", (), (start,), 0),
        entry("to", (index,), (whole,), 0),
        entry("add", (whole, start), (whole,), 0),  # of indices: no FLOPs
    )


def zero_steps(values: Tensor, index: Tensor) -> tuple[Ledger, ...]:
    """The chain from values to the whole matrix in memory."""
    rows, half = values.shape
    full, columns = imagine(values, rows, 2 * half), imagine(index, rows, half, dtype=torch.int64)
    return (
        entry("zeros", (), (full,), 0),
        *column_steps(index),
        entry("scatter_add", (full, columns, values), (full,), values.numel()),
    )


def _ledger(grad: Tensor, index: Tensor, values: Tensor | None = None, dense: Tensor | None = None) -> Ledger:
    (rows, width), columns = grad.shape, 2 * index.shape[1]
    full, flops = imagine(grad, rows, columns), 2 * rows * columns * width
    steps: list[Ledger] = []
    writes = []
    if dense is not None:
        picked, whole = imagine(grad, *index.shape), imagine(index, *index.shape, dtype=torch.int64)
        steps += [entry("mm", (grad, dense), (full,), flops), *column_steps(index)]
        steps += [entry("gather", (full, whole), (picked,), 0)]
        writes.append(picked)
    if values is not None:
        grad_dense = imagine(grad, columns, width)
        steps += [*zero_steps(values, index), entry("mm", (full, grad), (grad_dense,), flops)]
        writes.append(grad_dense)
    total = sum(step.flops for step in steps)
    return entry("sparse24_matmul_backward", (grad, index, values, dense), writes, total, tuple(steps))


sparse24_matmul_backward_operation = Operation(
    schema="sparse24_matmul_backward(Tensor grad, Tensor index, Tensor? values, Tensor? dense) -> (Tensor, Tensor)",
    launcher=_launch,
    fake=_fake,
    reference=reference,
    ledger=_ledger,
    promises=tuple(
        Promise(kernel, (2, PLACES, 2, 2), threads=THREADS, load_bytes=16, occupancy=0.5)
        for kernel in (sparse24_values_kernel, sparse24_dense_kernel)
    ),
)
