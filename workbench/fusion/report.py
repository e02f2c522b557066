"""What came of fusing a model: what was rewritten and what was not, how exact it is, what it saves.

Three savings are kept apart, as one may come without the others: operations that run and bytes that they move are
counted (`workbench.profiling.meter`, on the example inputs), the speed is measured on the reader's machine when it is
first asked for (`workbench.profiling.compare`: interleaved, in CPU time).
"""

from __future__ import annotations

import base64
import textwrap
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import Any

import torch
from torch import nn
from torch.fx import GraphModule
from torch.utils._pytree import tree_map

from workbench.drawing import Scene
from workbench.drawing.axes import with_unit
from workbench.fusion.picture import picture
from workbench.fusion.rewrite import Refusal, Rewrite
from workbench.fusion.trial import fresh, unchanged
from workbench.profiling import Count, Speedup, compare, meter

PLACES_SHOWN = 4
WIDTH = 88  # a notebook breaks longer lines anywhere, also within a word
HANG = 4 * " "  # before the rest of a wrapped line; places stand two further in than their kind


@dataclass(frozen=True, repr=False)
class FusionReport:
    """The fused model and what is known about it."""

    original: nn.Module
    model: GraphModule
    inputs: tuple[Any, ...]
    rewrites: tuple[Rewrite, ...]
    refused: tuple[Refusal, ...]
    max_error: float  # relative to the largest element, in the model's own dtype
    max_error_float64: float  # the same in float64, where only the rewriting itself shows

    @property
    def ops_before(self) -> int:
        """Operations that the original runs, without mere views."""
        return self._counts[0].calls

    @property
    def ops_after(self) -> int:
        """Operations that the fused model runs, without mere views."""
        return self._counts[1].calls

    @property
    def bytes_before(self) -> int:
        """Bytes that the original's operations read and write."""
        return self._counts[0].bytes

    @property
    def bytes_after(self) -> int:
        """Bytes that the fused model's operations read and write."""
        return self._counts[1].bytes

    @cached_property
    def speedup(self) -> Speedup:
        """How many times faster the fused model is here, on one thread; measured once, in seconds."""
        device = next((tensor.device for tensor in self.model.parameters()), torch.device("cpu"))

        def call(model: nn.Module) -> Callable[[], None]:
            inputs = tree_map(fresh, self.inputs)  # a model may write into them

            @torch.no_grad()
            def run() -> None:
                model(*inputs)

            return run

        with unchanged(self.original), unchanged(self.model):  # a model in training mode changes its buffers
            timing = compare({"original": call(self.original), "fused": call(self.model)}, device=device)
        return timing.speedup("fused", over="original")

    @cached_property
    def _counts(self) -> tuple[Count, Count]:
        with torch.no_grad():
            before, after = (
                meter(model, *tree_map(fresh, self.inputs)) for model in (self.original, self.model)
            )
            return before, after

    def picture(self) -> Scene:
        """Both graphs side by side; what was fused has one letter and one color in both."""
        return picture(self.original, self.model, self.inputs, self.rewrites)

    def table(self, speed: bool = True) -> str:
        """Plain text: what, where and why; what was refused; savings and errors. Without `speed` always the same."""
        lines = [*_listed("rewritten", self.rewrites), *_listed("refused", self.refused), *self._savings()]
        if speed:
            lines += [f"speed-up     {self.speedup!r}", f"  {self.speedup.timing.state}"]
        lines.append(
            f"error        {self.max_error:.1e} of the largest number, {self.max_error_float64:.1e} in float64"
        )
        return "\n".join(_wrapped(line) for line in lines)

    def __repr__(self) -> str:
        return self.table()

    def _repr_html_(self) -> str:
        scene = self.picture()
        png = base64.b64encode(scene.png()).decode("ascii")
        size = f'width="{scene.width:.0f}" style="max-width: 100%"'
        image = f'<img src="data:image/png;base64,{png}" {size} alt="{escape(scene.alt)}">'
        return f"<pre>{escape(self.table())}</pre>{image}"

    def _savings(self) -> list[str]:
        moved = [with_unit(count, "B") for count in (self.bytes_before, self.bytes_after)]
        ran = [f"{count:,}" for count in (self.ops_before, self.ops_after)]
        return [
            f"{name:11}  {one:>8} -> {other:>8}  {change:+.0%}"
            for name, (one, other), change in (
                ("operations", ran, self.ops_after / max(1, self.ops_before) - 1),
                ("bytes moved", moved, self.bytes_after / max(1, self.bytes_before) - 1),
            )
        ]


def _listed(title: str, found: Iterable[Rewrite | Refusal]) -> list[str]:
    """Each kind once, with its reason and its first places; reasons that differ stand with the places."""
    kinds: dict[str, list[Rewrite | Refusal]] = {}
    for one in found:
        kinds.setdefault(one.what, []).append(one)
    lines = [title if kinds else f"{title}: nothing"]
    for what, alike in kinds.items():
        one_reason = len({one.why for one in alike}) == 1
        times = f" ×{len(alike)}" if len(alike) > 1 else ""
        lines.append(f"  {what}{times}" + (f": {alike[0].why}" if one_reason else ""))
        lines += [f"    {one.where}" + ("" if one_reason else f": {one.why}") for one in alike[:PLACES_SHOWN]]
        if len(alike) > PLACES_SHOWN:
            lines.append(f"    … and {len(alike) - PLACES_SHOWN} more")
    return [*lines, ""]


def _wrapped(line: str) -> str:
    """A line as one or more of at most `WIDTH` columns; a word is never broken, though it be longer than that."""
    text = line.lstrip()
    indent = " " * (len(line) - len(text))
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent + HANG,
        break_long_words=False,
        break_on_hyphens=False,
    )
