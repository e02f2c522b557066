"""What every block says of an argument that it cannot use: its name, what was expected and what it got."""

from __future__ import annotations

from torch import Tensor


def at_least(smallest: int, **named: int) -> None:
    """Raise TypeError for what is not a whole number, ValueError for one below `smallest`, with its name."""
    for name, value in named.items():
        if not isinstance(value, int):
            raise TypeError(f"{name}: expected a whole number, got {value!r}")
        if value < smallest:
            raise ValueError(f"{name}: expected at least {smallest}, got {value}")


def check_shape(name: str, x: Tensor, *axes: str | int) -> None:
    """Raise ValueError unless x has these axes: a number is a size, a word any size, "..." any number of axes."""
    expected = axes
    if "..." in axes:
        at = axes.index("...")
        expected = axes[:at] + ("any",) * (x.dim() - len(axes) + 1) + axes[at + 1 :]
    if len(expected) != x.dim() or any(
        isinstance(axis, int) and axis != size for axis, size in zip(expected, x.shape, strict=True)
    ):
        shape = ", ".join(map(str, axes)) + "," * (len(axes) == 1)
        raise ValueError(f"{name}: expected shape ({shape}), got {tuple(x.shape)}")
