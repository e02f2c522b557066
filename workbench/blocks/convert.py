"""Blocks that compute nothing: they change how numbers are stored, ordered or grouped.

They are worth a name of their own because they are not always free. `Cast` reads and writes every number. `Rearrange`
only renames strides, but what comes next may have to copy, or reads memory with jumps. `Flatten` costs nothing unless
it follows a `Rearrange`. The notation of `Rearrange` is that of einops (Rogozhnikov, ICLR 2022), permutations only.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from workbench.blocks.arguments import at_least, check_shape


class Cast(nn.Module):
    """The same numbers in another type: any shape and type -> `dtype`. Raises TypeError naming `dtype`."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        if not isinstance(dtype, torch.dtype):
            raise TypeError(f"dtype: expected one of torch's, such as torch.float32, got {dtype!r}")
        self.dtype = dtype

    @property
    def contract(self) -> str:
        return f"...: any -> ...: {str(self.dtype).removeprefix('torch.')}"

    def forward(self, x: Tensor) -> Tensor:
        return x.to(self.dtype)

    def extra_repr(self) -> str:
        return str(self.dtype)


class Rearrange(nn.Module):
    """The same axes in another order: `Rearrange("batch height width channels -> batch channels height width")`.

    Gives a view. Raises ValueError naming `pattern` when both sides do not name the same axes once each, or `x` when
    it has another number of axes.
    """

    def __init__(self, pattern: str) -> None:
        super().__init__()
        before, arrow, after = pattern.partition("->")
        self.before, self.after = before.split(), after.split()
        distinct = len(set(self.before)) == len(self.before)
        words = all(name.isidentifier() for name in self.before)
        if not (arrow and words and distinct and sorted(self.before) == sorted(self.after)):
            raise ValueError(f"pattern: expected the same axes, once on each side of '->', got {pattern!r}")
        self.order = [self.before.index(name) for name in self.after]

    @property
    def contract(self) -> str:
        return f"{' '.join(self.before)}: any -> {' '.join(self.after)}: any"

    def forward(self, x: Tensor) -> Tensor:
        check_shape("x", x, *self.before)
        return x.permute(self.order)

    def extra_repr(self) -> str:
        return f"{' '.join(self.before)} -> {' '.join(self.after)}"


class Flatten(nn.Module):
    """All axes from `start` on as one, equal to `torch.nn.Flatten`: (batch, a, b, …) -> (batch, a·b·…).

    Raises ValueError naming `x` when it has no axis `start`.
    """

    def __init__(self, start: int = 1) -> None:
        super().__init__()
        at_least(0, start=start)
        self.start = start

    @property
    def _kept(self) -> list[str]:
        return ["batch", *(f"kept{i}" for i in range(1, self.start))][: self.start]

    @property
    def contract(self) -> str:
        kept = "".join(f"{name} " for name in self._kept)
        return f"{kept}first ...: any -> {kept}features: any"

    def forward(self, x: Tensor) -> Tensor:
        check_shape("x", x, *self._kept, "first", "...")
        return x.flatten(self.start)

    def extra_repr(self) -> str:
        return f"start={self.start}"
