"""Operations over time: rotary positions on size² numbers, attention over size/2 steps.

Heads are 64 wide. rope: (size, size/64, 64). attention: (1, size/256, size/2, 64), whose unfused scores are heads·time²
numbers: 256 MB in float32 at size 4096.
"""

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from kernels.bench.case import Arguments, Case, Draw

HEAD_WIDTH = 64


def _rope_inputs(size: int, draw: Draw) -> Arguments:
    width = min(HEAD_WIDTH, size + size % 2)
    frequencies = 10000 ** -(torch.arange(width // 2) * 2 / width)
    angles = torch.outer(torch.arange(size), frequencies)  # (time, width/2)
    x = draw.normal(size, max(1, size // width), width)
    return x, draw.place(angles.cos()), draw.place(angles.sin())


def _full_width(x: Tensor, cos: Tensor, sin: Tensor) -> Arguments:
    return x, cos.repeat(1, 2)[:, None], sin.repeat(1, 2)[:, None]  # (time, 1, width)


def _rope(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """As models write it: a rotated copy of x, and cos and sin over the full width."""
    left, right = x.chunk(2, -1)
    return x * cos + torch.cat((-right, left), -1) * sin


def _attention_inputs(size: int, draw: Draw) -> Arguments:
    shape = (1, max(1, size // 256), max(1, size // 2), HEAD_WIDTH)  # (batch, heads, time, width)
    return draw.normal(*shape), draw.normal(*shape), draw.normal(*shape)


def _attention(causal: bool) -> Case:
    def torchs(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(q, k, v, is_causal=causal)

    def unfused(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        with sdpa_kernel(SDPBackend.MATH):
            return torchs(q, k, v)

    return Case(
        "attention",
        _attention_inputs,
        torchs,
        variant="causal" if causal else "",
        options={"causal": causal},
        others={"torch unfused": unfused},
    )


CASES = (
    Case("rope", _rope_inputs, _rope, theirs=_full_width, without_gradient=(1, 2), kind="elementwise"),
    _attention(causal=False),
    _attention(causal=True),
)
