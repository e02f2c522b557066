"""What follows a product of matrices while its numbers are still in registers: a bias and an activation.

Unfused, z = A B goes to memory, is read, has its bias added, is written, is read for the activation and written again.
Here y = f(z + bias) is computed from sums that nobody has written yet. Kernels know an activation by its place in
`ACTIVATIONS`: a test of a number that is the same for all threads costs nothing beside a product.

Backward, ∂z = g f′(z). The slope of ReLU can be told from y; those of the others need z, which was never written: where
a gradient will be wanted, the forward pass writes z too (`KEEPS`). To compute the product again would be exact as well,
and cost a third more arithmetic; z costs one write and one read.

Source: NVIDIA, cuBLAS Library, "cublasLtEpilogue_t" (the same choice: GELU_AUX keeps z).
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from numba import prange
from torch import Tensor

from kernels.backend import device_function
from kernels.loads import load4, real_of
from kernels.pointwise.gelu import cpu_gelu, cpu_gelu_tanh, gpu_gelu, gpu_gelu_tanh
from kernels.pointwise.silu import cpu_silu, gpu_silu
from kernels.products.tiles import across, place
from kernels.twin import twin

ACTIVATIONS = (None, "relu", "gelu", "gelu_tanh", "silu")
NONE, RELU, GELU, GELU_TANH, SILU = range(5)
KEEPS = ("gelu", "gelu_tanh", "silu")  # their slopes need z itself
FLOPS = {None: 0, "relu": 1, "gelu": 4, "gelu_tanh": 9, "silu": 4}  # an element
ACTIVATE: dict[str | None, Callable[[Tensor], Tensor]] = {
    None: lambda z: z,
    "relu": F.relu,
    "gelu": F.gelu,
    "gelu_tanh": lambda z: F.gelu(z, approximate="tanh"),
    "silu": F.silu,
}


@device_function
def add_bias(sums, bias, column):
    """Add bias, (columns,) or empty, to the sums of a tile that begins at `column`."""
    if bias.size:
        for j in range(0, sums.shape[1], 4):
            a, b, c, d = load4(bias, column + place(across(), j), real_of(sums)(0))
            for i in range(sums.shape[0]):
                sums[i, j] += a
                sums[i, j + 1] += b
                sums[i, j + 2] += c
                sums[i, j + 3] += d


@device_function
def activate_two(sums, first, activation):
    """The activation on two rows of a thread's sums."""
    for i in range(first, first + 2):
        for j in range(sums.shape[1]):
            z = sums[i, j]
            if activation == RELU:
                sums[i, j] = type(z)(0) if z < type(z)(0) else z  # in this order nan stays nan
            elif activation == GELU:
                sums[i, j] = gpu_gelu(z)
            elif activation == GELU_TANH:
                sums[i, j] = gpu_gelu_tanh(z)
            elif activation == SILU:
                sums[i, j] = gpu_silu(z)


@device_function
def activate(sums, activation):
    """The activation on a thread's sums, four or eight rows of them.

    Two rows at a time: the compiler unrolls a loop, and the sums stay in registers, only while its body is small.
    """
    activate_two(sums, 0, activation)
    activate_two(sums, 2, activation)
    if sums.shape[0] > 4:
        activate_two(sums, 4, activation)
        activate_two(sums, 6, activation)


@twin
def epilogue_twin(product, bias, kept, activation):
    """product: (rows, width), changed in place; bias: (width,) or empty; kept: (rows, width), for z, or (0, 0)."""
    width = product.shape[1]
    for row in prange(product.shape[0]):
        values = product[row]
        if bias.size:
            for column in range(width):
                values[column] += bias[column]
        if kept.size:
            for column in range(width):
                kept[row, column] = values[column]
        if activation == RELU:
            for column in range(width):
                values[column] = 0 if values[column] < 0 else values[column]
        elif activation == GELU:
            for column in range(width):
                values[column] = cpu_gelu(values[column])
        elif activation == GELU_TANH:
            for column in range(width):
                values[column] = cpu_gelu_tanh(values[column])
        elif activation == SILU:
            for column in range(width):
                values[column] = cpu_silu(values[column])


def check_activation(activation: str | None) -> None:
    """Refuse a name that is not in ACTIVATIONS."""
    if activation not in ACTIVATIONS:
        names = ", ".join(f'"{name}"' for name in ACTIVATIONS if name)
        raise ValueError(f"activation must be None, {names}, got {activation!r}")


def keeps(activation: str | None, *tensors: Tensor | None) -> bool:
    """Whether the forward pass has to write z: somebody will want a gradient that needs it."""
    return (
        activation in KEEPS
        and torch.is_grad_enabled()
        and any(tensor is not None and tensor.requires_grad for tensor in tensors)
    )
