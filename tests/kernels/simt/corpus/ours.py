"""The kernels of this package, launched as its operations launch them, against their formulas in float64."""

import math

import numpy as np
from corpus.case import Case, normal

from kernels.norms.add_rms_norm import add_rms_norm_kernel
from kernels.norms.rms_norm import rms_norm_kernel
from kernels.norms.rms_norm_backward import rms_norm_backward_kernel
from kernels.pointwise.bias_gelu import bias_gelu_kernel
from kernels.pointwise.bias_gelu_backward import bias_gelu_backward_kernel

EPS = 1e-5
NONE = (0, 0)  # the shape of what an operation leaves out


def normal_cdf(z):
    return np.vectorize(math.erfc, otypes=[float])(-z / math.sqrt(2)) / 2


def gelu(z):
    return z * normal_cdf(z)


def gelu_slope(z):
    return normal_cdf(z) + z * np.exp(-z * z / 2) / math.sqrt(2 * math.pi)


def gelu_tanh(z):
    return 0.5 * z * (1 + np.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3)))


def gelu_tanh_slope(z):
    """By a difference of high order: another route than the kernel's formula."""
    h = 1e-3
    near, far = gelu_tanh(z + h) - gelu_tanh(z - h), gelu_tanh(z + 2 * h) - gelu_tanh(z - 2 * h)
    return (8 * near - far) / (12 * h)


def root(x):
    return 1 / np.sqrt((x * x).mean(1, keepdims=True) + EPS)


def rms_norm(x, weight):
    return x * root(x) * (weight if weight.size else 1)


def rms_norm_slopes(grad, x, weight, grad_sum):
    """∂x and the terms of ∂w, row by row."""
    normed = x * root(x)
    scaled = grad * (weight if weight.size else 1)
    slope = (scaled - normed * (scaled * normed).mean(1, keepdims=True)) * root(x)
    return slope + (grad_sum if grad_sum.size else 0), grad * normed


def wide(*arrays):
    return tuple(array.astype(np.float64) for array in arrays)


def zeros(*shape):
    return np.zeros(shape, np.float32)


def empty_or(rng, wanted, *shape):
    return normal(rng, *shape) if wanted else zeros(*NONE[: len(shape)])


def bias_gelu(rows, width, tanh):
    function = gelu_tanh if tanh else gelu
    return Case(
        bias_gelu_kernel,
        (2, 2),
        (32, 1),
        lambda rng: (normal(rng, rows, width), normal(rng, width), zeros(rows, width), tanh),
        lambda x, bias, out, tanh: {2: function(np.add(*wide(x, bias)))},
        f"{rows}x{width}-{'tanh' if tanh else 'none'}",
        tolerance=1e-6,
    )


def bias_gelu_backward(rows, width, tanh):
    slope = gelu_tanh_slope if tanh else gelu_slope
    row_blocks = 2

    def expected(grad, x, bias, *_):
        grad, x, bias = wide(grad, x, bias)
        products = grad * slope(x + bias)
        return {3: products, 4: [products[block::row_blocks].sum(0) for block in range(row_blocks)]}

    return Case(
        bias_gelu_backward_kernel,
        (2, row_blocks),
        (32, 1),
        lambda rng: (
            *(normal(rng, rows, width), normal(rng, rows, width), normal(rng, width)),
            *(zeros(rows, width), zeros(row_blocks, width), tanh),
        ),
        expected,
        f"{rows}x{width}-{'tanh' if tanh else 'none'}",
        tolerance=2e-6,
    )


def rms_norm_forward(rows, width, weighted, with_sum):
    """`rms_norm`, or `add_rms_norm` with its second result."""
    eps = np.float32(EPS)

    def arguments(rng):
        inputs = [normal(rng, rows, width) for _ in range(1 + with_sum)]
        outputs = [zeros(rows, width) for _ in range(1 + with_sum)]
        return *inputs, empty_or(rng, weighted, width), *outputs, eps

    def expected(*arguments):
        if not with_sum:
            x, weight = wide(*arguments[:2])
            return {2: rms_norm(x, weight)}
        x, residual, weight = wide(*arguments[:3])
        return {3: rms_norm(x + residual, weight), 4: x + residual}

    return Case(
        add_rms_norm_kernel if with_sum else rms_norm_kernel,
        (3,),
        (32,),
        arguments,
        expected,
        f"{rows}x{width}-{'weight' if weighted else 'plain'}",
        tolerance=1e-6,
    )


def rms_norm_backward(rows, width, weighted, with_sum):
    """With and without what may be left out: weight and its gradient, and the gradient of a sum."""
    row_blocks = 2

    def arguments(rng):
        grad, x = normal(rng, rows, width), normal(rng, rows, width)
        weight, grad_sum = empty_or(rng, weighted, width), empty_or(rng, with_sum, rows, width)
        partial = zeros(row_blocks, width) if weighted else zeros(0, width)
        return grad, x, weight, grad_sum, zeros(rows, width), partial, np.float32(EPS)

    def expected(grad, x, weight, grad_sum, *_):
        slope, terms = rms_norm_slopes(*wide(grad, x, weight, grad_sum))
        parts = [terms[block::row_blocks].sum(0) for block in range(row_blocks)]
        return {4: slope, 5: parts} if weighted else {4: slope}

    return Case(
        rms_norm_backward_kernel,
        (row_blocks,),
        (32,),
        arguments,
        expected,
        f"{rows}x{width}-{'weight' if weighted else 'plain'}-{'sum' if with_sum else 'alone'}",
        tolerance=3e-6,
    )


CASES = (
    *(bias_gelu(*shape, tanh) for shape in ((1, 1), (5, 45)) for tanh in (False, True)),
    *(bias_gelu_backward(3, 37, tanh) for tanh in (False, True)),
    *(
        rms_norm_forward(*shape, weighted, with_sum)
        for shape, weighted in (((1, 1), False), ((4, 50), True))
        for with_sum in (False, True)
    ),
    *(rms_norm_backward(5, 40, *options) for options in ((True, True), (False, False))),
)
