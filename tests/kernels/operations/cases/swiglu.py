"""swiglu."""

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from cases.case import Case, normal

import kernels

CASES = (
    Case(
        "swiglu",
        lambda gate, up: (kernels.swiglu(gate, up),),
        lambda gate, up: (F.silu(gate) * up,),
        lambda size, draw: (normal(draw, *size), normal(draw, *size)),
    ),
)


def calls() -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Operators with arguments in the order of their schemas."""
    draw = torch.Generator().manual_seed(0)
    gate, up, grad = (torch.randn(3, 7, 8, generator=draw) for _ in range(3))
    yield "swiglu", (gate, up)
    for needs in ((up, True), (up, False), (None, True)):
        yield "swiglu_backward", (grad, gate, *needs)


def _gate() -> torch.Tensor:
    return torch.randn(3, 4)


REFUSED = {
    "a list": (
        TypeError,
        lambda: kernels.swiglu([1.0], _gate()),  # type: ignore[arg-type]
        "gate must be a tensor, got list",
    ),
    "no up": (
        TypeError,
        lambda: kernels.swiglu(_gate(), None),  # type: ignore[arg-type]
        "up must be a tensor, got NoneType",
    ),
    "integers": (
        TypeError,
        lambda: kernels.swiglu(torch.ones(3, dtype=torch.int32), torch.ones(3)),
        "gate must be float16, bfloat16, float32 or float64, got torch.int32",
    ),
    "a scalar": (
        ValueError,
        lambda: kernels.swiglu(torch.tensor(1.0), torch.tensor(1.0)),
        "gate must have at least one axis",
    ),
    "half up": (
        TypeError,
        lambda: kernels.swiglu(_gate(), _gate().half()),
        "up must be torch.float32 like gate, got torch.float16",
    ),
    "broadcast up": (
        ValueError,
        lambda: kernels.swiglu(_gate(), torch.ones(4)),
        r"up must have gate's shape \(3, 4\), got \(4,\)",
    ),
    "another device": (
        ValueError,
        lambda: kernels.swiglu(_gate(), _gate().to("meta")),
        "up must be on cpu like gate, got meta",
    ),
}
