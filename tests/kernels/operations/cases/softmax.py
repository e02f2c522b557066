"""softmax."""

from collections.abc import Iterator
from typing import Any

import torch
from cases.case import ROWS, Case, normal

from kernels import norms

CASES = (
    Case(
        "softmax",
        lambda x: (norms.softmax(x),),
        lambda x: (torch.softmax(x, -1),),
        lambda size, draw: (normal(draw, *size),),
        sizes=(*ROWS, (2, 262144)),
        tiny=((3, 7), (2, 1, 36), (2, 300)),
    ),
)


def calls() -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Operators with arguments in the order of their schemas."""
    draw = torch.Generator().manual_seed(0)
    x, grad = (torch.randn(6, 5, 8, generator=draw) for _ in range(2))
    yield "softmax", (x,)
    yield "softmax_backward", (grad, torch.softmax(x, -1))


REFUSED = {
    "a list": (TypeError, lambda: norms.softmax([1.0]), "x must be a tensor, got list"),  # type: ignore[arg-type]
    "integers": (
        TypeError,
        lambda: norms.softmax(torch.ones(3).long()),
        "x must be float16, bfloat16, float32 or float64, got torch.int64",
    ),
    "scalar": (
        ValueError,
        lambda: norms.softmax(torch.tensor(1.0)),
        "x must have at least one axis, got a scalar",
    ),
}
