"""Losses from hidden and weight on a GPU, the logits computed a tile at a time and never written.

A block takes 64 rows of hidden and walks along the classes, 64 at a time. A tile of logits is a product of tiles
(kernels/products/tiles.py) and stays in registers, 4 by 4 numbers a thread. Each thread carries for each of its four
rows what softmax and loss need of the logits it has seen: their maximum m, Σ exp(z − m), Σ z, and the target's logit if
it was among them. At the end the 16 threads that share rows put theirs together.

There may be too few rows for all of a GPU's multiprocessors, so the classes are cut into splits, with blocks of their
own, and a second kernel, a thread for each row, merges what the splits have found.

Source: E. Wijmans et al., Cut Your Losses in Large-Vocabulary Language Models, arXiv 2411.09009, section 4.2; the
merging as in M. Milakov, N. Gimelshein, arXiv 1805.02867, section 3.1.
"""

import math

import torch
from torch import Tensor

from kernels.arguments import as_real, or_empty
from kernels.backend import blocks, cuda, gpu_kernel, launch
from kernels.lanes import MAX_THREADS
from kernels.loads import load, load4, real_of, store4
from kernels.losses.row import gpu_row_loss
from kernels.losses.targets import TARGET
from kernels.products.row_tiles import max_of_row, multiply_rows, sum_of_row
from kernels.products.tiles import DEPTH, SIDE, THREADS, WIDTH, across, down
from kernels.promises import Promise, sums
from kernels.shared import shared_array

BLOCKS = 512  # about as many as keep a large GPU busy


@gpu_kernel
def loss_tiles_kernel(hidden, weight, bias, target, shares, lowest):
    """shares: (splits, rows, 4), for the classes of each split m, Σ exp(z − m), Σ z and the target's z or 0."""
    real = real_of(hidden)
    left, right = shared_array((DEPTH, WIDTH), real), shared_array((DEPTH, WIDTH), real)
    z = cuda.local.array((4, 4), real)
    largest, exponentials = cuda.local.array(4, real), cuda.local.array(4, real)
    total, chosen = cuda.local.array(4, real), cuda.local.array(4, real)
    for i in range(4):
        largest[i], exponentials[i], total[i], chosen[i] = lowest, real(0), real(0), real(0)
    first_row, classes = SIDE * cuda.blockIdx.x, weight.shape[0]
    for first in range(SIDE * cuda.blockIdx.y, classes, SIDE * cuda.gridDim.y):
        multiply_rows(z, left, right, hidden, weight, first_row, first)
        for i in range(4):
            row, before = first_row + down() + i, largest[i]
            right_class = target[row] if row < target.shape[0] else -1
            for j in range(4):
                place = first + across() + j
                if place < classes:
                    if bias.size:
                        z[i, j] += load(bias, place)
                    if place == right_class:
                        chosen[i] = z[i, j]
                    total[i] += z[i, j]
                    largest[i] = max(largest[i], z[i, j])
                else:
                    z[i, j] = -real(math.inf)
            exponentials[i] *= math.exp(before - largest[i])
            for j in range(4):
                exponentials[i] += math.exp(z[i, j] - largest[i])
    for i in range(4):
        row, largest_of_row = first_row + down() + i, max_of_row(largest[i])
        own = sum_of_row(exponentials[i] * math.exp(largest[i] - largest_of_row))
        total_of_row, chosen_of_row = sum_of_row(total[i]), sum_of_row(chosen[i])
        if across() == 0 and row < hidden.shape[0]:
            store4(shares[cuda.blockIdx.y, row], 0, largest_of_row, own, total_of_row, chosen_of_row)


@gpu_kernel
def merging_kernel(shares, target, losses, normalizers, ignore_index, classes, smoothing, lowest):
    """shares: (splits, rows, 4), normalizers: (rows, 2), the others (rows,)."""
    real, row = real_of(shares), cuda.grid(1)
    if row < losses.shape[0]:
        largest, exponentials, total, chosen = lowest, real(0), real(0), real(0)
        for split in range(shares.shape[0]):
            own, own_exponentials, own_total, own_chosen = load4(shares[split, row], 0, real(0))
            before, largest = largest, max(largest, own)
            exponentials *= math.exp(before - largest)
            exponentials += own_exponentials * math.exp(own - largest)
            total, chosen = total + own_total, chosen + own_chosen
        loss = real(0)
        if target[row] != ignore_index:
            if target[row] < 0 or target[row] >= classes:
                chosen = real(math.nan)
            mean = total / real(classes)
            loss = gpu_row_loss(largest, exponentials, chosen, real(0), mean, smoothing)
        losses[row], normalizers[row, 0], normalizers[row, 1] = loss, largest, exponentials


PROMISES = (
    Promise(
        loss_tiles_kernel, (2, 2, 1, TARGET, sums(3), float), threads=THREADS, load_bytes=16, occupancy=0.375
    ),
    Promise(
        merging_kernel,
        (sums(3), TARGET, sums(1), sums(2), int, int, float, float),
        threads=MAX_THREADS,
        load_bytes=16,
        occupancy=0.75,
    ),
)


def losses_by_tiles(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    target: Tensor,
    losses: Tensor,
    normalizers: Tensor,
    ignore_index: int,
    label_smoothing: float,
) -> None:
    """Write the losses of rows, (rows,), and their maxima and sums of exponentials, (rows, 2)."""
    rows, classes = hidden.shape[0], weight.shape[0]
    down = blocks(rows, SIDE)
    splits = max(1, min(blocks(classes, SIDE), BLOCKS // max(down, 1)))
    shares = losses.new_empty((splits, rows, 4))
    lowest = as_real(torch.finfo(losses.dtype).min, hidden)
    inputs = hidden, weight, or_empty(bias, hidden), target
    launch(loss_tiles_kernel, (down, splits), (THREADS,), *inputs, shares, lowest)
    numbers = ignore_index, classes, as_real(label_smoothing, hidden), lowest
    grid = (blocks(rows, MAX_THREADS),)
    launch(merging_kernel, grid, (MAX_THREADS,), shares, target, losses, normalizers, *numbers)
