"""A B with an epilogue, on the GPU kernels or by torch: what matmul and its backward pass are made of.

*GPU*: the tiles of tiles.py, of 128 by 128 numbers where there are enough of them to fill a GPU, else of 64 by 64. A
thread of a large tile does 64 multiply-adds for every four loads from shared memory, which is the bound; one of a small
tile 16 for two, but there are four times as many blocks. A transposed factor is not copied: its tile is filled the
other way.

Tensor cores are out of reach of CUDA in Numba, so the mark to reach is float32 cuBLAS without TF32. A large tile takes
up to 128 registers a thread: only two blocks of 256 threads fit on a multiprocessor, a quarter of its warps. With 64
sums that do not wait for each other, each thread has enough to do.

*CPU*: torch's own product, which no loop of ours would match, and the epilogue in one pass over the result.
"""

import torch
from torch import Tensor

from kernels.arguments import HALF, rounded, sums_dtype, wide_or_empty
from kernels.backend import blocks, cuda, device_function, gpu_kernel, launch, runs_on_gpu
from kernels.loads import real_of
from kernels.products.epilogue import ACTIVATIONS, NONE, activate, add_bias, epilogue_twin
from kernels.products.tiles import (
    DEPTH,
    PADDING,
    SIDE,
    THREADS,
    WIDTH,
    accumulate,
    clear,
    fill,
    fill_transposed,
    store_tile,
)
from kernels.promises import Promise
from kernels.shared import shared_array

LARGE_SIDE = 2 * SIDE
LARGE_WIDTH = LARGE_SIDE + PADDING
ENOUGH = 128  # blocks: about as many as a large GPU has multiprocessors


@device_function
def multiply_tiles(sums, left, right, a, b, row, column, a_transposed, b_transposed):
    """The sums of the tile of A B at (row, column)."""
    clear(sums)
    for k in range(0, a.shape[0] if a_transposed else a.shape[1], DEPTH):
        if a_transposed:
            fill(left, a, k, row)
        else:
            fill_transposed(left, a, row, k)
        if b_transposed:
            fill_transposed(right, b, column, k)
        else:
            fill(right, b, k, column)
        cuda.syncthreads()
        accumulate(sums, left, right)
        cuda.syncthreads()


@device_function
def finish_tile(sums, bias, out, kept, row, column, activation):
    """From sums to results."""
    add_bias(sums, bias, column)
    if kept.size:
        store_tile(kept, row, column, sums)
    activate(sums, activation)
    store_tile(out, row, column, sums)


@gpu_kernel
def product_kernel(a, b, bias, out, kept, a_transposed, b_transposed, activation):
    """out = f(A B + bias), kept = A B + bias; a, b: the matrices, or transposed; bias, kept: may be empty."""
    real = real_of(a)
    left, right = shared_array((DEPTH, WIDTH), real), shared_array((DEPTH, WIDTH), real)
    sums = cuda.local.array((4, 4), real)
    row, column = SIDE * cuda.blockIdx.x, SIDE * cuda.blockIdx.y
    multiply_tiles(sums, left, right, a, b, row, column, a_transposed, b_transposed)
    finish_tile(sums, bias, out, kept, row, column, activation)


@gpu_kernel
def large_product_kernel(a, b, bias, out, kept, a_transposed, b_transposed, activation):
    """The same with tiles of 128 by 128."""
    real = real_of(a)
    left, right = shared_array((DEPTH, LARGE_WIDTH), real), shared_array((DEPTH, LARGE_WIDTH), real)
    sums = cuda.local.array((8, 8), real)
    row, column = LARGE_SIDE * cuda.blockIdx.x, LARGE_SIDE * cuda.blockIdx.y
    multiply_tiles(sums, left, right, a, b, row, column, a_transposed, b_transposed)
    finish_tile(sums, bias, out, kept, row, column, activation)


_ARGUMENTS = (2, 2, 1, 2, 2, bool, bool, int)
PROMISES = (
    Promise(product_kernel, _ARGUMENTS, threads=THREADS, load_bytes=16, occupancy=0.5),
    Promise(
        large_product_kernel,
        _ARGUMENTS,
        threads=THREADS,
        load_bytes=16,
        occupancy=0.25,
        dtypes=(torch.float16, torch.bfloat16, torch.float32),  # 64 sums in float64 leave no registers
    ),
)


def product(
    a: Tensor,
    b: Tensor,
    dtype: torch.dtype,
    bias: Tensor | None = None,
    activation: str | None = None,
    keep: bool = False,
) -> tuple[Tensor, Tensor]:
    """f(A B + bias) and, if it is to be kept, A B + bias, else an empty tensor; both in `dtype`.

    a: (m, k), b: (k, n), in any layout; bias: (n,) or None.
    """
    code = ACTIVATIONS.index(activation)
    shape = a.shape[0], b.shape[1]
    if not runs_on_gpu(a):
        wide_a, wide_b = _widened(a), _widened(b)
        out = wide_a.new_empty(*shape)
        # into a tensor of ours: autocast leaves out= alone, and the product stays in this dtype
        if bias is not None and code == NONE:
            torch.addmm(bias.to(out.dtype), wide_a, wide_b, out=out)
            return rounded(out, dtype), out.new_empty(0)
        torch.mm(wide_a, wide_b, out=out)
        kept = out.new_empty(*shape) if keep else out.new_empty(0, 0)
        if code != NONE:
            epilogue_twin(out, wide_or_empty(bias, out), kept, code)
        return rounded(out, dtype), rounded(kept, dtype)
    out, kept = a.new_empty(shape, dtype=dtype), a.new_empty(shape if keep else (0, 0), dtype=dtype)
    large = blocks(shape[0], LARGE_SIDE) * blocks(shape[1], LARGE_SIDE) >= ENOUGH
    large = large and sums_dtype(dtype) == torch.float32
    side = LARGE_SIDE if large else SIDE
    (a, a_transposed), (b, b_transposed) = _gapless(a), _gapless(b)
    grid = blocks(shape[0], side), blocks(shape[1], side)
    kernel = large_product_kernel if large else product_kernel
    extra = out.new_empty(0) if bias is None else bias.contiguous()
    launch(kernel, grid, (THREADS,), a, b, extra, out, kept, a_transposed, b_transposed, code)
    return out, kept


def _widened(matrix: Tensor) -> Tensor:
    """The matrix in the dtype of sums; torch's product takes any layout, and copies none that is only transposed."""
    return matrix.float() if matrix.dtype in HALF else matrix


def _gapless(matrix: Tensor) -> tuple[Tensor, bool]:
    """The matrix without gaps, or its transpose if that has none, and which of them it is."""
    if matrix.t().is_contiguous() and not matrix.is_contiguous():
        return matrix.t(), True
    return matrix.contiguous(), False
