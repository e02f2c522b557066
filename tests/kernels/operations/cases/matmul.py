"""matmul with each activation, with and without bias."""

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from cases.case import Case, Size, Tensors, normal
from torch import Tensor

from kernels.products import matmul
from kernels.products.epilogue import ACTIVATE

SIZES = ((1, 1), (5, 1), (2, 1, 33), (1, 4099), (6, 101, 67), (513, 257), (3001, 3))
TINY = ((5, 7), (2, 3, 36))
EMPTY = ((0, 5), (2, 0, 3))


def _factors(size: Size, draw: torch.Generator) -> Tensors:
    """b is as wide as three quarters of a."""
    depth = size[-1]
    return normal(draw, *size), normal(draw, depth, depth * 3 // 4 + 1) / (depth + 1) ** 0.5


def _with_bias(size: Size, draw: torch.Generator) -> Tensors:
    a, b = _factors(size, draw)
    return a, b, normal(draw, b.shape[1])


def _linear(activation: str | None, bias: bool) -> Case:
    def torchs(a: Tensor, b: Tensor, bias: Tensor | None = None) -> Tensors:
        return (ACTIVATE[activation](F.linear(a, b.t(), bias)),)

    return Case(
        f"matmul-{activation or 'plain'}{'-bias' if bias else ''}",
        lambda *tensors: (matmul(*tensors, activation=activation),),
        torchs,
        _with_bias if bias else _factors,
        SIZES,
        TINY,
        EMPTY,
        weights=(1, 2) if bias else (1,),
        same_bits=False,
    )


CASES = (
    _linear(None, bias=False),
    _linear(None, bias=True),
    _linear("relu", bias=True),
    _linear("gelu", bias=True),
    _linear("gelu_tanh", bias=False),
    _linear("silu", bias=True),
)


def calls() -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Operators with arguments in the order of their schemas."""
    draw = torch.Generator().manual_seed(0)
    a, b, bias = (torch.randn(*size, generator=draw) for size in ((3, 5, 8), (8, 12), (12,)))
    grad, kept = (torch.randn(3, 5, 12, generator=draw) for _ in range(2))
    wide = torch.float32
    for activation, with_bias, keep in (
        (None, None, False), (None, bias, False), ("relu", bias, False), ("gelu", bias, False), ("gelu", None, True),
        ("gelu_tanh", bias, True), ("silu", None, False), ("silu", bias, True),
    ):  # fmt: skip
        yield "matmul", (a, b, with_bias, activation, keep)
    yield "matmul_backward", (grad, a, b, None, None, wide, None)
    yield "matmul_backward", (grad, None, None, None, None, None, wide)
    yield "matmul_backward", (grad, None, b, kept, "silu", None, None)
    for activation in ("relu", "gelu", "gelu_tanh", "silu"):
        yield "matmul_backward", (grad, a, b, kept, activation, wide, wide)


def _a() -> torch.Tensor:
    return torch.randn(3, 4)


REFUSED = {
    "a list": (TypeError, lambda: matmul([1.0], _a()), "a must be a tensor, got list"),  # type: ignore[arg-type]
    "integers": (TypeError, lambda: matmul(_a().int(), _a()), "a must be float16"),
    "integer b": (TypeError, lambda: matmul(_a(), _a().t().int()), "b must be float16"),
    "depths": (ValueError, lambda: matmul(_a(), _a()), r"b must have 4 rows.* got shape \(3, 4\)"),
    "a batch": (ValueError, lambda: matmul(_a(), torch.randn(2, 4, 3)), r"b must be a matrix .* got 3 axes"),
    "a vector": (ValueError, lambda: matmul(_a(), torch.randn(4)), r"b must be a matrix .* got 1 axes"),
    "long bias": (
        ValueError,
        lambda: matmul(_a(), _a().t(), torch.ones(4)),
        r"bias must have shape \(3,\).* got \(4,\)",
    ),
    "half b": (TypeError, lambda: matmul(_a(), _a().t().half()), "b must be torch.float32 beside a"),
    "double b": (
        TypeError,
        lambda: matmul(_a().half(), _a().t().double()),
        "b must be torch.float16 or float32 beside a",
    ),
    "half bias": (
        TypeError,
        lambda: matmul(_a(), _a().t(), torch.ones(3).half()),
        "bias must be torch.float32",
    ),
    "elsewhere": (ValueError, lambda: matmul(_a(), _a().t().to("meta")), "b must be on cpu like a, got meta"),
    "activation": (
        ValueError,
        lambda: matmul(_a(), _a().t(), activation="tanh"),
        'activation must be None, "relu", "gelu", "gelu_tanh", "silu", got \'tanh\'',
    ),
}
