"""What operations accept, and the one layout their kernels see.

Outputs have x's dtype; sums are kept in float32, in float64 for float64. Weights have x's dtype or, where x is a half
type (float16, bfloat16), float32. Everything else is refused by name before anything is allocated or launched. Kernels
see (rows, width) without gaps, GPU kernels in x's own dtype, CPU twins in the dtype of sums.
"""

import functools
import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

HALF = (torch.float16, torch.bfloat16)
FLOATS = (*HALF, torch.float32, torch.float64)


def check_input(name: str, x: Tensor) -> None:
    """Refuse anything but a floating-point tensor with at least one axis."""
    if not isinstance(x, Tensor):
        raise TypeError(f"{name} must be a tensor, got {type(x).__name__}")
    if x.dtype not in FLOATS:
        raise TypeError(f"{name} must be float16, bfloat16, float32 or float64, got {x.dtype}")
    if x.dim() == 0:
        raise ValueError(f"{name} must have at least one axis, got a scalar")


def check_vector(name: str, vector: Tensor, x: Tensor) -> None:
    """Refuse a weight or bias that is not (width,), on x's device, in x's dtype or float32 beside a half x."""
    if vector.dtype != x.dtype and not (x.dtype in HALF and vector.dtype == torch.float32):
        beside = " or float32" if x.dtype in HALF else ""
        raise TypeError(f"{name} must be {x.dtype}{beside} beside x in {x.dtype}, got {vector.dtype}")
    if vector.shape != x.shape[-1:]:
        raise ValueError(
            f"{name} must have shape {tuple(x.shape[-1:])}, x's last axis, got {tuple(vector.shape)}"
        )
    if vector.device != x.device:
        raise ValueError(f"{name} must be on {x.device} like x, got {vector.device}")


def check_alike(name: str, tensor: Tensor, x: Tensor, like: str = "x") -> None:
    """Refuse a tensor that differs from x, whose name is `like`, in shape, dtype or device."""
    if tensor.dtype != x.dtype:
        raise TypeError(f"{name} must be {x.dtype} like {like}, got {tensor.dtype}")
    if tensor.shape != x.shape:
        raise ValueError(f"{name} must have {like}'s shape {tuple(x.shape)}, got {tuple(tensor.shape)}")
    if tensor.device != x.device:
        raise ValueError(f"{name} must be on {x.device} like {like}, got {tensor.device}")


def follow_autocast(tensors: tuple[Tensor, ...], weight: Tensor | None) -> tuple[Any, ...]:
    """`tensors` and `weight` as torch.autocast, where it is on, would have them added: promoted to the widest dtype.

    A float32 weight stays beside half tensors, as operations take it. Operations that autocast runs in float32 need
    nothing more: the sums are float32 in any case, and the result keeps x's dtype.
    """
    first = tensors[0]
    device = "cpu" if first.is_cpu else "cuda" if first.is_cuda else ""  # a third of the time of .device.type
    if not device or not torch.is_autocast_enabled(device):
        return (*tensors, weight)
    widest = functools.reduce(torch.promote_types, (tensor.dtype for tensor in tensors))
    if weight is not None and torch.promote_types(weight.dtype, widest) == widest:
        weight = weight.to(widest)
    return (*(tensor.to(widest) for tensor in tensors), weight)


def multiplied_under_autocast(*tensors: Tensor | None) -> tuple[Any, ...]:
    """`tensors` as torch.autocast, where it is on, would have them multiplied: in its lower dtype, all but float64."""
    device = next(tensor.device.type for tensor in tensors if tensor is not None)
    if device not in ("cpu", "cuda") or not torch.is_autocast_enabled(device):
        return tensors
    lower = torch.get_autocast_dtype(device)
    return tuple(
        tensor if tensor is None or tensor.dtype == torch.float64 else tensor.to(lower) for tensor in tensors
    )


def check_eps(eps: float | None, x: Tensor) -> float:
    """eps as a float; None is the machine epsilon of the dtype of sums, which is what torch takes."""
    if eps is None:
        return torch.finfo(torch.float64 if x.dtype == torch.float64 else torch.float32).eps
    if isinstance(eps, bool) or not isinstance(eps, (int, float)):
        raise TypeError(f"eps must be a number or None, got {type(eps).__name__}")
    if not eps >= 0:
        raise ValueError(f"eps must not be negative, got {eps}")
    return float(eps)


def widened(tensor: Tensor) -> Tensor:
    """The tensor, contiguous, in the dtype of sums: half types become float32."""
    return (tensor.float() if tensor.dtype in HALF else tensor).contiguous()


def as_rows(x: Tensor) -> Tensor:
    """A contiguous tensor seen as (rows, width)."""
    return x if x.dim() == 2 else x.view(math.prod(x.shape[:-1]), x.shape[-1])


def or_empty(weight: Tensor | None, rows: Tensor) -> Tensor:
    """The weight without gaps; an empty tensor in the rows' dtype stands for one left out."""
    return rows.new_empty(0) if weight is None else weight.contiguous()


def wide_or_empty(weight: Tensor | None, rows: Tensor) -> Tensor:
    """The same in the dtype of sums."""
    return rows.new_empty(0) if weight is None else widened(weight)


def wide_or_full(vector: Tensor | None, rows: Tensor, value: float) -> Tensor:
    """The same, but a vector of ones, or zeros, stands for one left out, so that one loop serves both."""
    return rows.new_full(rows.shape[-1:], value) if vector is None else widened(vector)


def empty_rows(x: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """Room for a result of x's shape, without gaps."""
    return torch.empty(x.shape, dtype=dtype or x.dtype, device=x.device)


def sums_dtype(dtype: torch.dtype) -> torch.dtype:
    """The dtype in which numbers of this one are summed."""
    return torch.float64 if dtype == torch.float64 else torch.float32


def as_real(number: float, rows: Tensor) -> Any:
    """A number in the rows' dtype of sums: a float64 would make a float32 kernel compute in float64."""
    return np.float64(number) if rows.dtype == torch.float64 else np.float32(number)


def rounded(result: Tensor, dtype: torch.dtype) -> Tensor:
    """The result in its final dtype; asking first is cheaper than a conversion that changes nothing."""
    return result if result.dtype == dtype else result.to(dtype)
