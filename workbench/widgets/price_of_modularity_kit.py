"""What modules, containers and hooks cost: one chain of linear maps, called bare and in every wrapping, at many widths.

A call of a module is Python: look up `__call__`, look for hooks, call `forward`. A container is one more such call, a
hook turns it to a slower path, and none of them looks at the size of the tensor. The parts of a layer's time are told
apart by taking things away, all rivals timed in turns:

    dispatch   bare functions at the smallest width: torch takes arguments apart, finds its kernel, allocates
    work       what bare functions take beyond that at this width: arithmetic and memory traffic
    Python     what the wrapping takes beyond bare functions at this width

The price in microseconds is not quite fixed. Tensors that fill the caches drive Python's own data out of them: with
16 MB read before each layer of width 4, a module cost 18 µs in place of 3, one in four hooked containers 50 in place of
14 (2 cores, torch 2.13). It vanishes all the same, since the work grows faster.

`workbench/fabric/price` measures the same of fabrics. No gradients are noted; with them, dispatch is dearer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from workbench.profiling import Timing, compare

LAYERS, ROWS = 8, 32
WIDTHS = (4, 8, 16, 32, 64, 128, 256, 512, 1024)
DEEPEST = 4
WRAPPINGS = tuple((depth, hooks) for hooks in (False, True) for depth in range(DEEPEST + 1))
NEGLIGIBLE = 0.05  # of what bare functions take
BARE = "functions"


class Parts(NamedTuple):
    """Seconds of one layer."""

    python: float
    dispatch: float
    work: float


@dataclass(frozen=True)
class Prices:
    """For each width the chain's calls, bare and wrapped in every way, timed in turns."""

    timings: dict[int, Timing]

    def __post_init__(self) -> None:
        wanted = {BARE, *(name(depth, hooks) for depth, hooks in WRAPPINGS)}
        if len(self.timings) < 2 or any(wanted - set(timing.samples) for timing in self.timings.values()):
            raise ValueError(f"timings: expected two widths or more with {', '.join(sorted(wanted))}")

    @property
    def widths(self) -> tuple[int, ...]:
        """Smallest first."""
        return tuple(sorted(self.timings))

    def parts(self, width: int, depth: int, hooks: bool) -> Parts:
        """Where one layer's time goes; what noise makes negative is 0."""
        timing, form = self.timings[width], name(depth, hooks)
        pairs = zip(timing.samples[form], timing.samples[BARE], strict=True)
        python = median(wrapped - bare for wrapped, bare in pairs) / LAYERS
        bare = timing.median(BARE) / LAYERS
        dispatch = min(bare, self.timings[self.widths[0]].median(BARE) / LAYERS)
        return Parts(max(0.0, python), dispatch, bare - dispatch)

    def ratio(self, width: int, depth: int, hooks: bool) -> float:
        """How many times as long as bare functions the wrapped layers take."""
        return self.timings[width].ratio(name(depth, hooks), BARE)

    def free_from(self, depth: int, hooks: bool) -> int | None:
        """The width from which on the wrapping costs less than 5% of bare functions; None if it always costs more."""
        found = None
        for width in reversed(self.widths):
            if self.ratio(width, depth, hooks) >= 1 + NEGLIGIBLE:
                break
            found = width
        return found

    @property
    def trusted(self) -> bool:
        """Whether the machine gave us the time to measure it."""
        return all(timing.trusted for timing in self.timings.values())


def measure_prices(widths: Sequence[int] = WIDTHS, repeats: int = 15) -> Prices:
    """Times every wrapping at every width on this machine's CPU, in some seconds.

    Raises ValueError for fewer than two widths, or one below 1.
    """
    if len(set(widths)) < 2 or min(widths) < 1:
        raise ValueError(f"widths: expected at least two different ones of at least 1, got {tuple(widths)}")
    timings = {}
    with torch.no_grad():
        for width in sorted(set(widths)):
            x = torch.randn(ROWS, width)
            timings[width] = compare({form: partial(call, x) for form, call in forms(width).items()}, repeats)
    return Prices(timings)


def forms(width: int) -> dict[str, Callable[[Tensor], Tensor]]:
    """Every way to call the chain, all with the same weights."""
    layers = [nn.Linear(width, width) for _ in range(LAYERS)]
    weights = [(layer.weight, layer.bias) for layer in layers]

    def functions(x: Tensor) -> Tensor:
        for weight, bias in weights:
            x = functional.linear(x, weight, bias)
        return x

    found: dict[str, Callable[[Tensor], Tensor]] = {BARE: functions}
    for depth, hooks in WRAPPINGS:
        found[name(depth, hooks)] = partial(in_turn, [wrapped(layer, depth, hooks) for layer in layers])
    return found


def in_turn(modules: Sequence[nn.Module], x: Tensor) -> Tensor:
    """One module after the other, without a container around them."""
    for module in modules:
        x = module(x)
    return x


def wrapped(layer: nn.Linear, depth: int, hooks: bool) -> nn.Module:
    """A layer with the same weights inside `depth` containers of its own, all of them watched if `hooks`."""
    module: nn.Module = nn.Linear(layer.in_features, layer.out_features, device="meta")
    module.weight, module.bias = layer.weight, layer.bias
    for _ in range(depth):
        module = nn.Sequential(module)
    if hooks:
        for part in module.modules():
            part.register_forward_hook(lambda part, inputs, output: None)
    return module


def name(depth: int, hooks: bool) -> str:
    """What a wrapping is called among the timed ones."""
    return f"{depth} containers{', hooks' if hooks else ''}"
