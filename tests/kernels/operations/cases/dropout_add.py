"""dropout_add."""

from collections.abc import Iterator
from typing import Any

import torch
from cases.case import Case, normal
from torch import Tensor

import kernels
from kernels.pointwise.dropout import kept


def _in_torch(x: Tensor, residual: Tensor, p: float, seed: Tensor) -> Tensor:
    """With the mask as a tensor; test_dropout_add.py holds the mask itself to a second implementation."""
    return residual + x * kept(x, p, seed) / (1 - p)


CASES = (
    Case(
        "dropout_add",
        lambda x, residual, seed: (kernels.dropout_add(x, residual, 0.3, seed),),
        lambda x, residual, seed: (_in_torch(x, residual, 0.3, seed),),
        lambda size, draw: (
            normal(draw, *size),
            normal(draw, *size),
            torch.randint(-(2**62), 2**62, (), generator=draw),
        ),
    ),
    Case(
        "dropout_add-int",
        lambda x, residual: (kernels.dropout_add(x, residual, 0.5, 42),),
        lambda x, residual: (_in_torch(x, residual, 0.5, torch.tensor(42)),),
        lambda size, draw: (normal(draw, *size), normal(draw, *size)),
    ),
)


def calls() -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Operators with arguments in the order of their schemas."""
    draw = torch.Generator().manual_seed(0)
    x, residual = (torch.randn(3, 7, 9, generator=draw) for _ in range(2))
    for p in (0.1, 1.0):
        for seed in (torch.tensor(3), torch.tensor([-(2**63)])):
            yield "dropout_add", (x, residual, p, seed)
            yield "dropout_add_backward", (x, p, seed)


def _with(**other: Any) -> Any:
    """A call with one argument that does not fit."""
    x = torch.randn(3, 4)
    return lambda: kernels.dropout_add(**{"x": x, "residual": x, "p": 0.5, "seed": 1} | other)


REFUSED = {
    "a list": (TypeError, _with(x=[1.0]), "x must be a tensor, got list"),
    "no residual": (TypeError, _with(residual=None), "residual must be a tensor, got NoneType"),
    "short residual": (
        ValueError,
        _with(residual=torch.ones(4)),
        r"residual must have x's shape \(3, 4\), got \(4,\)",
    ),
    "half residual": (TypeError, _with(residual=torch.ones(3, 4).half()), "residual must be torch.float32"),
    "p below 0": (ValueError, _with(p=-0.1), "p must be from 0 to 1, got -0.1"),
    "p above 1": (ValueError, _with(p=1.5), "p must be from 0 to 1, got 1.5"),
    "p is not a number": (ValueError, _with(p=float("nan")), "p must be from 0 to 1, got nan"),
    "p is a string": (TypeError, _with(p="0.5"), "p must be a number, got str"),
    "a fraction for a seed": (TypeError, _with(seed=1.0), "seed must be an int .*, got float"),
    "a truth for a seed": (TypeError, _with(seed=True), "seed must be an int .*, got bool"),
    "no seed": (TypeError, _with(seed=None), "seed must be an int .*, got NoneType"),
    "a long seed": (ValueError, _with(seed=2**63), r"seed must be from -2\*\*63 .*, got 9223372036854775808"),
    "a floating seed": (TypeError, _with(seed=torch.tensor(1.0)), "seed must be .*, got torch.float32"),
    "a bad seed in evaluation": (TypeError, _with(seed="1", training=False), "seed must be .*, got str"),
    "two seeds": (
        ValueError,
        _with(seed=torch.tensor([1, 2])),
        r"seed must have one element, got shape \(2,\)",
    ),
    "seed elsewhere": (
        ValueError,
        _with(seed=torch.tensor(1, device="meta")),
        "seed must be on cpu like x, got meta",
    ),
}
