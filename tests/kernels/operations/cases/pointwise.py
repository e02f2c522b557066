"""bias_gelu."""

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from cases.case import Case, normal

import kernels


def _bias_gelu(approximate: str) -> Case:
    return Case(
        f"bias_gelu-{approximate}",
        lambda x, bias: (kernels.bias_gelu(x, bias, approximate),),
        lambda x, bias: (F.gelu(x + bias, approximate=approximate),),
        lambda size, draw: (normal(draw, *size), normal(draw, size[-1])),
        weights=(1,),
    )


CASES = (_bias_gelu("none"), _bias_gelu("tanh"))


def calls() -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Operators with arguments in the order of their schemas."""
    draw = torch.Generator().manual_seed(0)
    x, grad = (torch.randn(6, 5, 8, generator=draw) for _ in range(2))
    bias = torch.randn(8, generator=draw)
    for approximate in ("none", "tanh"):
        yield "bias_gelu", (x, bias, approximate)
        for needs in ((True, True), (True, False), (False, True)):
            yield "bias_gelu_backward", (grad, x, bias, approximate, *needs)


def _x() -> torch.Tensor:
    return torch.randn(3, 4)


REFUSED = {
    "a list": (
        TypeError,
        lambda: kernels.bias_gelu([1.0], torch.ones(4)),  # type: ignore[arg-type]
        "x must be a tensor, got list",
    ),
    "no bias": (
        TypeError,
        lambda: kernels.bias_gelu(_x(), None),  # type: ignore[arg-type]
        "bias must be a tensor, got NoneType",
    ),
    "long bias": (
        ValueError,
        lambda: kernels.bias_gelu(_x(), torch.ones(5)),
        r"bias must have shape \(4,\).* got \(5,\)",
    ),
    "flat bias": (
        ValueError,
        lambda: kernels.bias_gelu(_x(), torch.ones(1, 4)),
        r"bias must have shape \(4,\).* got \(1, 4\)",
    ),
    "half bias": (
        TypeError,
        lambda: kernels.bias_gelu(_x(), torch.ones(4).half()),
        "bias must be torch.float32",
    ),
    "approximate": (
        ValueError,
        lambda: kernels.bias_gelu(_x(), torch.ones(4), "erf"),
        'approximate must be "none" or "tanh", got \'erf\'',
    ),
}
