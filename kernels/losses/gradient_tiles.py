"""Gradients from hidden and weight on a GPU, the logits computed again a tile at a time and never written.

A block takes 64 rows of hidden and walks along the classes. A tile of logits, 64 by 64, becomes a tile of slopes, their
gradients; put down in shared memory it is the left factor of the next product, slopes × weight, which is added to the
block's own rows of ∂hidden. For ∂weight the roles change, and the same kernel runs with hidden and weight in each
other's place: a block takes 64 classes and walks along the rows. Nobody else writes to a block's rows. So there are no
atomic additions, and the bits are the same every time.

Source: E. Wijmans et al., Cut Your Losses in Large-Vocabulary Language Models, arXiv 2411.09009, section 4.3, where
both gradients come from one pass, with locks.
"""

import math

from torch import Tensor

from kernels.arguments import as_real, or_empty
from kernels.backend import blocks, cuda, device_function, gpu_kernel, launch
from kernels.loads import load, load4, real_of, store4
from kernels.losses.row import gpu_row_scale, gpu_slope
from kernels.losses.targets import TARGET
from kernels.products.row_tiles import add_weighted, multiply_rows, put_transposed
from kernels.products.tiles import DEPTH, SIDE, THREADS, WIDTH, across, clear, down, store_tile
from kernels.promises import Promise, sums
from kernels.shared import shared_array


@device_function
def slope_at(z, row, place, classes, bias, target, grad, normalizers, count, ignore_index, smoothing):
    """The gradient of the logit z (without its bias) of class `place`; 0 beyond the matrix and in ignored rows."""
    real = type(z)
    slope = real(0)
    if row < target.shape[0] and place < classes:
        chosen = target[row]
        if chosen != ignore_index:
            if bias.size:
                z += load(bias, place)
            even = smoothing / real(classes)
            slope = gpu_slope(z, normalizers[row, 0], real(1) / normalizers[row, 1], even)
            if place == chosen:
                slope -= real(1) - smoothing
            slope *= gpu_row_scale(grad, count, row)
            if chosen < 0 or chosen >= classes:
                slope = real(math.nan)
    return slope


@device_function
def add_tile(out, row, column, tile):
    """Add a thread's part of a tile that begins at (row, column) to what the thread has written there."""
    for i in range(4):
        below, beside = row + down() + i, column + across()
        if below < out.shape[0]:
            a, b, c, d = load4(out[below], beside, type(tile[i, 0])(0))
            store4(out[below], beside, a + tile[i, 0], b + tile[i, 1], c + tile[i, 2], d + tile[i, 3])


@gpu_kernel
def gradient_tiles_kernel(
    own, other, bias, target, grad, normalizers, count, grad_own, grad_bias, ignore_index, smoothing, by_rows
):
    """own, other: hidden and weight if by_rows, else weight and hidden.

    grad: (rows,), or (1,) for all; grad_own and grad_bias may be empty.
    """
    real = real_of(own)
    slopes, right = shared_array((SIDE, WIDTH), real), shared_array((DEPTH, WIDTH), real)
    left = slopes[:DEPTH]  # is read for the last time before the slopes are written
    tile, bias_sum = cuda.local.array((4, 4), real), real(0)
    first, classes = SIDE * cuda.blockIdx.x, other.shape[0] if by_rows else own.shape[0]
    clear(tile)
    for column in range(0, grad_own.shape[1], SIDE):
        store_tile(grad_own, first, column, tile)
    for second in range(0, other.shape[0], SIDE):
        multiply_rows(tile, left, right, own, other, first, second)
        put_transposed(slopes, tile)
        # not in registers: what is done to these must be unrolled, and sixteen slopes would be a long program
        for part in range(16):
            i, j = down() + part % 4, across() + part // 4
            row, place = (first + i, second + j) if by_rows else (second + j, first + i)
            z = slopes[j, i]
            slopes[j, i] = slope_at(
                z, row, place, classes, bias, target, grad, normalizers, count, ignore_index, smoothing
            )
        cuda.syncthreads()
        if grad_bias.size and cuda.threadIdx.x < SIDE:
            for j in range(SIDE):
                bias_sum += slopes[j, cuda.threadIdx.x]
        if grad_own.size:
            for column in range(0, own.shape[1], SIDE):
                clear(tile)
                add_weighted(tile, slopes, right, other, second, column)
                add_tile(grad_own, first, column, tile)
        cuda.syncthreads()  # before the next tile of logits is brought to the place of the slopes
    if cuda.threadIdx.x < SIDE and first + cuda.threadIdx.x < grad_bias.size:
        grad_bias[first + cuda.threadIdx.x] = bias_sum


PROMISES = (
    Promise(
        gradient_tiles_kernel,
        (2, 2, 1, TARGET, sums(1), sums(2), sums(1), sums(2), sums(1), int, float, bool),
        threads=THREADS,
        load_bytes=16,
        occupancy=0.375,
    ),
)


def gradients_by_tiles(
    gradients: tuple[Tensor, Tensor, Tensor],
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    target: Tensor,
    grad: Tensor,
    normalizers: Tensor,
    count: Tensor,
    ignore_index: int,
    label_smoothing: float,
) -> None:
    """Write the gradients of hidden, weight and bias; one without elements is not needed."""
    grad_hidden, grad_weight, grad_bias = gradients
    vectors = or_empty(bias, hidden), target, grad, normalizers, count
    numbers = ignore_index, as_real(label_smoothing, hidden)
    if grad_hidden.numel():
        outputs, grid = (grad_hidden, grad_bias[:0]), (blocks(hidden.shape[0], SIDE),)
        launch(gradient_tiles_kernel, grid, (THREADS,), hidden, weight, *vectors, *outputs, *numbers, True)
    if grad_weight.numel() or grad_bias.numel():
        outputs, grid = (grad_weight, grad_bias), (blocks(weight.shape[0], SIDE),)
        launch(gradient_tiles_kernel, grid, (THREADS,), weight, hidden, *vectors, *outputs, *numbers, False)
