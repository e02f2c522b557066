"""The 2:4 format: of every four neighbors in a row at most two are kept, and it is noted which.

    A[r, 4g + index[r, 2g + i]] = values[r, 2g + i]   for i = 0, 1;   all other elements are 0

So values and index are (rows, columns/2); an index is 0 … 3 and takes a byte here (in hardware two bits). If both of
a pair name the same place their values add up. Where CSR must say which column each nonzero is in, here a group of four
says where its own two are; all rows are equally long, and no processor waits for the longest.

The speed-up that the format is known for, up to twice, belongs to the *sparse tensor cores* of NVIDIA GPUs from Ampere
on, which skip the zeros within one instruction. Plain cores, which CUDA in Numba and CPUs have, multiply four neighbors
at once or none: to them the format saves bytes, and no multiplications. So kernels here put the zeros back on the way
into registers or a small buffer, and multiply as if the matrix were dense.

Source: A. Mishra and others, Accelerating Sparse Deep Neural Networks, arXiv 2104.08378, sections 3 and 4.
"""

from typing import Any

import torch
from numba import prange
from torch import Tensor

from kernels.arguments import check_input
from kernels.backend import device_function
from kernels.loads import load, real_of
from kernels.twin import twin

BLOCK = 256  # rows that a CPU puts the zeros back into at a time


def to_sparse24(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Keep the two largest of every four neighbors, by magnitude, of equals the first: (values, index).

    matrix: (rows, columns), columns a multiple of 4; values: (rows, columns/2) in its dtype, index: the same shape in
    uint8. Gradients flow from values to the elements kept. Raises TypeError for a dtype and ValueError for a shape.
    Source: arXiv 2104.08378, section 4.
    """
    check_input("matrix", matrix)
    if matrix.dim() != 2 or matrix.shape[1] % 4:
        shape = tuple(matrix.shape)
        raise ValueError(f"matrix must have shape (rows, columns), columns a multiple of 4, got {shape}")
    groups = matrix.unflatten(1, (matrix.shape[1] // 4, 4))
    by_size = groups.detach().abs().sort(dim=-1, descending=True, stable=True).indices
    kept = by_size[..., :2].sort(-1).values
    return groups.gather(-1, kept).flatten(1), kept.flatten(1).to(torch.uint8)


def columns_of(index: Tensor) -> Tensor:
    """The column of every value, (rows, columns/2) int64."""
    groups = index.shape[1] // 2
    start = torch.arange(0, 4 * groups, 4, device=index.device).unsqueeze(-1)
    return (index.long().unflatten(1, (groups, 2)) + start).flatten(1)


def with_zeros(values: Tensor, index: Tensor) -> Tensor:
    """The whole matrix, (rows, columns)."""
    rows, half = values.shape
    empty = torch.zeros((rows, 2 * half), dtype=values.dtype, device=values.device)
    return empty.scatter_add(1, columns_of(index), values)


def check_places(index: Tensor) -> None:
    """Refuse places beyond 3: a pass over the index on the CPU; on a GPU kernels take the lower two bits instead."""
    if index.numel() and index.max() > 3:
        raise ValueError(f"index must hold places from 0 to 3, got {int(index.max())}")


@device_function
def quad_at(values, index, row, group):
    """Four neighbors of a row, zeros put back."""
    zero = real_of(values)(0)
    a, b, c, d = zero, zero, zero, zero
    for i in range(2):
        value, place = load(values[row], 2 * group + i), index[row, 2 * group + i] & 3
        a += value if place == 0 else zero
        b += value if place == 1 else zero
        c += value if place == 2 else zero
        d += value if place == 3 else zero
    return a, b, c, d


@twin
def with_zeros_twin(values, index, buffer, first):
    """A block of rows from the `first` on, with its zeros."""
    zero = values.dtype.type(0)
    for row in prange(buffer.shape[0]):
        for group in range(values.shape[1] // 2):
            one, other = values[first + row, 2 * group], values[first + row, 2 * group + 1]
            at, then = index[first + row, 2 * group], index[first + row, 2 * group + 1]
            for place in range(4):
                kept = one if at == place else zero
                buffer[row, 4 * group + place] = kept + (other if then == place else zero)


def blocks_of(values: Tensor, index: Tensor) -> Any:
    """(first row, block of rows with zeros) over all rows; the block is overwritten by the next one."""
    rows, half = values.shape
    buffer = values.new_empty((min(BLOCK, rows), 2 * half))
    for first in range(0, rows, BLOCK):
        block = buffer[: rows - first]
        with_zeros_twin(values, index, block, first, elements=block.numel())
        yield first, block
