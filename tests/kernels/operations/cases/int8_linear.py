"""int8_linear."""

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from cases.case import Case, Size, Tensors, normal
from torch import Tensor

from kernels.products import int8_linear


def _weight(outputs: int, width: int, draw: torch.Generator) -> Tensor:
    return torch.randint(-128, 128, (outputs, width), generator=draw, dtype=torch.int8)


def _scale(outputs: int, draw: torch.Generator) -> Tensor:
    return torch.rand(outputs, generator=draw, dtype=torch.float64) / 64 + 1 / 256


def _make(biased: bool) -> Any:
    def make(size: Size, draw: torch.Generator) -> Tensors:
        *rows, width, outputs = size
        made = normal(draw, *rows, width), _scale(outputs, draw), _weight(outputs, width, draw)
        return (*made[:2], normal(draw, outputs), made[2]) if biased else made

    return make


def _torchs(x: Tensor, scale: Tensor, *rest: Tensor) -> Tensors:
    *bias, weight = rest
    return (F.linear(x, weight.to(x.dtype) * scale.unsqueeze(-1), *bias),)


def _ours(x: Tensor, scale: Tensor, *rest: Tensor) -> Tensors:
    *bias, weight = rest
    return (int8_linear(x, weight, scale, *bias),)


# rows, in, out
SIZES = (
    (1, 1, 1),
    (1, 67, 5),
    (3, 64, 4),
    (2, 3, 33, 7),
    (16, 129, 31),
    (17, 40, 300),
    (5, 1031, 3),
    (67, 9),
)
TINY = ((3, 21, 6), (2, 4, 36, 5))
EMPTY = ((0, 4, 3), (4, 3, 0), (0, 0, 3))
CASES = (
    Case("int8_linear-bias", _ours, _torchs, _make(True), SIZES, TINY, EMPTY, weights=(1, 2), extremes=False),
    Case(
        "int8_linear",
        _ours,
        _torchs,
        _make(False),
        SIZES,
        ((1, 40, 7), (70, 20, 3)),
        (*EMPTY, (3, 0, 4)),
        weights=(1,),
        extremes=False,
    ),
)


def calls() -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Operators with arguments in the order of their schemas."""
    draw = torch.Generator().manual_seed(0)
    weight, scale = _weight(5, 24, draw), _scale(5, draw).float()
    for rows in ((2,), (3, 2)):
        x, grad = torch.randn(*rows, 24, generator=draw), torch.randn(*rows, 5, generator=draw)
        for bias in (None, torch.randn(5, generator=draw)):
            yield "int8_linear", (x, weight, scale, bias)
        # the gradient of scale is torch's work, which the simulated GPU does not see
        yield "quantized_linear_backward", (grad, weight, scale.unsqueeze(-1), None, 24)


def _refused(error: type[Exception], message: str, **changed: Any) -> Any:
    arguments = {"x": torch.ones(2, 4), "weight": torch.ones(3, 4).to(torch.int8), "scale": torch.ones(3)}
    return error, lambda: int8_linear(**(arguments | changed)), message


REFUSED = {
    "x a list": _refused(TypeError, "x must be a tensor, got list", x=[1.0]),
    "x whole": _refused(TypeError, "x must be float16, .* got torch.int64", x=torch.ones(2, 4).long()),
    "weight of numbers": _refused(
        TypeError, "weight must be torch.int8, got torch.float32", weight=torch.ones(3, 4)
    ),
    "weight narrow": _refused(
        ValueError, r"weight must have shape \(out, 4\), got \(3, 5\)", weight=torch.ones(3, 5).to(torch.int8)
    ),
    "weight a list": _refused(TypeError, "weight must be a tensor, got list", weight=[1]),
    "no scale": _refused(TypeError, "scale must be a tensor, got NoneType", scale=None),
    "one scale": _refused(ValueError, r"scale must have shape \(3,\), got \(1,\)", scale=torch.ones(1)),
    "half scale": _refused(
        TypeError, "scale must be torch.float32 beside x in torch.float32", scale=torch.ones(3).half()
    ),
    "bias long": _refused(ValueError, r"bias must have shape \(3,\), got \(4,\)", bias=torch.ones(4)),
    "bias elsewhere": _refused(
        ValueError, "bias must be on cpu like x, got meta", bias=torch.ones(3, device="meta")
    ),
}
