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

import torch
import torch.nn.functional as F
from numba import prange
from torch import Tensor, nn
from torch.overrides import handle_torch_function, has_torch_function

from kernels.arguments import (
    as_real,
    check_input,
    multiplied_under_autocast,
    or_empty,
    rounded,
    wide_or_empty,
    widened,
)
from kernels.backend import blocks, launch, runs_on_gpu
from kernels.ledger import Ledger, entry, imagine
from kernels.op import Operation
from kernels.products.conv_arguments import check_factors, check_modules, check_room, plain_padding
from kernels.products.conv_kernel import CONVOLVING, conv_bn_relu_kernel
from kernels.products.tiles import ACROSS, SIDE, THREADS
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
    promises=(CONVOLVING,),
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
    x, weight, bias = multiplied_under_autocast(x, conv.weight, conv.bias)
    check_factors(x, weight, bias, bn)
    return conv_bn_relu_operation(
        x, weight, bias, bn.running_mean, bn.running_var, bn.weight, bn.bias, bn.eps,
        list(conv.stride), padding, list(conv.dilation), conv.groups,
    )  # fmt: skip
