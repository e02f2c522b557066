"""sparse24_matmul."""

from collections.abc import Iterator
from typing import Any

import torch
from cases.case import Case, Size, Tensors, normal
from torch import Tensor

from kernels.products import sparse24_matmul, to_sparse24


def _make(size: Size, draw: torch.Generator) -> Tensors:
    rows, groups, width = size
    index = torch.randint(0, 4, (rows, 2 * groups), generator=draw, dtype=torch.uint8)
    return normal(draw, rows, 2 * groups), normal(draw, 4 * groups, width), index


def _torchs(values: Tensor, dense: Tensor, index: Tensor) -> Tensors:
    column = index.long() + torch.arange(index.shape[1], device=index.device) // 2 * 4
    row = torch.arange(len(index), device=index.device).unsqueeze(-1).expand_as(column)
    zeros = values.new_zeros(len(values), dense.shape[0])
    return (zeros.index_put((row, column), values, accumulate=True) @ dense,)


CASES = (
    Case(
        "sparse24_matmul",
        lambda values, dense, index: (sparse24_matmul(values, index, dense),),
        _torchs,
        _make,
        sizes=((1, 1, 1), (7, 5, 1), (33, 17, 4), (67, 19, 131), (300, 3, 2), (5, 300, 9)),  # rows, groups, n
        tiny=((5, 3, 3), (70, 2, 9), (3, 18, 66)),
        empty=((0, 4, 3), (4, 0, 3), (4, 3, 0), (0, 0, 0)),
    ),
)


def calls() -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Operators with arguments in the order of their schemas."""
    draw = torch.Generator().manual_seed(0)
    for width in (1, 10):
        values, dense, index = _make((6, 5, width), draw)
        values, dense, grad = values.float(), dense.float(), torch.randn(6, width, generator=draw)
        yield "sparse24_matmul", (values, index, dense)
        for given in ((values, dense), (None, dense), (values, None)):
            yield "sparse24_matmul_backward", (grad, index, *given)


def _refused(error: type[Exception], message: str, **changed: Any) -> Any:
    arguments = {
        "values": torch.ones(2, 4),
        "index": torch.tensor([[0, 1, 2, 3]] * 2, dtype=torch.uint8),
        "dense": torch.ones(8, 3),
    }
    return error, lambda: sparse24_matmul(**(arguments | changed)), message


REFUSED = {
    "values a list": _refused(TypeError, "values must be a tensor, got list", values=[1.0]),
    "index wide": _refused(
        TypeError,
        "index must be a tensor of uint8 or int8, got torch.int64",
        index=torch.ones(2, 4, dtype=torch.int64),
    ),
    "index a list": _refused(
        TypeError, "index must be a tensor of uint8 or int8, got list", index=[[0, 1, 2, 3]] * 2
    ),
    "index short": _refused(
        ValueError,
        r"index must have values' shape \(2, 4\), got \(2, 2\)",
        index=torch.ones(2, 2, dtype=torch.uint8),
    ),
    "odd values": _refused(
        ValueError,
        r"values must have shape \(rows, columns/2\), in pairs, got \(2, 3\)",
        values=torch.ones(2, 3),
    ),
    "dense of half the rows": _refused(
        ValueError, r"dense must have shape \(8, n\), got \(4, 3\)", dense=torch.ones(4, 3)
    ),
    "dense another dtype": _refused(
        TypeError,
        "dense must be torch.float32 like values, got torch.float64",
        dense=torch.ones(8, 3).double(),
    ),
    "a fifth place": _refused(
        ValueError,
        "index must hold places from 0 to 3, got 4",
        index=torch.tensor([[0, 4, 2, 3]] * 2, dtype=torch.uint8),
    ),
    "a negative place": _refused(
        ValueError,
        "index must hold places from 0 to 3, got 255",
        index=torch.tensor([[0, -1, 2, 3]] * 2, dtype=torch.int8),
    ),
    "five columns": (
        ValueError,
        lambda: to_sparse24(torch.ones(2, 5)),
        r"columns a multiple of 4, got \(2, 5\)",
    ),
    "whole numbers": (
        TypeError,
        lambda: to_sparse24(torch.ones(2, 4).long()),
        "matrix must be float16.* got torch.int64",
    ),
}
