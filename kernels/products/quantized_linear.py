"""What int8_linear and int4_linear share: y = x Wᵀ + b with W[o, k] = q[o, k] · scale[o, k // group].

q is int8, or two 4-bit numbers a byte of uint8 (packing.py); scale is (out, groups). With 8 bits there is one group.

Where a group's scale multiplies its sum rather than every weight, x q may overflow though x W would not, as in
float32 for an |x| beyond 1e36.
"""

import torch
from torch import Tensor

from kernels.arguments import (
    HALF,
    as_rows,
    check_input,
    rounded,
    sums_dtype,
    wide_or_empty,
    widened,
)
from kernels.backend import runs_on_gpu
from kernels.ledger import Ledger, entry, imagine
from kernels.products.packing import whole_numbers
from kernels.products.quantized import linear_on_gpu
from kernels.products.quantized_on_cpu import linear_on_cpu


def check_weight(name: str, weight: Tensor, dtype: torch.dtype, width: int, x: Tensor) -> None:
    """Refuse a weight that is not (out, width) of this dtype on x's device."""
    if not isinstance(weight, Tensor):
        raise TypeError(f"{name} must be a tensor, got {type(weight).__name__}")
    if weight.dtype != dtype:
        raise TypeError(f"{name} must be {dtype}, got {weight.dtype}")
    if weight.dim() != 2 or weight.shape[1] != width:
        raise ValueError(f"{name} must have shape (out, {width}), got {tuple(weight.shape)}")
    if weight.device != x.device:
        raise ValueError(f"{name} must be on {x.device} like x, got {weight.device}")


def check_beside(name: str, tensor: Tensor, shape: tuple[int, ...], x: Tensor) -> None:
    """Refuse a scale or bias that has not this shape, or x's device and dtype, or float32 beside a half x."""
    check_input(name, tensor)
    if tensor.dtype != x.dtype and not (x.dtype in HALF and tensor.dtype == torch.float32):
        beside = " or float32" if x.dtype in HALF else ""
        raise TypeError(f"{name} must be {x.dtype}{beside} beside x in {x.dtype}, got {tensor.dtype}")
    if tensor.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, got {tuple(tensor.shape)}")
    if tensor.device != x.device:
        raise ValueError(f"{name} must be on {x.device} like x, got {tensor.device}")


def reference_linear(x: Tensor, weight: Tensor, scale: Tensor, bias: Tensor | None, group: int) -> Tensor:
    """The same in plain torch: all weights become numbers in memory, and are read again by the product."""
    wide = widened(x)
    groups = whole_numbers(weight, wide.dtype).unflatten(-1, (scale.shape[1], group))
    matrix = (groups * widened(scale).unsqueeze(-1)).flatten(-2).t()
    rows = as_rows(wide)
    result = torch.mm(rows, matrix) if bias is None else torch.addmm(widened(bias), rows, matrix)
    return rounded(result.view(*x.shape[:-1], weight.shape[0]), x.dtype)


def launch_linear(x: Tensor, weight: Tensor, scale: Tensor, bias: Tensor | None, group: int) -> Tensor:
    """x: (..., in), scale: (out, groups); the result is (..., out)."""
    shape = (*x.shape[:-1], weight.shape[0])
    if runs_on_gpu(x):
        out = x.new_empty(shape)
        linear_on_gpu(as_rows(x.contiguous()), weight, scale.contiguous(), bias, as_rows(out), group)
        return out
    wide = widened(x)
    out = wide.new_empty(*shape)
    extra = wide_or_empty(bias, wide)
    linear_on_cpu(as_rows(wide), weight.contiguous(), widened(scale), extra, as_rows(out), group)
    return rounded(out, x.dtype)


def dequantizing_steps(x: Tensor, weight: Tensor, scale: Tensor, width: int) -> tuple[Ledger, ...]:
    """The unfused chain from quantized weights to numbers in memory."""
    dtype, n = sums_dtype(x.dtype), weight.shape[0] * width
    full = imagine(x, weight.shape[0], width, dtype=dtype)
    scaling = entry("mul", (full, scale), (full,), n)
    if weight.dtype == torch.int8:
        return entry("to", (weight,), (full,), 0), scaling
    halves = imagine(weight, weight.shape[0], width)
    return (
        entry("and", (weight,), (weight,), 0),
        entry("rshift", (weight,), (weight,), 0),
        entry("stack", (weight, weight), (halves,), 0),
        entry("to", (halves,), (full,), 0),
        entry("sub", (full,), (full,), n),
        scaling,
    )


def linear_ledger(name: str, x: Tensor, weight: Tensor, scale: Tensor, bias: Tensor | None) -> Ledger:
    """Fused, the weights pass through memory once and quantized."""
    width, outputs = x.shape[-1], weight.shape[0]
    rows = x.numel() // max(width, 1)
    full = imagine(x, outputs, width, dtype=sums_dtype(x.dtype))
    out = imagine(x, *x.shape[:-1], outputs)
    flops = 2 * rows * width * outputs + (0 if bias is None else rows * outputs)
    steps = (
        *dequantizing_steps(x, weight, scale, width),
        entry("mm" if bias is None else "addmm", (x, full, bias), (out,), flops),
    )
    return entry(name, (x, weight, scale, bias), (out,), sum(step.flops for step in steps), steps)
