"""Weights of 8 or 4 bits as kernels read them, and products with them on a GPU: y = x Wᵀ and ∂x = g W.

A weight is a whole number q times a scale, W[o, k] = q[o, k] · scale[o, k // group]; with 8 bits one scale serves a
whole row (group = in). Only q and the scales are in memory. They become numbers of the dtype of sums in registers, on
their way into the product: multiplying is cheap, bytes are not.

*Words*. Kernels load the weights as words of 32 bits, four weights of 8 bits or eight of 4, the first in the lowest
bits. 16 bytes a lane are the widest access, and `load4` makes it for float32: so the words come disguised as float32,
and `.view(np.int32)` on a register gives the bits back. A row of 8-bit weights must be whole words for that; where its
width is no multiple of 4 a copy with a few zeros is taken.

*Few rows* of x, as when a language model writes one token: each weight is used once or a few times, all the time goes
into reading them. A warp takes an output, its lanes 16 bytes each, and they add up by shuffles. Several rows of x are
several warps of the same block; what the first has asked for the others find in cache.
*Many rows*: tiles (tiles.py), whose right one is filled with dequantized weights.

Source: J. Lin and others, AWQ: Activation-aware Weight Quantization, arXiv 2306.00978, section 4 (dequantizing in the
kernel; small batches are bound by reading the weights).
"""

import numpy as np
import torch
import torch.nn.functional as F
from numba import types
from torch import Tensor

from kernels.arguments import or_empty
from kernels.backend import blocks, cuda, device_function, gpu_kernel, launch
from kernels.lanes import WARP, warp_sum
from kernels.loads import load, load4, real_of, store
from kernels.products.epilogue import add_bias
from kernels.products.tiles import (
    DEPTH,
    SIDE,
    THREADS,
    WIDTH,
    accumulate,
    across,
    clear,
    fill_transposed,
    store_tile,
)
from kernels.promises import Promise
from kernels.shared import put4, shared_array

FEW = 4  # rows of x for which a warp takes an output; from more on, a tile uses what it has read more often
WARPS = 4  # of a block
WORDS = types.Array(types.float32, 2, "C")


@device_function
def four_weights(word, first, bits):
    """Four weights of a word as whole numbers of 32 bits: with 4 bits, those from the `first` on, which is 0 or 4."""
    held = word.view(np.int32)
    if bits == 8:
        return (
            np.int32(np.int32(held << 24) >> 24),  # up, and down again with copies of the sign
            np.int32(np.int32(held << 16) >> 24),
            np.int32(np.int32(held << 8) >> 24),
            np.int32(held >> 24),
        )
    held = np.int32(held >> (4 * first))
    return (
        np.int32((held & 15) - 8),
        np.int32((held >> 4 & 15) - 8),
        np.int32((held >> 8 & 15) - 8),
        np.int32((held >> 12 & 15) - 8),
    )


@device_function
def times_word(x, k, word, scale, group, bits):
    """Σ x[k + i] W[k + i] over the weights of a word, k being a multiple of as many; nothing beyond x's end."""
    real, total = real_of(x), real_of(x)(0)
    if k < x.shape[0]:
        for first in range(0, 32 // bits, 4):
            q_a, q_b, q_c, q_d = four_weights(word, first, bits)
            a, b, c, d = load4(x, k + first, real(0))
            total += a * real(q_a) + b * real(q_b) + c * real(q_c) + d * real(q_d)
        total *= load(scale, k // group)
    return total


@gpu_kernel
def few_rows_kernel(x, words, scale, bias, out, group, bits):
    """A warp takes an output of a row of x; warps side by side take the same output of different rows."""
    real, each = real_of(x), 32 // bits
    number = cuda.blockIdx.x * WARPS + cuda.threadIdx.x // WARP
    row, output = number % x.shape[0], number // x.shape[0]
    if output < out.shape[1]:
        total = real(0)
        for start in range(4 * (cuda.threadIdx.x % WARP), words.shape[1], 4 * WARP):
            a, b, c, d = load4(words[output], start, np.float32(0))
            k = start * each
            total += times_word(x[row], k, a, scale[output], group, bits)
            total += times_word(x[row], k + each, b, scale[output], group, bits)
            total += times_word(x[row], k + 2 * each, c, scale[output], group, bits)
            total += times_word(x[row], k + 3 * each, d, scale[output], group, bits)
        total = warp_sum(total)
        if cuda.threadIdx.x % WARP == 0:
            store(out[row], output, total + load(bias, output) if bias.size else total)


@device_function
def quad_of_weights(words, scale, output, k, width, group, bits):
    """W[output, k … k + 3], k being a multiple of 4; zeros beyond the end."""
    real = real_of(scale)
    a, b, c, d = real(0), real(0), real(0), real(0)
    if output < words.shape[0] and k < width:
        word = words[output, k * bits // 32]
        q_a, q_b, q_c, q_d = four_weights(word, k % (32 // bits), bits)
        factor = load(scale[output], k // group)
        a, b, c, d = factor * real(q_a), factor * real(q_b), factor * real(q_c), factor * real(q_d)
    return a, b, c, d


@gpu_kernel
def many_rows_kernel(x, words, scale, bias, out, group, bits):
    """y = x Wᵀ by tiles of 64 by 64."""
    real = real_of(x)
    left, right = shared_array((DEPTH, WIDTH), real), shared_array((DEPTH, WIDTH), real)
    sums = cuda.local.array((4, 4), real)
    row, column = SIDE * cuda.blockIdx.x, SIDE * cuda.blockIdx.y
    i, k = cuda.threadIdx.x // 4, 4 * (cuda.threadIdx.x % 4)
    clear(sums)
    for start in range(0, x.shape[1], DEPTH):
        fill_transposed(left, x, row, start)
        a, b, c, d = quad_of_weights(words, scale, column + i, start + k, x.shape[1], group, bits)
        right[k, i], right[k + 1, i], right[k + 2, i], right[k + 3, i] = real(a), real(b), real(c), real(d)
        cuda.syncthreads()
        accumulate(sums, left, right)
        cuda.syncthreads()
    add_bias(sums, bias, column)
    store_tile(out, row, column, sums)


@gpu_kernel
def gradient_kernel(grad, words, scale, out, group, bits):
    """∂x = g W by tiles of 64 by 64."""
    real = real_of(grad)
    left, right = shared_array((DEPTH, WIDTH), real), shared_array((DEPTH, WIDTH), real)
    sums = cuda.local.array((4, 4), real)
    row, column = SIDE * cuda.blockIdx.x, SIDE * cuda.blockIdx.y
    k, i = cuda.threadIdx.x // 16, across()
    clear(sums)
    for start in range(0, grad.shape[1], DEPTH):
        fill_transposed(left, grad, row, start)
        a, b, c, d = quad_of_weights(words, scale, start + k, column + i, out.shape[1], group, bits)
        put4(right[k], i, real(a), real(b), real(c), real(d))
        cuda.syncthreads()
        accumulate(sums, left, right)
        cuda.syncthreads()
    store_tile(out, row, column, sums)


FORWARD = (
    Promise(
        few_rows_kernel, (2, WORDS, 2, 1, 2, int, int), threads=WARPS * WARP, load_bytes=16, occupancy=0.5
    ),
    Promise(many_rows_kernel, (2, WORDS, 2, 1, 2, int, int), threads=THREADS, load_bytes=16, occupancy=0.5),
)
BACKWARD = Promise(gradient_kernel, (2, WORDS, 2, 2, int, int), threads=THREADS, load_bytes=16, occupancy=0.5)


def bits_of(weight: Tensor) -> int:
    """8 for int8; 4 for uint8, which holds two weights a byte."""
    return 8 if weight.dtype == torch.int8 else 4


def as_words(weight: Tensor) -> Tensor:
    """(out, bytes) as (out, words), in the disguise of float32."""
    short = -weight.shape[1] % 4
    whole = F.pad(weight, (0, short)) if short else weight.contiguous()
    return (whole.clone() if whole.storage_offset() % 4 else whole).view(torch.float32)


def linear_on_gpu(
    x: Tensor, weight: Tensor, scale: Tensor, bias: Tensor | None, out: Tensor, group: int
) -> None:
    """out = x Wᵀ + bias; x: (rows, in), out: (rows, out), scale: (out, groups), without gaps."""
    rows, outputs = out.shape
    arguments = x, as_words(weight), scale, or_empty(bias, x), out, group, bits_of(weight)
    if rows <= FEW:
        launch(few_rows_kernel, (blocks(rows * outputs, WARPS),), (WARPS * WARP,), *arguments)
    else:
        launch(many_rows_kernel, (blocks(rows, SIDE), blocks(outputs, SIDE)), (THREADS,), *arguments)


def gradient_on_gpu(grad: Tensor, weight: Tensor, scale: Tensor, out: Tensor, group: int) -> None:
    """out = g W; grad: (rows, out), out: (rows, in), scale: (out, groups), without gaps."""
    grid = blocks(out.shape[0], SIDE), blocks(out.shape[1], SIDE)
    launch(gradient_kernel, grid, (THREADS,), grad, as_words(weight), scale, out, group, bits_of(weight))
