"""Operations that need a whole row for each result, on (size, size) numbers."""

import torch
import torch.nn.functional as F
from torch import Tensor

from kernels.bench.case import Arguments, Call, Case, Draw

EPS = 1e-6


def _x(size: int, draw: Draw) -> Arguments:
    return (draw.normal(size, size),)


def _with_weight(size: int, draw: Draw) -> Arguments:
    return draw.normal(size, size), draw.normal(size)


def _with_residual(size: int, draw: Draw) -> Arguments:
    return draw.normal(size, size), draw.normal(size, size), draw.normal(size)


def _with_bias(size: int, draw: Draw) -> Arguments:
    return draw.normal(size, size), draw.normal(size), draw.normal(size)


def _rms_norm(x: Tensor, weight: Tensor) -> Tensor:
    return F.rms_norm(x, x.shape[-1:], weight, EPS)


def _add_rms_norm(x: Tensor, residual: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    summed = x + residual
    return F.rms_norm(summed, x.shape[-1:], weight, EPS), summed


def _layer_norm(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], weight, bias, EPS)


def _liger_rms_norm(liger: object) -> Call:
    # not in_place: it would overwrite the gradient that every round starts from
    return lambda x, weight: liger.liger_rms_norm(x, weight, EPS, in_place=False)  # type: ignore[attr-defined]


def _liger_add_rms_norm(liger: object) -> Call:
    return lambda x, residual, weight: liger.liger_fused_add_rms_norm(  # type: ignore[attr-defined]
        x, residual, weight, EPS, in_place=False
    )


def _liger_layer_norm(liger: object) -> Call:
    return lambda x, weight, bias: liger.liger_layer_norm(x, weight, bias, EPS)  # type: ignore[attr-defined]


CASES = (
    Case("rms_norm", _with_weight, _rms_norm, options={"eps": EPS}, liger=_liger_rms_norm, kind="rows"),
    Case(
        "add_rms_norm",
        _with_residual,
        _add_rms_norm,
        options={"eps": EPS},
        liger=_liger_add_rms_norm,
        kind="rows",
    ),
    Case("layer_norm", _with_bias, _layer_norm, options={"eps": EPS}, liger=_liger_layer_norm, kind="rows"),
    Case("softmax", _x, lambda x: torch.softmax(x, -1), liger=lambda liger: liger.liger_softmax, kind="rows"),
)
