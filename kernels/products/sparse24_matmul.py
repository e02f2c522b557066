"""A 2:4 sparse matrix times a dense one: y = A · dense, with A as values and index (sparse24.py).

*GPU*: tiles (tiles.py), whose left one gets its zeros back while it is filled. *CPU*: torch's product, with a block of
rows of A at a time. Neither is faster than a dense product, and neither is meant to be: what is saved is A's memory.

Ledger for s bytes a number: fused reads rows · columns/2 · (s + 1) bytes of A and columns · n · s of dense, and writes
rows · n · s. Unfused, A goes to memory with its zeros and comes back. FLOPs: 2 rows · columns · n, those with a zero
counted too: they are computed.

Source: A. Mishra and others, Accelerating Sparse Deep Neural Networks, arXiv 2104.08378, section 3.
"""

from typing import Any

import torch
from numba import types
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function

from kernels.arguments import check_input, multiplied_under_autocast, rounded, widened
from kernels.backend import blocks, cuda, gpu_kernel, launch, runs_on_gpu
from kernels.ledger import Ledger, entry, imagine
from kernels.loads import real_of
from kernels.op import Gradient, Operation
from kernels.products.sparse24 import blocks_of, check_places, quad_at, with_zeros
from kernels.products.sparse24_matmul_backward import sparse24_matmul_backward_operation, zero_steps
from kernels.products.tiles import DEPTH, SIDE, THREADS, WIDTH, accumulate, clear, fill, store_tile
from kernels.promises import Promise
from kernels.shared import shared_array


def reference(values: Tensor, index: Tensor, dense: Tensor) -> Tensor:
    """The same in plain torch: all zeros are put back in memory."""
    return rounded(torch.mm(with_zeros(widened(values), index), widened(dense)), dense.dtype)


@gpu_kernel
def sparse24_matmul_kernel(values, index, dense, out):
    """By tiles of 64 by 64; a thread puts back the zeros of one group of four."""
    real = real_of(dense)
    left, right = shared_array((DEPTH, WIDTH), real), shared_array((DEPTH, WIDTH), real)
    sums = cuda.local.array((4, 4), real)
    row, column = SIDE * cuda.blockIdx.x, SIDE * cuda.blockIdx.y
    i, quad = cuda.threadIdx.x // 4, cuda.threadIdx.x % 4
    clear(sums)
    for start in range(0, dense.shape[0], DEPTH):
        a, b, c, d = real(0), real(0), real(0), real(0)
        if row + i < values.shape[0] and start + 4 * quad < dense.shape[0]:
            a, b, c, d = quad_at(values, index, row + i, start // 4 + quad)
        k = 4 * quad
        left[k, i], left[k + 1, i], left[k + 2, i], left[k + 3, i] = a, b, c, d
        fill(right, dense, start, column)
        cuda.syncthreads()
        accumulate(sums, left, right)
        cuda.syncthreads()
    store_tile(out, row, column, sums)


def _launch(values: Tensor, index: Tensor, dense: Tensor) -> Tensor:
    shape = values.shape[0], dense.shape[1]
    if runs_on_gpu(dense):
        out = dense.new_empty(shape)
        tensors = values.contiguous(), index.contiguous(), dense.contiguous(), out
        launch(sparse24_matmul_kernel, (blocks(shape[0], SIDE), blocks(shape[1], SIDE)), (THREADS,), *tensors)
        return out
    check_places(index)
    wide = widened(dense)
    out = wide.new_empty(*shape)
    for first, block in blocks_of(widened(values), index.contiguous()):
        torch.mm(block, wide, out=out[first : first + block.shape[0]])  # autocast leaves out= alone
    return rounded(out, dense.dtype)


def _fake(values: Tensor, index: Tensor, dense: Tensor) -> Tensor:
    return dense.new_empty((values.shape[0], dense.shape[1]))


def _ledger(values: Tensor, index: Tensor, dense: Tensor) -> Ledger:
    (rows, _), (columns, width) = values.shape, dense.shape
    full, out = imagine(values, rows, columns), imagine(dense, rows, width)
    steps = (
        *zero_steps(values, index),
        entry("mm", (full, dense), (out,), 2 * rows * columns * width),
    )
    flops = sum(step.flops for step in steps)
    return entry("sparse24_matmul", (values, index, dense), (out,), flops, steps)


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, None, Tensor | None]:
    values, index, dense = ctx.saved_tensors
    need_values, _, need_dense = ctx.needs_input_grad
    given = values if need_dense else None, dense if need_values else None
    grad_values, grad_dense = sparse24_matmul_backward_operation(grad, index, *given)
    return grad_values if need_values else None, None, grad_dense if need_dense else None


sparse24_matmul_operation = Operation(
    schema="sparse24_matmul(Tensor values, Tensor index, Tensor dense) -> Tensor",
    launcher=_launch,
    fake=_fake,
    reference=reference,
    ledger=_ledger,
    gradient=Gradient(_setup_context, _backward),
    promises=(
        Promise(
            sparse24_matmul_kernel,
            (2, types.Array(types.uint8, 2, "C"), 2, 2),
            threads=THREADS,
            load_bytes=16,
            occupancy=0.5,
        ),
    ),
)


def sparse24_matmul(values: Tensor, index: Tensor, dense: Tensor) -> Tensor:
    """A 2:4 sparse matrix times a dense one.

    values: (rows, columns/2); index: the same shape, uint8 or int8, each value's place, 0 … 3, among four neighbors:
    values[r, 2g + i] stands in column 4g + index[r, 2g + i] (`to_sparse24` makes both); dense: (columns, n) in values'
    dtype, columns a multiple of 4. The result is (rows, n). Gradients flow to values and dense.

    Raises TypeError for a dtype and ValueError for a shape or device that does not fit; on the CPU also ValueError for
    a place beyond 3, of which a GPU takes the lower two bits.
    Source: arXiv 2104.08378, section 3.
    """
    if has_torch_function((values, index, dense)):
        return handle_torch_function(sparse24_matmul, (values, index, dense), values, index, dense)
    check_input("values", values)
    check_input("dense", dense)
    values, dense = multiplied_under_autocast(values, dense)
    if dense.dtype != values.dtype:
        raise TypeError(f"dense must be {values.dtype} like values, got {dense.dtype}")
    if values.dim() != 2 or values.shape[1] % 2:
        raise ValueError(f"values must have shape (rows, columns/2), in pairs, got {tuple(values.shape)}")
    if not isinstance(index, Tensor) or index.dtype not in (torch.uint8, torch.int8):
        kind = index.dtype if isinstance(index, Tensor) else type(index).__name__
        raise TypeError(f"index must be a tensor of uint8 or int8, got {kind}")
    if index.shape != values.shape:
        raise ValueError(f"index must have values' shape {tuple(values.shape)}, got {tuple(index.shape)}")
    if dense.dim() != 2 or dense.shape[0] != 2 * values.shape[1]:
        raise ValueError(f"dense must have shape ({2 * values.shape[1]}, n), got {tuple(dense.shape)}")
    for name, tensor in (("index", index), ("dense", dense)):
        if tensor.device != values.device:
            raise ValueError(f"{name} must be on {values.device} like values, got {tensor.device}")
    return sparse24_matmul_operation(values, index.view(torch.uint8), dense)
