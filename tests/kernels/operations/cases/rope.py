"""rope."""

from collections.abc import Iterator
from typing import Any

import torch
from cases.case import Case, Size, Tensors, normal
from torch import Tensor

import kernels


def tables(time: int, width: int) -> Tensors:
    """cos and sin, (time, width/2) each in float64, of the angles in the paper's section 3.2.2."""
    frequencies = 10000.0 ** (-torch.arange(0, width, 2, dtype=torch.float64) / max(width, 1))
    angles = torch.arange(time, dtype=torch.float64)[:, None] * frequencies
    return angles.cos(), angles.sin()


def _in_torch(x: Tensor, cos: Tensor, sin: Tensor, interleaved: bool) -> Tensor:
    """As models write it: x times cos, plus x with the numbers of each pair exchanged and one negated, times sin."""
    if interleaved:
        cos, sin = (table.repeat_interleave(2, -1)[:, None] for table in (cos, sin))  # (time, 1, width)
        exchanged = torch.stack((-x[..., 1::2], x[..., 0::2]), -1).flatten(-2)
    else:
        cos, sin = (table.repeat(1, 2)[:, None] for table in (cos, sin))
        left, right = x.chunk(2, -1)
        exchanged = torch.cat((-right, left), -1)
    return x * cos + exchanged * sin


def _make(size: Size, draw: torch.Generator) -> Tensors:
    return normal(draw, *size), *tables(size[-3], size[-1])


def _rope(interleaved: bool) -> Case:
    return Case(
        "rope-interleaved" if interleaved else "rope",
        lambda x, cos, sin: (kernels.rope(x, cos, sin, interleaved),),
        lambda x, cos, sin: (_in_torch(x, cos, sin, interleaved),),
        _make,
        # (..., time, heads, width): halves of 1, of 3 and 33 (never aligned), of 2 and 4 and more than a block
        sizes=((1, 1, 2), (5, 3, 6), (2, 3, 7, 66), (7, 2, 4), (2, 2, 3, 5, 8), (513, 8, 64), (3, 1, 2054)),
        tiny=((3, 5, 6), (2, 3, 3, 16)),
        empty=((0, 2, 4), (3, 0, 4), (3, 2, 0), (0, 3, 2, 4)),
        kept=(1, 2),
    )


CASES = (_rope(False), _rope(True))


def calls() -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Operators with arguments in the order of their schemas."""
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(2, 5, 3, 12, generator=draw)
    cos, sin = (table.float() for table in tables(5, 12))
    for interleaved in (False, True):
        yield "rope", (x, cos, sin, interleaved)
        yield "rope_backward", (x, cos, sin, interleaved)


def _with(**other: Any) -> Any:
    """A call with one argument that does not fit."""
    cos, sin = (table.float() for table in tables(5, 8))
    return lambda: kernels.rope(**{"x": torch.randn(5, 3, 8), "cos": cos, "sin": sin} | other)


REFUSED = {
    "a list": (TypeError, _with(x=[1.0]), "x must be a tensor, got list"),
    "no cos": (TypeError, _with(cos=None), "cos must be a tensor, got NoneType"),
    "whole numbers": (TypeError, _with(sin=torch.ones(5, 4, dtype=torch.int64)), "sin must be .*torch.int64"),
    "two axes": (
        ValueError,
        _with(x=torch.ones(5, 8)),
        r"x must be \(\.\.\., time, heads, width\) .*\(5, 8\)",
    ),
    "odd width": (ValueError, _with(x=torch.ones(5, 3, 7)), r"x must be .* even width, got \(5, 3, 7\)"),
    "full-width cos": (
        ValueError,
        _with(cos=torch.ones(5, 8)),
        r"cos must be \(time, width/2\) = \(5, 4\), got \(5, 8\)",
    ),
    "longer sin": (ValueError, _with(sin=torch.ones(6, 4)), r"sin must be .* \(5, 4\), got \(6, 4\)"),
    "half cos": (TypeError, _with(cos=torch.ones(5, 4).half()), "cos must be torch.float32"),
    "double sin": (TypeError, _with(sin=torch.ones(5, 4).double()), "sin must be torch.float32"),
    "sin elsewhere": (
        ValueError,
        _with(sin=torch.ones(5, 4, device="meta")),
        "sin must be on cpu like x, got meta",
    ),
    "learned cos": (ValueError, _with(cos=torch.ones(5, 4, requires_grad=True)), "cos has no gradient"),
    "learned sin": (ValueError, _with(sin=torch.ones(5, 4, requires_grad=True)), "sin has no gradient"),
}
