"""Two 4-bit numbers in a byte: packed[o, i] = (q[o, 2i] + 8) + 16 (q[o, 2i + 1] + 8), with −8 ≤ q ≤ 7.

The number at the even place is in the low half of the byte, and both are stored with 8 added, as 0 … 15. So a
row of n numbers is n/2 bytes, and byte 0x88 is two zeros.
"""

import torch
from torch import Tensor


def pack_int4(values: Tensor) -> Tensor:
    """Pack whole numbers from −8 to 7, two a byte.

    values: (..., n) of an integer dtype, n even; the result is (..., n/2) uint8. Raises TypeError for another dtype and
    ValueError for an odd n or a number out of range.
    """
    if not isinstance(values, Tensor) or values.is_floating_point() or values.dtype == torch.bool:
        kind = values.dtype if isinstance(values, Tensor) else type(values).__name__
        raise TypeError(f"values must be a tensor of whole numbers, got {kind}")
    if values.dim() == 0 or values.shape[-1] % 2:
        raise ValueError(f"values must have an even last axis, got shape {tuple(values.shape)}")
    if values.numel() and not (values.min() >= -8 and values.max() <= 7):
        raise ValueError(
            f"values must lie in -8 … 7, got {int(values.min())} and {int(values.max())} among them"
        )
    raised = (values + 8).to(torch.uint8)
    return raised[..., 0::2] | raised[..., 1::2] << 4


def unpack_int4(packed: Tensor) -> Tensor:
    """The inverse: (..., n/2) uint8 to (..., n) int8."""
    return in_turn(packed).to(torch.int8) - 8


def in_turn(packed: Tensor) -> Tensor:
    """The halves of each byte as numbers from 0 to 15, low before high."""
    return torch.stack((packed & 15, packed >> 4), -1).flatten(-2)


def whole_numbers(weight: Tensor, dtype: torch.dtype) -> Tensor:
    """Quantized weights, int8 or packed in uint8, as numbers of a floating-point dtype."""
    return weight.to(dtype) if weight.dtype == torch.int8 else in_turn(weight).to(dtype) - 8
