"""Convolution as an implicit product of matrices, on the GPU, with scale, shift and ReLU as its epilogue.

A row of the left factor is a filter; a column of the right one holds the numbers of x under the filter at one pixel.
Tiles of the right factor are gathered from x in shared memory, each number by the place of its row in a filter
(channel, height, width) and of its column in an image; everything else is tiles.py.
"""

import math

import numpy as np

from kernels.backend import cuda, device_function, gpu_kernel
from kernels.loads import load, real_of, store4
from kernels.products.tiles import (
    ACROSS,
    DEPTH,
    SIDE,
    THREADS,
    WIDTH,
    accumulate,
    across,
    clear,
    down,
    fill_transposed,
)
from kernels.promises import Promise
from kernels.shared import put4, shared_array


@device_function
def divided(number, by):
    """Quotient and remainder."""
    quotient = number // by
    return quotient, number - quotient * by


@device_function
def scale_and_shift(channel, bias, mean, variance, gamma, beta, eps):
    """What normalization does to a channel, as one multiplication and one addition."""
    real = type(eps)
    scale = real(1) / math.sqrt(load(variance, channel) + eps)
    if gamma.size:
        scale *= load(gamma, channel)
    shift = -load(mean, channel) * scale
    if bias.size:
        shift += load(bias, channel) * scale
    if beta.size:
        shift += load(beta, channel)
    return scale, shift


@gpu_kernel
def conv_bn_relu_kernel(
    x, weight, bias, mean, variance, gamma, beta, out, eps, filter_height, filter_width,
    stride_y, stride_x, padding_y, padding_x, dilation_y, dilation_x, out_width,
):  # fmt: skip
    """x: (batch, channels, height, width); weight: (channels out, numbers a filter); out: (batch channels, pixels).

    Pixels go by fours, none of which has pixels of two images: a thread makes four of them in four channels. Blocks:
    (fours of pixels / 16, channels of a group / 64, groups). bias, gamma and beta may be empty.
    """
    real = real_of(x)
    left, right = shared_array((DEPTH, WIDTH), real), shared_array((DEPTH, WIDTH), real)
    sums, pixels = cuda.local.array((4, 4), real), cuda.local.array(4, real)
    top, side = cuda.local.array(4, np.int64), cuda.local.array(4, np.int64)
    clear(sums)
    channels, taps = weight.shape[0] // cuda.gridDim.z, filter_height * filter_width
    first, row = channels * cuda.blockIdx.z, SIDE * cuda.blockIdx.y + down()  # of channels out
    inputs = weight.shape[1] // taps  # channels in, of a group
    fours = (out.shape[1] + 3) // 4  # of an image
    image, pixel = divided(ACROSS * cuda.blockIdx.x + cuda.threadIdx.x % ACROSS, fours)
    for j in range(4):
        y, z = divided(4 * pixel + j, out_width)
        top[j], side[j] = y * stride_y - padding_y, z * stride_x - padding_x
    for k in range(0, weight.shape[1], DEPTH):
        fill_transposed(left, weight, first + SIDE * cuda.blockIdx.y, k)
        channel, tap = divided(k + cuda.threadIdx.x // ACROSS, taps)
        below, beside = divided(tap, filter_width)
        for j in range(4):
            y, z = top[j] + below * dilation_y, side[j] + beside * dilation_x
            inside = y >= 0 and y < x.shape[2] and z >= 0 and z < x.shape[3]
            pixels[j] = real(0)
            if inside and image < x.shape[0] and channel < inputs:
                pixels[j] = load(x[image, inputs * cuda.blockIdx.z + channel, y], z)
        put4(right[cuda.threadIdx.x // ACROSS], across(), pixels[0], pixels[1], pixels[2], pixels[3])
        cuda.syncthreads()
        accumulate(sums, left, right)
        cuda.syncthreads()
    for i in range(4):
        if image < x.shape[0] and row + i < channels:
            channel = first + row + i
            scale, shift = scale_and_shift(channel, bias, mean, variance, gamma, beta, real(eps))
            for j in range(4):
                z = sums[i, j] * scale + shift
                sums[i, j] = real(0) if z < real(0) else z
            line = out[image * weight.shape[0] + channel]
            store4(line, 4 * pixel, sums[i, 0], sums[i, 1], sums[i, 2], sums[i, 3])


# room for two blocks: addresses of pixels take as many registers as the sums
CONVOLVING = Promise(
    conv_bn_relu_kernel,
    (4, 2, 1, 1, 1, 1, 1, 2, float, *(int,) * 9),
    threads=THREADS,
    load_bytes=16,
    occupancy=0.25,
)
