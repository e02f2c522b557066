"""Products with quantized weights (quantized.py) on the CPU: y = x Wᵀ and ∂x = g W.

*Few rows* of x: loops that turn weights into numbers in registers and multiply at once. With 8 bits four outputs go
side by side, so that x is loaded once for all four. With 4 bits a vector of bytes holds two vectors of weights, those
at even and those at odd places; x is split in the same way beforehand, and the halves never have to be put in order.
*Many rows*: torch's product is faster than any loop of ours, and the weights are dequantized a block of outputs at a
time, into a buffer that is used again and again: never all of them.
"""

import torch
from numba import prange
from torch import Tensor

from kernels.products.vectors import BYTES, nibbles, plus_product, plus_products, put, take, total_of, zeros
from kernels.twin import jitable, twin

FEW_BYTES, FEW_NIBBLES = 16, 4  # rows of x up to which the loops are faster than torch's product, measured
BLOCK = 256  # outputs dequantized at a time


@twin
def bytes_twin(x, weight, scale, bias, out):
    """y = x Wᵀ with 8 bits; at the end, the last output is computed up to four times over."""
    real, last = x.dtype.type, weight.shape[0] - 1
    for quad in prange((weight.shape[0] + 3) // 4):
        one = 4 * quad
        two, three, four = min(one + 1, last), min(one + 2, last), min(one + 3, last)
        for row in range(x.shape[0]):
            a, b, c, d = real(0), real(0), real(0), real(0)
            for k in range(x.shape[1]):
                a += x[row, k] * real(weight[one, k])
                b += x[row, k] * real(weight[two, k])
                c += x[row, k] * real(weight[three, k])
                d += x[row, k] * real(weight[four, k])
            out[row, one], out[row, two] = a * scale[one, 0], b * scale[two, 0]
            out[row, three], out[row, four] = c * scale[three, 0], d * scale[four, 0]
        if bias.size:
            for row in range(x.shape[0]):
                for output in range(one, four + 1):
                    out[row, output] += bias[output]


@jitable
def dot_nibbles(row, packed, scale, halves, start, width, group):
    """A row of x times a row of 4-bit weights; halves: x, even places first, flat, this row from `start` on."""
    lanes, half = BYTES // halves.itemsize, width // 2
    total = zeros(halves)
    for place in range(0, half, lanes):
        low, high = nibbles(packed, row * half + place, halves)
        part = plus_products(zeros(halves), low, take(halves, start + place, lanes))
        part = plus_products(part, high, take(halves, start + half + place, lanes))
        total = plus_product(total, scale[row, 2 * place // group], part)
    return total_of(total)


@twin
def nibbles_twin(packed, halves, scale, bias, out, group):
    """y = x Wᵀ with 4 bits; a group is a whole number of vectors."""
    width, flat, numbers = halves.shape[1], packed.reshape(-1), halves.reshape(-1)
    for output in prange(packed.shape[0]):
        for row in range(halves.shape[0]):
            total = dot_nibbles(output, flat, scale, numbers, row * width, width, group)
            out[row, output] = total + bias[output] if bias.size else total


@twin
def dequantize_bytes_twin(weight, scale, buffer, first):
    """A block of outputs from the `first` on."""
    real = buffer.dtype.type
    for row in prange(buffer.shape[0]):
        factor = scale[first + row, 0]
        for k in range(buffer.shape[1]):
            buffer[row, k] = factor * real(weight[first + row, k])


@twin
def dequantize_nibbles_twin(packed, scale, buffer, first, group):
    """The same with 4 bits, even places first."""
    real, half, lanes = buffer.dtype.type, packed.shape[1], BYTES // buffer.itemsize
    flat, bytes_ = buffer.reshape(-1), packed.reshape(-1)
    for row in prange(buffer.shape[0]):
        low_start, byte_start = row * 2 * half, (first + row) * half
        if group % (2 * lanes) == 0:
            for place in range(0, half, lanes):
                factor = scale[first + row, 2 * place // group]
                low, high = nibbles(bytes_, byte_start + place, buffer)
                put(flat, low_start + place, lanes, plus_product(zeros(buffer), factor, low))
                put(flat, low_start + half + place, lanes, plus_product(zeros(buffer), factor, high))
        else:
            for place in range(half):
                factor, both = scale[first + row, 2 * place // group], packed[first + row, place]
                buffer[row, place] = factor * real((both & 15) - 8)
                buffer[row, half + place] = factor * real((both >> 4) - 8)


def linear_on_cpu(x: Tensor, weight: Tensor, scale: Tensor, bias: Tensor, out: Tensor, group: int) -> None:
    """out = x Wᵀ + bias, all but weight without gaps in the dtype of sums; bias may be empty."""
    with_bytes, rows = weight.dtype == torch.int8, x.shape[0]
    if with_bytes and rows <= FEW_BYTES:
        bytes_twin(x, weight, scale, bias, out, elements=weight.numel())
    elif not with_bytes and rows <= FEW_NIBBLES and group % (2 * BYTES // x.itemsize) == 0:
        nibbles_twin(weight, even_first(x), scale, bias, out, group)
    else:
        x = x if with_bytes else even_first(x)
        buffer = x.new_empty((min(BLOCK, weight.shape[0]), x.shape[1]))
        for first in range(0, weight.shape[0], BLOCK):
            block = _dequantized(weight, scale, buffer, first, group)
            torch.mm(x, block.t(), out=out[:, first : first + BLOCK])
        if bias.numel():
            out += bias


def gradient_on_cpu(grad: Tensor, weight: Tensor, scale: Tensor, out: Tensor, group: int) -> None:
    """out = g W; grad, scale and out without gaps in the dtype of sums."""
    out.zero_()
    buffer = grad.new_empty((min(BLOCK, weight.shape[0]), out.shape[1]))
    for first in range(0, weight.shape[0], BLOCK):
        block = _dequantized(weight, scale, buffer, first, group)
        torch.addmm(out, grad[:, first : first + BLOCK], block, out=out)
    if weight.dtype != torch.int8:
        half = out.shape[1] // 2
        out.copy_(torch.stack((out[:, :half], out[:, half:]), -1).view(out.shape))


def even_first(x: Tensor) -> Tensor:
    """The columns of x at even places, then those at odd ones."""
    return torch.cat((x[:, 0::2], x[:, 1::2]), 1)


def _dequantized(weight: Tensor, scale: Tensor, buffer: Tensor, first: int, group: int) -> Tensor:
    block = buffer[: weight.shape[0] - first]
    if weight.dtype == torch.int8:
        dequantize_bytes_twin(weight, scale, block, first, elements=block.numel())
    else:
        dequantize_nibbles_twin(weight, scale, block, first, group, elements=block.numel())
    return block
