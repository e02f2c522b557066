"""rms_norm and add_rms_norm."""

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from cases.case import Case, Size, Tensors, normal
from torch import Tensor

import kernels


def _rms_norm(x: Tensor, weight: Tensor | None = None) -> Tensors:
    return (F.rms_norm(x, x.shape[-1:], weight, 1e-6),)


def _add_rms_norm(x: Tensor, residual: Tensor, weight: Tensor | None = None) -> Tensors:
    return *_rms_norm(x + residual, weight), x + residual


def _inputs(full: int, weight: bool) -> Any:
    """So many inputs of x's shape, then perhaps a weight."""

    def make(size: Size, draw: torch.Generator) -> Tensors:
        return (*(normal(draw, *size) for _ in range(full)), *(normal(draw, size[-1]) for _ in range(weight)))

    return make


CASES = (
    Case("rms_norm", lambda x: (kernels.rms_norm(x),), _rms_norm, _inputs(1, False)),
    Case("rms_norm-weight", lambda *a: (kernels.rms_norm(*a),), _rms_norm, _inputs(1, True), weights=(1,)),
    Case("add_rms_norm", kernels.add_rms_norm, _add_rms_norm, _inputs(2, False)),
    Case("add_rms_norm-weight", kernels.add_rms_norm, _add_rms_norm, _inputs(2, True), weights=(2,)),
)


def calls() -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Operators with arguments in the order of their schemas."""
    draw = torch.Generator().manual_seed(0)
    x, residual, grad = (torch.randn(6, 5, 8, generator=draw) for _ in range(3))
    learned = torch.randn(8, generator=draw)
    for weight in (None, learned):
        yield "rms_norm", (x, weight, 1e-6)
        yield "add_rms_norm", (x, residual, weight, 1e-6)
        for grad_sum in (None, residual):
            yield "rms_norm_backward", (grad, x, weight, 1e-6, grad_sum, True, weight is not None)
    yield "rms_norm_backward", (grad, x, learned, 1e-6, None, True, False)
    yield "rms_norm_backward", (grad, x, learned, 1e-6, None, False, True)


def _x() -> Tensor:
    return torch.randn(3, 4)


def _norm(x: Tensor, weight: Any = None, eps: Any = 1e-6) -> Any:
    return lambda: kernels.rms_norm(x, weight, eps)


REFUSED = {
    "integers": (TypeError, _norm(_x().long()), "x must be float16, bfloat16, float32 or float64"),
    "complex": (TypeError, _norm(_x() + 0j), "x must be .* got torch.complex64"),
    "scalar": (ValueError, _norm(torch.tensor(1.0)), "x must have at least one axis"),
    "weight as list": (TypeError, _norm(_x(), [1.0] * 4), "weight must be a tensor, got list"),
    "long weight": (
        ValueError,
        _norm(_x(), torch.ones(5)),
        r"weight must have shape \(4,\), x's last axis, got \(5,\)",
    ),
    "wide weight": (TypeError, _norm(_x(), torch.ones(4).double()), "weight must be torch.float32"),
    "wide for half": (
        TypeError,
        _norm(_x().half(), torch.ones(4).double()),
        "weight must be torch.float16 or float32",
    ),
    "other half": (
        TypeError,
        _norm(_x().half(), torch.ones(4).bfloat16()),
        "weight must be torch.float16 or float32",
    ),
    "other device": (
        ValueError,
        _norm(_x(), torch.ones(4, device="meta")),
        "weight must be on cpu like x, got meta",
    ),
    "eps as text": (TypeError, _norm(_x(), None, "1"), "eps must be a number or None, got str"),
    "negative eps": (ValueError, _norm(_x(), None, -1e-6), "eps must not be negative, got -1e-06"),
    "nan eps": (ValueError, _norm(_x(), None, float("nan")), "eps must not be negative, got nan"),
    "short residual": (
        ValueError,
        lambda: kernels.add_rms_norm(_x(), _x()[:1]),
        r"residual must have x's shape \(3, 4\), got \(1, 4\)",
    ),
    "half residual": (
        TypeError,
        lambda: kernels.add_rms_norm(_x(), _x().half()),
        "residual must be torch.float32 like x",
    ),
    "no residual": (
        TypeError,
        lambda: kernels.add_rms_norm(_x(), 1.0),  # type: ignore[arg-type]
        "residual must be a tensor, got float",
    ),
}
