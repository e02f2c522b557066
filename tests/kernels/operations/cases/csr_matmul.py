"""csr_matmul."""

from collections.abc import Iterator
from typing import Any

import torch
from cases.case import Case, Size, Tensors, normal
from torch import Tensor

from kernels.products import csr_matmul

DENSITY = 0.3


def indices(
    rows: int, columns: int, draw: torch.Generator, density: float = DENSITY
) -> tuple[Tensor, Tensor]:
    """crow and col of a random pattern."""
    place = (torch.rand(rows, columns, generator=draw) < density).nonzero()
    crow = torch.zeros(rows + 1, dtype=torch.int64)
    crow[1:] = torch.bincount(place[:, 0], minlength=rows).cumsum(0)
    return crow, place[:, 1].contiguous()


def _make(index: torch.dtype, density: float = DENSITY) -> Any:
    def make(size: Size, draw: torch.Generator) -> Tensors:
        rows, columns, width = size
        crow, col = indices(rows, columns, draw, density)
        return normal(draw, len(col)), normal(draw, columns, width), crow.to(index), col.to(index)

    return make


def _ours(values: Tensor, dense: Tensor, crow: Tensor, col: Tensor) -> Tensors:
    return (csr_matmul(crow, col, values, dense),)


def _torchs(values: Tensor, dense: Tensor, crow: Tensor, col: Tensor) -> Tensors:
    row = torch.repeat_interleave(torch.arange(len(crow) - 1, device=crow.device), crow.diff())
    matrix = values.new_zeros(len(crow) - 1, dense.shape[0]).index_put((row, col.long()), values)
    return (matrix @ dense,)


TINY = ((5, 7, 3), (3, 6, 36))
EMPTY = ((0, 4, 3), (4, 0, 3), (4, 3, 0), (0, 0, 0))
CASES = (
    Case(
        "csr_matmul-int64",
        _ours,
        _torchs,
        _make(torch.int64),
        sizes=((1, 1, 1), (7, 5, 1), (33, 17, 4), (101, 67, 65), (40, 300, 131), (257, 513, 2)),
        tiny=TINY,
        empty=EMPTY,
    ),
    Case(
        "csr_matmul-int32",
        _ours,
        _torchs,
        _make(torch.int32, 0.05),
        sizes=((211, 1031, 1), (61, 503, 64), (3001, 40, 7)),
        tiny=((6, 40, 1), (9, 33, 5)),
        empty=EMPTY,
    ),
)


def calls() -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Operators with arguments in the order of their schemas; every row of dense is named."""
    draw = torch.Generator().manual_seed(0)
    for width in (1, 6, 20):
        crow, col = indices(8, 5, draw, 0.6)
        assert len(col.unique()) == 5
        values, dense, grad = (
            torch.randn(*shape, generator=draw) for shape in ((len(col),), (5, width), (8, width))
        )
        yield "csr_matmul", (crow, col, values, dense)
        # for the gradient of dense alone, a GPU's own sort reads col, which the simulated GPU does not see
        for given in ((values, dense), (None, dense)):
            yield "csr_matmul_backward", (grad, crow, col, *given, 5)


def _arguments(**changed: Any) -> tuple[Any, ...]:
    arguments = {
        "crow": torch.tensor([0, 2, 3]),
        "col": torch.tensor([0, 2, 1]),
        "values": torch.ones(3),
        "dense": torch.ones(3, 4),
    }
    return tuple((arguments | changed).values())


def _refused(error: type[Exception], message: str, **changed: Any) -> Any:
    return error, lambda: csr_matmul(*_arguments(**changed)), message


REFUSED = {
    "crow a list": _refused(TypeError, "crow must be a tensor, got list", crow=[0, 2, 3]),
    "values a list": _refused(TypeError, "values must be a tensor, got list", values=[1.0]),
    "crow of numbers": _refused(
        TypeError, "crow must be int32 or int64, got torch.float32", crow=torch.ones(3)
    ),
    "col of bytes": _refused(
        TypeError, "col must be int32 or int64, got torch.uint8", col=torch.ones(3, dtype=torch.uint8)
    ),
    "indices differ": _refused(
        TypeError, "col must be torch.int64 like crow, got torch.int32", col=torch.tensor([0, 2, 1]).int()
    ),
    "crow of two axes": _refused(
        ValueError, r"crow must have one axis, got shape \(1, 3\)", crow=torch.tensor([[0, 2, 3]])
    ),
    "no crow": _refused(ValueError, "crow must have one entry more", crow=torch.empty(0, dtype=torch.int64)),
    "col short": _refused(
        ValueError, r"col must have values' shape \(3,\), got \(2,\)", col=torch.tensor([0, 2])
    ),
    "dense a vector": _refused(
        ValueError, r"dense must have shape \(columns, n\), got \(3,\)", dense=torch.ones(3)
    ),
    "dense another dtype": _refused(
        TypeError,
        "dense must be torch.float32 like values, got torch.float64",
        dense=torch.ones(3, 4).double(),
    ),
    "crow begins late": _refused(
        ValueError, "crow must begin with 0 and end with 3.* got 1 and 3", crow=torch.tensor([1, 2, 3])
    ),
    "crow ends early": _refused(
        ValueError, "crow must begin with 0 and end with 3.* got 0 and 2", crow=torch.tensor([0, 1, 2])
    ),
    "crow falls": _refused(
        ValueError, "crow must never fall, got 2 at 1 and then 1", crow=torch.tensor([0, 2, 1, 3])
    ),
    "crow beyond": _refused(
        ValueError, "crow must never fall, got 9 at 1 and then 3", crow=torch.tensor([0, 9, 3])
    ),
    "crow negative": _refused(
        ValueError, "crow must never fall, got 0 at 0 and then -5", crow=torch.tensor([0, -5, 3])
    ),
    "col beyond": _refused(
        ValueError, "col must lie in 0 … 2, the rows of dense, got 3 at 1", col=torch.tensor([0, 3, 1])
    ),
    "col negative": _refused(
        ValueError, "col must lie in 0 … 2, the rows of dense, got -1 at 2", col=torch.tensor([0, 2, -1])
    ),
    "col beyond, a vector": _refused(
        ValueError,
        "col must lie in 0 … 2.* got 3 at 1",
        col=torch.tensor([0, 3, 1]),
        dense=torch.ones(3, 1),
    ),
}
