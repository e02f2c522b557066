"""Elementwise operations, on (size, size) numbers."""

import torch.nn.functional as F
from torch import Tensor

from kernels.bench.case import Case, Draw

DROPPED = 0.1


def _swiglu(gate: Tensor, up: Tensor) -> Tensor:
    return F.silu(gate) * up


def _dropout_add(x: Tensor, residual: Tensor) -> Tensor:
    return F.dropout(x, DROPPED) + residual


def _two(size: int, draw: Draw) -> tuple[Tensor, Tensor]:
    return draw.normal(size, size), draw.normal(size, size)


CASES = (
    Case(
        "bias_gelu",
        lambda size, draw: (draw.normal(size, size), draw.normal(size)),
        lambda x, bias: F.gelu(x + bias),
        kind="elementwise",
    ),
    Case("swiglu", _two, _swiglu, liger=lambda liger: liger.liger_swiglu, kind="elementwise"),
    # torch draws its mask from a generator, ours from a counter: the same work, other numbers
    Case("dropout_add", _two, _dropout_add, options={"p": DROPPED, "seed": 0}, kind="elementwise"),
)
