"""The gradients of a sparse matrix times a dense one: with g the gradient of y = A · dense,

    ∂values[k] = g[row of k] · dense[col[k]],     ∂dense = Aᵀ g.

The first is a product of two dense matrices *sampled* at the nonzeros: the rest of it is never computed. The second is
again a sparse matrix times a dense one. A walk over A's rows would add to rows of ∂dense here and there, from many
threads at once; so A is transposed first (csr_transpose.py), and every row of ∂dense is one thread's or warp's: no
atomic additions, the same bits every time.

Ledger for z nonzeros: the matrix's indices and g are read; for ∂values dense is, and z numbers are written; for ∂dense
values are, and dense's size is written. What the transposition moves, about 4 z numbers and indices, is scratch.

Source: I. Nisa, A. Sukumaran-Rajam, S. Kurt, C. Hong, P. Sadayappan, Sampled Dense
Matrix Multiplication for High-Performance Machine Learning, HiPC 2018.
"""

import numpy as np
import torch
from numba import prange
from torch import Tensor

from kernels.arguments import rounded, widened
from kernels.backend import blocks, cuda, gpu_kernel, launch, runs_on_gpu
from kernels.lanes import ALL, WARP
from kernels.ledger import Ledger, entry, imagine
from kernels.loads import load4, real_of, store
from kernels.op import Operation
from kernels.products.csr import (
    check_structure,
    gpu_row_bounds,
    part_rows,
    parts,
    row_bounds,
    row_steps,
    rows_of,
)
from kernels.products.csr_product import (
    INDICES,
    MULTIPLYING,
    WARPS,
    lanes_across,
    multiply_on_cpu,
    multiply_on_gpu,
)
from kernels.products.csr_transpose import TRANSPOSING, transposed
from kernels.promises import Promise
from kernels.twin import twin


def reference(
    grad: Tensor, crow: Tensor, col: Tensor, values: Tensor | None, dense: Tensor | None, columns: int
) -> tuple[Tensor, Tensor]:
    """The same in plain torch; a gradient that is not wanted comes back empty."""
    grad_rows = widened(grad).index_select(0, rows_of(crow, col.shape[0]))
    grad_values, grad_dense = grad.new_empty(0), grad.new_empty(0)
    if dense is not None:
        products = grad_rows * widened(dense).index_select(0, col)
        grad_values = rounded(products.sum(-1), grad.dtype)
    if values is not None:
        total = torch.zeros((columns, grad.shape[1]), dtype=grad_rows.dtype, device=grad.device)
        total = total.index_add(0, col, grad_rows * widened(values).unsqueeze(-1))
        grad_dense = rounded(total, grad.dtype)
    return grad_values, grad_dense


@gpu_kernel
def csr_values_kernel(crow, col, grad, dense, grad_values, across):
    """A warp takes a row, groups of `across` lanes a nonzero each: they add up a product of two rows by shuffles."""
    real, nonzeros = real_of(grad), col.shape[0]
    lane = cuda.threadIdx.x % WARP
    row = cuda.blockIdx.x * WARPS + cuda.threadIdx.x // WARP
    if row < grad.shape[0]:
        first, end, _ = gpu_row_bounds(crow, row, nonzeros)
        for start in range(
            first, end, WARP // across
        ):  # as often in every lane: all take part in the shuffles
            place = start + lane // across
            source = col[place] if place < end else 0
            valid = source >= 0 and source < dense.shape[0]
            total = real(0) if valid else real(np.nan)
            if valid and place < end:
                for column in range(4 * (lane % across), grad.shape[1], 4 * across):
                    a, b, c, d = load4(grad[row], column, real(0))
                    dense_a, dense_b, dense_c, dense_d = load4(dense[source], column, real(0))
                    total += a * dense_a + b * dense_b + c * dense_c + d * dense_d
            distance = across // 2
            while distance > 0:
                total += cuda.shfl_xor_sync(ALL, total, distance)
                distance //= 2
            if place < end and lane % across == 0:
                store(grad_values, place, total)


@twin
def csr_values_twin(crow, col, grad, dense, grad_values, of):
    """`of` parts of the rows are shared out; their indices have been checked."""
    real, width = grad.dtype.type, grad.shape[1]
    for part in prange(of):
        low, high = part_rows(crow, col.shape[0], part, of)
        for row in range(low, high):
            first, end, _ = row_bounds(crow, row, col.shape[0])
            for place in range(first, end):
                total, source = real(0), col[place]
                for column in range(width):
                    total += grad[row, column] * dense[source, column]
                grad_values[place] = total


def _values_gradient(grad: Tensor, crow: Tensor, col: Tensor, dense: Tensor) -> Tensor:
    grad_values = grad.new_empty(col.shape)
    if runs_on_gpu(grad):
        grid, across = (blocks(grad.shape[0], WARPS),), lanes_across(grad.shape[1])
        launch(csr_values_kernel, grid, (WARPS * WARP,), crow, col, grad, dense, grad_values, across)
    else:
        work = col.shape[0] * grad.shape[1]
        csr_values_twin(crow, col, grad, dense, grad_values, parts(), elements=work)
    return grad_values


def _launch(
    grad: Tensor, crow: Tensor, col: Tensor, values: Tensor | None, dense: Tensor | None, columns: int
) -> tuple[Tensor, Tensor]:
    crow, col, dtype = crow.contiguous(), col.contiguous(), grad.dtype
    on_gpu = runs_on_gpu(grad)
    if not on_gpu:
        check_structure(crow, col, columns)
    plain = Tensor.contiguous if on_gpu else widened
    wide, grad_values, grad_dense = plain(grad), grad.new_empty(0), grad.new_empty(0)
    if dense is not None:
        grad_values = _values_gradient(wide, crow, col, plain(dense))
    if values is not None:
        matrix = transposed(crow, col, plain(values), columns)
        if on_gpu:
            grad_dense = grad.new_empty((columns, grad.shape[1]))
            multiply_on_gpu(*matrix, wide, grad_dense)
        else:
            grad_dense = multiply_on_cpu(*matrix, wide)
    return rounded(grad_values, dtype), rounded(grad_dense, dtype)


def _fake(
    grad: Tensor, crow: Tensor, col: Tensor, values: Tensor | None, dense: Tensor | None, columns: int
) -> tuple[Tensor, Tensor]:
    return (
        grad.new_empty(col.shape if dense is not None else 0),
        grad.new_empty((columns, grad.shape[1]) if values is not None else 0),
    )


def _ledger(
    grad: Tensor,
    crow: Tensor,
    col: Tensor,
    values: Tensor | None = None,
    dense: Tensor | None = None,
    columns: int = 0,
) -> Ledger:
    (nonzeros,), width = col.shape, grad.shape[1]
    gathered, n = imagine(grad, nonzeros, width), nonzeros * width
    row = imagine(crow, nonzeros)
    steps = [*row_steps(crow, nonzeros), entry("index_select", (grad, row), (gathered,), 0)]
    writes = []
    if dense is not None:
        grad_values = imagine(grad, nonzeros)
        steps += [
            entry("index_select", (dense, col), (gathered,), 0),
            entry("mul", (gathered, gathered), (gathered,), n),
            entry("sum", (gathered,), (grad_values,), n),
        ]
        writes.append(grad_values)
    if values is not None:
        grad_dense = imagine(grad, columns, width)
        steps += [
            entry("zeros", (), (grad_dense,), 0),
            entry("mul", (gathered, values), (gathered,), n),
            entry("index_add", (grad_dense, col, gathered), (grad_dense,), n),
        ]
        writes.append(grad_dense)
    reads, flops = (grad, crow, col, values, dense), sum(step.flops for step in steps)
    return entry("csr_matmul_backward", reads, writes, flops, tuple(steps))


csr_matmul_backward_operation = Operation(
    schema="csr_matmul_backward(Tensor grad, Tensor crow, Tensor col, Tensor? values, Tensor? dense, SymInt columns)"
    " -> (Tensor, Tensor)",
    launcher=_launch,
    fake=_fake,
    reference=reference,
    ledger=_ledger,
    promises=(
        Promise(
            csr_values_kernel,
            (INDICES, INDICES, 2, 2, 1, int),
            threads=WARPS * WARP,
            load_bytes=16,
            occupancy=0.5,
        ),
        TRANSPOSING,
        MULTIPLYING,
    ),
)
