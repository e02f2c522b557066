"""Compressed sparse rows (CSR): a matrix as its nonzeros, row after row.

    row r holds values[k] in column col[k] for crow[r] ≤ k < crow[r + 1]

crow has one entry more than there are rows, begins with 0, never falls and ends with the number of nonzeros; every
col[k] is one of 0 … columns − 1. Columns within a row may come in any order, and twice: such values add up. An index
that breaks these rules would make a kernel read memory that is not the matrix's. Asking beforehand costs a pass over
all indices, so it is asked where they are read anyway:

- a *CPU twin* compares each index as it comes by, never reads beyond, and reports; the launcher then looks for the
  cause and raises ValueError. Measured, this costs nothing beside the product.
- a *GPU kernel* compares too and never reads beyond, but to report it the CPU would have to wait for it: the row
  becomes nan.

Source: Y. Saad, Iterative Methods for Sparse Linear Systems, 2nd ed., 2003, section 3.4.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from kernels.backend import device_function
from kernels.ledger import Ledger, entry, imagine
from kernels.twin import jitable

INDEX_TYPES = (torch.int32, torch.int64)
PARTS_A_THREAD = 4  # into which the rows are cut: a few more than threads, should one be held up


def parts() -> int:
    """Into how many parts a CPU twin cuts the rows; each row is one thread's, so no bit depends on it."""
    return PARTS_A_THREAD * torch.get_num_threads()


def check_indices(crow: Tensor, col: Tensor, values: Tensor) -> None:
    """Refuse indices of the wrong dtype, shape or device; what they hold is looked at by the kernels."""
    for name, index in (("crow", crow), ("col", col)):
        if not isinstance(index, Tensor):
            raise TypeError(f"{name} must be a tensor, got {type(index).__name__}")
        if index.dtype not in INDEX_TYPES:
            raise TypeError(f"{name} must be int32 or int64, got {index.dtype}")
        if index.dim() != 1:
            raise ValueError(f"{name} must have one axis, got shape {tuple(index.shape)}")
        if index.device != values.device:
            raise ValueError(f"{name} must be on {values.device} like values, got {index.device}")
    if col.dtype != crow.dtype:
        raise TypeError(f"col must be {crow.dtype} like crow, got {col.dtype}")
    if crow.shape[0] == 0:
        raise ValueError("crow must have one entry more than there are rows, got none")
    if col.shape != values.shape:
        raise ValueError(f"col must have values' shape {tuple(values.shape)}, got {tuple(col.shape)}")


def check_structure(crow: Tensor, col: Tensor, columns: int) -> None:
    """Refuse indices that do not describe a matrix with so many columns."""
    first, last = int(crow[0]), int(crow[-1])
    if (first, last) != (0, len(col)):
        raise ValueError(
            f"crow must begin with 0 and end with {len(col)}, the length of col, got {first} and {last}"
        )
    falls = (crow.diff() < 0).nonzero()
    if len(falls):
        row = int(falls[0])
        raise ValueError(f"crow must never fall, got {int(crow[row])} at {row} and then {int(crow[row + 1])}")
    if len(col) and not (col.min() >= 0 and col.max() < columns):
        place = int(((col < 0) | (col >= columns)).nonzero()[0])
        raise ValueError(
            f"col must lie in 0 … {columns - 1}, the rows of dense, got {int(col[place])} at {place}"
        )


def rows_of(crow: Tensor, nonzeros: int) -> Tensor:
    """The row of every nonzero."""
    rows = torch.arange(crow.shape[0] - 1, dtype=crow.dtype, device=crow.device)
    return torch.repeat_interleave(rows, crow.diff(), output_size=nonzeros)


def row_steps(crow: Tensor, nonzeros: int) -> tuple[Ledger, ...]:
    """The chain of `rows_of`."""
    rows, each = imagine(crow, crow.shape[0] - 1), imagine(crow, nonzeros)
    return (
        entry("arange", (), (rows,), 0),
        entry("sub", (rows, rows), (rows,), 0),  # of indices: no FLOPs
        entry("repeat_interleave", (rows,), (each,), 0),
        entry("index_select", (rows, each), (each,), 0),
    )


@jitable
def part_start(crow: Any, nonzeros: Any, part: Any, of: Any) -> Any:
    """The first row of a part, with rows shared out by their nonzeros; a row itself counts as one more."""
    rows = crow.shape[0] - 1
    low, high = np.int64(0), np.int64(rows)
    if part == 0 or part == of:  # whatever crow holds, all rows are some part's
        return high if part else low
    wanted = (nonzeros + rows) * np.int64(part) // of
    while low < high:
        middle = (low + high) // 2
        if crow[middle] + middle < wanted:
            low = middle + 1
        else:
            high = middle
    return low


@jitable
def part_rows(crow: Any, nonzeros: Any, part: Any, of: Any) -> Any:
    """The first row of a part and the one after its last."""
    return part_start(crow, nonzeros, part, of), part_start(crow, nonzeros, part + 1, of)


@jitable
def row_bounds(crow: Any, row: Any, nonzeros: Any) -> Any:
    """The first nonzero of a row and the one after its last, and whether they are nonzeros of this matrix at all."""
    first, end = np.int64(crow[row]), np.int64(crow[row + 1])
    valid = first >= 0 and first <= end and end <= nonzeros
    return (first, end, True) if valid else (np.int64(0), np.int64(0), False)


@jitable
def ends_valid(crow: Any, nonzeros: Any) -> Any:
    """Whether the rows together hold all nonzeros."""
    return crow[0] == 0 and crow[crow.shape[0] - 1] == nonzeros


@device_function
def gpu_row_bounds(crow, row, nonzeros):
    """The same on a GPU."""
    first, end = crow[row], crow[row + 1]
    valid = first >= 0 and first <= end and end <= nonzeros
    return (first if valid else 0), (end if valid else 0), valid
