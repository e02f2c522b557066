"""The arithmetic of windows sliding along an axis: how many places there are, and what lies beyond the border.

A window of `size` numbers, `dilation` apart, spans dilation·(size − 1) + 1. Moved on by `stride` along n numbers with
`before` and `after` added at the ends, it stands at

    (before + n + after − span)//stride + 1  places.

With `padding="same"` span − 1 numbers are added, and n numbers give n places. What is added: zeros, or the axis's own
numbers, mirrored ("reflect"), the last one repeated ("replicate"), or from the other end ("circular").

Source: Dumoulin and Visin, A guide to convolution arithmetic for deep learning, arXiv 1603.07285.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from workbench.blocks.arguments import at_least

Each = int | Sequence[int]  # one number for all axes, or one for each
PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


@dataclass(frozen=True)
class Window:
    """The window along one axis, and the numbers added to that axis."""

    axis: str
    size: int
    stride: int
    dilation: int
    before: int
    after: int

    @property
    def span(self) -> int:
        """Numbers from the first that the window sees to the last."""
        return self.dilation * (self.size - 1) + 1

    @property
    def places(self) -> str:
        """How many places there are, as an expression of the axis: the formula above, collected."""
        extra = self.before + self.after - self.span + self.stride
        numbers = f"{self.axis}{extra:+d}" if extra else self.axis
        if self.stride == 1:
            return numbers
        return f"({numbers})//{self.stride}" if extra else f"{numbers}//{self.stride}"

    def shortest(self, padding_mode: str) -> int:
        """The fewest numbers along the axis that give a place and can fill the border."""
        widest = max(self.before, self.after)
        border = {"reflect": widest + 1 if widest else 0, "circular": widest}.get(padding_mode, 0)
        return max(1, self.span - self.before - self.after, border)


def windows_along(
    axes: Sequence[str], size: Each, stride: Each, padding: Each | str, dilation: Each
) -> tuple[Window, ...]:
    """A window for each axis. Raises ValueError or TypeError naming the argument that does not fit."""
    sizes, strides, dilations = (
        _each(name, value, len(axes), smallest=1)
        for name, value in (("size", size), ("stride", stride), ("dilation", dilation))
    )
    if isinstance(padding, str):
        if padding != "same":
            raise ValueError(f'padding: expected a number or "same", got {padding!r}')
        if any(step != 1 for step in strides):
            raise ValueError(f'stride: expected 1 with padding="same", got {stride}')
        # of an odd number the larger half goes behind, as in PyTorch
        added = [gap * (taps - 1) for taps, gap in zip(sizes, dilations, strict=True)]
        before, after = [total // 2 for total in added], [total - total // 2 for total in added]
    else:
        before = after = _each("padding", padding, len(axes), smallest=0)
    columns = (axes, sizes, strides, dilations, before, after)
    return tuple(Window(*row) for row in zip(*columns, strict=True))


def _each(name: str, value: Each, count: int, smallest: int) -> list[int]:
    values = [value] * count if isinstance(value, int) else list(value)
    if len(values) != count:
        raise ValueError(f"{name}: expected one number or {count}, got {value!r}")
    for each in values:
        at_least(smallest, **{name: each})
    return values
