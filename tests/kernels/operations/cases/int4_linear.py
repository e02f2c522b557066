"""int4_linear."""

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from cases.case import Case, Size, Tensors, normal
from torch import Tensor

from kernels.products import int4_linear, pack_int4


def _packed(outputs: int, width: int, draw: torch.Generator) -> Tensor:
    return torch.randint(0, 256, (outputs, width // 2), generator=draw, dtype=torch.uint8)


def _scale(outputs: int, groups: int, draw: torch.Generator) -> Tensor:
    return torch.rand(outputs, groups, generator=draw, dtype=torch.float64) / 4 + 1 / 16


def _make(biased: bool, group: int) -> Any:
    def make(size: Size, draw: torch.Generator) -> Tensors:
        *rows, groups, outputs = size
        width = groups * group
        x, scale, packed = (
            normal(draw, *rows, width),
            _scale(outputs, groups, draw),
            _packed(outputs, width, draw),
        )
        return (x, scale, normal(draw, outputs), packed) if biased else (x, scale, packed)

    return make


def _torchs(x: Tensor, scale: Tensor, *rest: Tensor) -> Tensors:
    *bias, packed = rest
    whole = torch.stack((packed % 16, packed // 16), -1).flatten(1).to(x.dtype) - 8
    weight = whole * scale.repeat_interleave(whole.shape[1] // max(scale.shape[1], 1), 1)
    return (F.linear(x, weight, *bias),)


def _ours(group: int) -> Any:
    def ours(x: Tensor, scale: Tensor, *rest: Tensor) -> Tensors:
        *bias, packed = rest
        return (int4_linear(x, packed, scale, *bias, group=group),)

    return ours


# rows, groups, out
SIZES = ((1, 1, 1), (1, 3, 5), (3, 2, 4), (2, 3, 1, 7), (4, 5, 31), (17, 1, 300), (5, 33, 3), (2, 9))
TINY = ((3, 1, 6), (2, 4, 1, 5))
EMPTY = ((0, 4, 3), (4, 3, 0), (0, 0, 3))
CASES = (
    Case(
        "int4_linear-bias",
        _ours(32),
        _torchs,
        _make(True, 32),
        SIZES,
        TINY,
        EMPTY,
        weights=(1, 2),
        extremes=False,
    ),
    Case(
        "int4_linear-8",
        _ours(8),
        _torchs,
        _make(False, 8),
        SIZES,
        ((1, 5, 7), (70, 2, 3)),
        EMPTY,
        weights=(1,),
        extremes=False,
    ),
    Case(
        "int4_linear-64",
        _ours(64),
        _torchs,
        _make(False, 64),
        SIZES,
        ((2, 1, 3), (5, 1, 2)),
        EMPTY,
        weights=(1,),
        extremes=False,
    ),
)


def calls() -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Operators with arguments in the order of their schemas."""
    draw = torch.Generator().manual_seed(0)
    packed, scale = _packed(5, 48, draw), _scale(5, 3, draw).float()
    for rows in ((2,), (3, 2)):
        x, grad = torch.randn(*rows, 48, generator=draw), torch.randn(*rows, 5, generator=draw)
        for bias in (None, torch.randn(5, generator=draw)):
            yield "int4_linear", (x, packed, scale, bias, 16)
        # the gradient of scale is torch's work, which the simulated GPU does not see
        yield "quantized_linear_backward", (grad, packed, scale, None, 16)


def _refused(error: type[Exception], message: str, **changed: Any) -> Any:
    arguments = {
        "x": torch.ones(2, 64),
        "packed": torch.ones(3, 32).to(torch.uint8),
        "scale": torch.ones(3, 2),
    }
    return error, lambda: int4_linear(**(arguments | changed)), message


REFUSED = {
    "x a list": _refused(TypeError, "x must be a tensor, got list", x=[1.0]),
    "packed signed": _refused(
        TypeError, "packed must be torch.uint8, got torch.int8", packed=torch.ones(3, 32).to(torch.int8)
    ),
    "packed wide": _refused(
        ValueError,
        r"packed must have shape \(out, 32\), got \(3, 64\)",
        packed=torch.ones(3, 64).to(torch.uint8),
    ),
    "scale of another group": _refused(
        ValueError, r"scale must have shape \(3, 2\), got \(3, 4\)", scale=torch.ones(3, 4)
    ),
    "half scale": _refused(
        TypeError, "scale must be torch.float32 beside x in torch.float32", scale=torch.ones(3, 2).half()
    ),
    "group of 12": _refused(ValueError, "group must be a multiple of 8 that divides .* 64, got 12", group=12),
    "group of 48": _refused(ValueError, "group must be a multiple of 8 that divides .* 64, got 48", group=48),
    "group of none": _refused(ValueError, "group must be a multiple of 8 .* got 0", group=0),
    "group a float": _refused(TypeError, "group must be a whole number, got float", group=32.0),
    "bias long": _refused(ValueError, r"bias must have shape \(3,\), got \(4,\)", bias=torch.ones(4)),
    "too large to pack": (
        ValueError,
        lambda: pack_int4(torch.tensor([0, 8])),
        "values must lie in -8 … 7, got 0 and 8 among them",
    ),
    "odd to pack": (
        ValueError,
        lambda: pack_int4(torch.tensor([0])),
        r"values must have an even last axis, got shape \(1,\)",
    ),
    "numbers to pack": (
        TypeError,
        lambda: pack_int4(torch.ones(2)),
        "values must be a tensor of whole numbers, got torch.float32",
    ),
}
