"""Positions, added to a sequence: attention alone cannot tell "dog bites man" from "man bites dog".

*Learned*: a table with one row per position, like an embedding of the numbers 0, 1, 2 …; there is none past its end.

*Sinusoidal*: rows of waves, each pair of numbers (2p, 2p + 1) slower than the one before,

    y[t, 2p]     = sin(t·θ_p)
    y[t, 2p + 1] = cos(t·θ_p)          θ_p = 10000^(−2p/width)

with nothing to learn and no last position. Row t + k is row t turned pair by pair by the angle k·θ_p, whatever t is,
so that a linear layer can look k places ahead. (Vaswani et al., arXiv 1706.03762, §3.5, who found both equally good.)
Turning queries and keys themselves, in place of adding to the sequence: `Rotary`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from workbench.blocks.arguments import at_least, check_shape


class Position(nn.Module):
    """Base of both: adds the first `time` rows of what a subclass knows to x (batch, time, width)."""

    def __init__(self, longest: int, width: int) -> None:
        super().__init__()
        at_least(1, longest=longest, width=width)
        self.longest, self.width = longest, width

    @property
    def contract(self) -> str:
        return f"batch time {self.width} -> batch time {self.width}"

    def rows(self, time: int) -> Tensor:
        """The vectors of positions 0 … time − 1: (time, width)."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        check_shape("x", x, "batch", "time", self.width)
        return x + self.rows(x.shape[1]).to(x)  # (batch, time, width) + (time, width)

    def extra_repr(self) -> str:
        return f"longest={self.longest}, width={self.width}"


class LearnedPosition(Position):
    """Adds a learned vector per position to x (batch, time, width). Raises ValueError for time over `longest`."""

    def __init__(self, longest: int, width: int) -> None:
        super().__init__(longest, width)
        # small beside the sequence, as in GPT-2
        self.weight = nn.Parameter(torch.randn(longest, width) * 0.02)

    def rows(self, time: int) -> Tensor:
        if time > self.longest:
            raise ValueError(f"x: expected at most {self.longest} steps, as longest says, got {time}")
        return self.weight[:time]


class SinusoidalPosition(Position):
    """Adds waves to x (batch, time, width): the first `longest` rows are made once, later ones in each call."""

    def __init__(self, width: int, longest: int = 1024) -> None:
        super().__init__(longest, width)
        table = waves(longest, width).to(torch.get_default_dtype())
        self.register_buffer("table", table, persistent=False)  # moves with the module, but is not saved
        self.table: Tensor

    def rows(self, time: int) -> Tensor:
        return self.table[:time] if time <= self.longest else waves(time, self.width)


def waves(time: int, width: int, base: float = 10000.0) -> Tensor:
    """Sine and cosine of t·base^(−2p/width) side by side: float64 (time, width), to be rounded once, at the end."""
    positions = torch.arange(time, dtype=torch.float64)
    evens = torch.arange(0, width, 2, dtype=torch.float64)  # 2p
    angles = positions.unsqueeze(-1) * base ** (-evens / width)  # (time, pairs)
    pairs = torch.stack([angles.sin(), angles.cos()], dim=-1)  # (time, pairs, 2)
    return pairs.flatten(1)[:, :width]  # an odd width has no cosine for its last sine
