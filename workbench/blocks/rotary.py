"""Rotary positions: turn queries and keys by angles that grow with their positions, so that only distance counts.

Two numbers of a vector are taken as a point of the plane, or as one complex number z. Pair p at position t is turned
by the angle t·θ_p, that is z ↦ z·exp(i t θ_p), or in real numbers

    (a, b)  ↦  (a cos tθ_p − b sin tθ_p,  a sin tθ_p + b cos tθ_p),      θ_p = base^(−2p/width)

The product of a query at position m and a key at position n is then Re(q̄ k exp(i(n − m)θ)), pair by pair: it knows
how far apart the two are and not where they stand. Lengths stay, nothing is learned, and no position is the last.
(Su et al., RoFormer, arXiv 2104.09864, §3.2 and §3.4.2.)

Which numbers form a pair? In the paper neighbors do, (x_0, x_1), (x_2, x_3) …: `interleaved=True`. Most models pair
the two halves, (x_0, x_width/2) …, whose slices are contiguous. Both do the same, with weights in another order.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from workbench.blocks.arguments import at_least, check_shape


class Rotary(nn.Module):
    """Turns x (..., time, heads, width) by position along `time`: to be applied to queries and to keys, not to values.

    `width` is that of one head and even. Raises ValueError naming what does not fit.
    """

    def __init__(self, width: int, base: float = 10000.0, interleaved: bool = False) -> None:
        super().__init__()
        at_least(2, width=width)
        if width % 2:
            raise ValueError(f"width: expected an even number, as numbers turn in pairs, got {width}")
        self.width, self.base, self.interleaved = width, base, interleaved

    @property
    def contract(self) -> str:
        return f"... time heads {self.width} -> ... time heads {self.width}"

    def forward(self, x: Tensor) -> Tensor:
        check_shape("x", x, "...", "time", "heads", self.width)
        return turn(x, *self.tables(x.shape[-3], x), interleaved=self.interleaved)

    def tables(self, time: int, like: Tensor) -> tuple[Tensor, Tensor]:
        """Cosine and sine of every angle, on the device of `like`: two of (time, width/2), at least float32."""
        angle = angles(time, self.width, self.base, like)
        return angle.cos(), angle.sin()

    def extra_repr(self) -> str:
        return f"{self.width}, base={self.base}, interleaved={self.interleaved}"


def turn(x: Tensor, cos: Tensor, sin: Tensor, interleaved: bool = False) -> Tensor:
    """Each pair of numbers turned by its angle: x (..., time, heads, width); cos and sin (time, width/2)."""
    cos, sin = cos.unsqueeze(-2), sin.unsqueeze(-2)  # (time, 1, width/2): the same for all heads
    a, b = (x[..., 0::2], x[..., 1::2]) if interleaved else x.chunk(2, dim=-1)  # (..., time, heads, width/2)
    turned = a * cos - b * sin, a * sin + b * cos
    joined = torch.stack(turned, dim=-1).flatten(-2) if interleaved else torch.cat(turned, dim=-1)
    return joined.to(x.dtype)  # (..., time, heads, width)


def angles(time: int, width: int, base: float, like: Tensor) -> Tensor:
    """t·base^(−2p/width) for every position t and pair p: (time, pairs), on the device of `like`.

    In float32 even where `like` is narrower: bfloat16 cannot tell position 257 from 256.
    """
    dtype = torch.promote_types(like.dtype, torch.float32)
    positions = torch.arange(time, dtype=dtype, device=like.device)
    evens = torch.arange(0, width, 2, dtype=dtype, device=like.device)
    return positions.unsqueeze(-1) * base ** (-evens / width)  # (time, 1) × (pairs,)
