"""Convolution, batch normalization and ReLU in one pass, for inference: y = max(0, scale (W ∗ x) + shift).

In inference a batch normalization is one multiplication and one addition for each channel, with numbers that are known
beforehand; with γ, β its weight and bias, μ, σ² its running statistics and b the convolution's bias,

    scale = γ / √(σ² + ε),     shift = β + (b − μ) scale.

*GPU*: an implicit matrix product. A filter is a row of W, (channels out, channels in × height × width), and a pixel of
the result a column: the numbers of x under the filter there. That matrix would be as many times larger than x as a
filter has taps; its tiles are made in shared memory, and it is never in memory as a whole. Scale, shift and ReLU follow
in registers.

*CPU*: torch's convolution, then scale, shift and ReLU in one pass in place. Folding scale into the filters would not
save that pass, which ReLU needs, and would multiply all filters at each call.

Ledger: x, the filters and the vectors are read once, y written once. Unfused, normalization and ReLU carry the result
to memory and back twice more.

Source: S. Chetlur et al., cuDNN: Efficient Primitives for Deep Learning, arXiv 1410.0759, section 3 (implicit product);
S. Ioffe, C. Szegedy, Batch Normalization, arXiv 1502.03167, section 3.1 (inference).
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from numba import prange
from torch import Tensor, nn
from torch.overrides import handle_torch_function, has_torch_function

from kernels.arguments import (
    as_real,
    check_input,
    follow_autocast_down,
    or_empty,
    rounded,
    wide_or_empty,
    widened,
)
from kernels.backend import blocks, cuda, device_function, gpu_kernel, launch, runs_on_gpu
from kernels.ledger import Ledger, entry, imagine
from kernels.loads import load, real_of, store4
from kernels.op import Operation
from kernels.products.conv_arguments import check_factors, check_modules, check_room, plain_padding
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
from kernels.twin import twin


def reference(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    mean: Tensor,
    variance: Tensor,
    gamma: Tensor | None,
    beta: Tensor | None,
    eps: float,
    stride: list[int],
    padding: list[int],
    dilation: list[int],
    groups: int,
) -> Tensor:
    """The same in plain torch: three operations."""
    filters, offset = weight.to(x.dtype), None if bias is None else bias.to(x.dtype)
    result = torch.convolution(x, filters, offset, stride, padding, dilation, False, [0, 0], groups)
    return F.relu(F.batch_norm(result, mean, variance, gamma, beta, training=False, eps=eps))


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


@twin
def conv_bn_relu_twin(lines, bias, mean, variance, gamma, beta, eps):
    """lines: (batch channels, pixels), the convolution without bias, changed in place."""
    real = lines.dtype.type
    channels, zero = mean.shape[0], real(0)
    for place in prange(lines.shape[0]):
        line, channel = lines[place], place % channels
        scale = real(1 / math.sqrt(variance[channel] + eps))
        if gamma.size:
            scale *= gamma[channel]
        shift = -mean[channel] * scale
        if bias.size:
            shift += bias[channel] * scale
        if beta.size:
            shift += beta[channel]
        for pixel in range(lines.shape[1]):
            value = line[pixel] * scale + shift
            line[pixel] = zero if value < zero else value


def _launch(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    mean: Tensor,
    variance: Tensor,
    gamma: Tensor | None,
    beta: Tensor | None,
    eps: float,
    stride: list[int],
    padding: list[int],
    dilation: list[int],
    groups: int,
) -> Tensor:
    if not runs_on_gpu(x):
        with torch.autocast("cpu", enabled=False):  # which would convert the factors again
            wide = F.conv2d(widened(x), widened(weight), None, stride, padding, dilation, groups).contiguous()
        vectors = tuple(wide_or_empty(vector, wide) for vector in (bias, mean, variance, gamma, beta))
        conv_bn_relu_twin(
            wide.view(wide.shape[0] * wide.shape[1], wide.shape[2] * wide.shape[3]), *vectors, eps
        )
        return rounded(wide, x.dtype)
    out = _fake(x, weight, bias, mean, variance, gamma, beta, eps, stride, padding, dilation, groups)
    x, (batch, channels, height, width) = x.contiguous(), out.shape
    vectors = (
        or_empty(bias, x),
        mean.contiguous(),
        variance.contiguous(),
        or_empty(gamma, x),
        or_empty(beta, x),
    )
    grid = (
        blocks(batch * blocks(height * width, 4), ACROSS),
        blocks(channels // groups, SIDE),
        groups if out.numel() else 0,
    )
    lines = out.view(batch * channels, height * width)
    launch(
        conv_bn_relu_kernel, grid, (THREADS,), x, weight.contiguous().flatten(1), *vectors, lines, as_real(eps, x),
        *weight.shape[2:], *stride, *padding, *dilation, width,
    )  # fmt: skip
    return out


def _fake(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    mean: Tensor,
    variance: Tensor,
    gamma: Tensor | None,
    beta: Tensor | None,
    eps: float,
    stride: list[int],
    padding: list[int],
    dilation: list[int],
    groups: int,
) -> Tensor:
    height, width = (
        (x.shape[2 + axis] + 2 * padding[axis] - dilation[axis] * (weight.shape[2 + axis] - 1) - 1)
        // stride[axis]
        + 1
        for axis in range(2)
    )
    return x.new_empty((x.shape[0], weight.shape[0], height, width))


def _ledger(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    mean: Tensor,
    variance: Tensor,
    gamma: Tensor | None,
    beta: Tensor | None,
    eps: float,
    stride: list[int],
    padding: list[int],
    dilation: list[int],
    groups: int,
) -> Ledger:
    made = (x.shape, weight, bias, mean, variance, gamma, beta, eps, stride, padding, dilation, groups)
    out = _fake(imagine(x, *made[0]), *made[1:])
    n, vectors = out.numel(), (mean, variance, gamma, beta)
    steps = (
        entry("convolution", (x, weight, bias), (out,), n * (2 * weight[0].numel() + (bias is not None))),
        entry("batch_norm", (out, *vectors), (out,), 4 * n),
        entry("relu", (out,), (out,), n),
    )
    flops = sum(step.flops for step in steps)
    return entry("conv_bn_relu", (x, weight, bias, *vectors), (out,), flops, steps)


conv_bn_relu_operation = Operation(
    schema="conv_bn_relu(Tensor x, Tensor weight, Tensor? bias, Tensor mean, Tensor variance, Tensor? gamma,"
    " Tensor? beta, float eps, int[] stride, int[] padding, int[] dilation, int groups) -> Tensor",
    launcher=_launch,
    fake=_fake,
    reference=reference,
    ledger=_ledger,
    promises=(
        Promise(
            conv_bn_relu_kernel,
            (4, 2, 1, 1, 1, 1, 1, 2, float, *(int,) * 9),
            threads=THREADS,
            load_bytes=16,
            occupancy=0.25,
        ),
    ),
)


def conv_bn_relu(x: Tensor, conv: nn.Conv2d, bn: nn.BatchNorm2d) -> Tensor:
    """relu(bn(conv(x))) in one pass, for inference.

    x: (batch, channels, height, width); conv with any stride, dilation and groups, and zeros as padding; bn in
    evaluation mode. The result is (batch, channels out, height out, width out) in x's dtype. It has no gradient:
    backward through it raises RuntimeError.

    Raises TypeError for a dtype or a module of another kind and ValueError for a shape, a device, a module in training
    mode or an option that is not supported. Source: arXiv 1410.0759, section 3; arXiv 1502.03167, section 3.1.
    """
    if has_torch_function((x,)):
        return handle_torch_function(conv_bn_relu, (x,), x, conv, bn)
    check_input("x", x)
    check_modules(x, conv, bn)
    padding = plain_padding(conv)
    check_room(x, conv, padding)
    x, weight, bias = follow_autocast_down(x, conv.weight, conv.bias)
    check_factors(x, weight, bias, bn)
    return conv_bn_relu_operation(
        x, weight, bias, bn.running_mean, bn.running_var, bn.weight, bn.bias, bn.eps,
        list(conv.stride), padding, list(conv.dilation), conv.groups,
    )  # fmt: skip
