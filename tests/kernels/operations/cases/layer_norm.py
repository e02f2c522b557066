"""layer_norm."""

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from cases.case import ROWS, Case, Size, Tensors, normal
from torch import Tensor

from kernels import norms

# of a row of one the gradient is 0, and what torch or we have instead is rounding: test_layer_norm.py
SIZES = tuple(size for size in ROWS if size[-1] > 1)


def _case(name: str, *vectors: str) -> Case:
    """layer_norm with some of its vectors."""

    def ours(x: Tensor, *given: Tensor) -> Tensors:
        return (norms.layer_norm(x, **dict(zip(vectors, given, strict=True))),)

    def torchs(x: Tensor, *given: Tensor) -> Tensors:
        return (F.layer_norm(x, x.shape[-1:], **dict(zip(vectors, given, strict=True))),)

    def make(size: Size, draw: torch.Generator) -> Tensors:
        return normal(draw, *size), *(normal(draw, size[-1]) for _ in vectors)

    return Case(
        name, ours, torchs, make, sizes=SIZES, weights=tuple(range(1, len(vectors) + 1)), extremes=False
    )


CASES = (
    _case("layer_norm"),
    _case("layer_norm-weight", "weight"),
    _case("layer_norm-bias", "bias"),
    _case("layer_norm-both", "weight", "bias"),
)


def calls() -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Operators with arguments in the order of their schemas."""
    draw = torch.Generator().manual_seed(0)
    x, grad = (torch.randn(6, 5, 8, generator=draw) for _ in range(2))
    learned, added = (torch.randn(8, generator=draw) for _ in range(2))
    for weight in (None, learned):
        for bias in (None, added):
            yield "layer_norm", (x, weight, bias, 1e-5)
            dtype = None if bias is None else bias.dtype
            yield "layer_norm_backward", (grad, x, weight, 1e-5, True, weight is not None, dtype)
    for need_weight, dtype in ((True, torch.float32), (True, None), (False, torch.float32)):
        yield "layer_norm_backward", (grad, x, learned, 1e-5, False, need_weight, dtype)


def _refused(*arguments: Any) -> Any:
    return lambda: norms.layer_norm(torch.randn(3, 4), *arguments)


REFUSED = {
    "integers": (
        TypeError,
        lambda: norms.layer_norm(torch.ones(3, 4).int()),
        "x must be float16, bfloat16, float32 or float64, got torch.int32",
    ),
    "scalar": (ValueError, lambda: norms.layer_norm(torch.tensor(1.0)), "x must have at least one axis"),
    "weight as number": (TypeError, _refused(1.0), "weight must be a tensor, got float"),
    "long weight": (ValueError, _refused(torch.ones(5)), r"weight must have shape \(4,\).* got \(5,\)"),
    "half weight": (TypeError, _refused(torch.ones(4).half()), "weight must be torch.float32"),
    "flat bias": (
        ValueError,
        _refused(None, torch.ones(1, 4)),
        r"bias must have shape \(4,\).* got \(1, 4\)",
    ),
    "wide bias": (TypeError, _refused(None, torch.ones(4).double()), "bias must be torch.float32"),
    "bias elsewhere": (
        ValueError,
        _refused(None, torch.ones(4, device="meta")),
        "bias must be on cpu like x",
    ),
    "negative eps": (ValueError, _refused(None, None, -1.0), "eps must not be negative, got -1.0"),
    "eps as flag": (TypeError, _refused(None, None, True), "eps must be a number or None, got bool"),
}
