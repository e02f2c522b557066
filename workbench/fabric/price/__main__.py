"""`python -m workbench.fabric.price`: what each form of modularity costs, and from which size on it no longer matters.

The same chain of small blocks, y = Wx + b over and over, called in nine ways from bare functions to nested fabrics, at
sizes from one row of 8 numbers to 256 rows of 1024. The price is a fixed number of microseconds a block: dear beside an
operation that takes two, nothing beside one that takes ten thousand. No gradients are noted.
"""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from workbench.atomic import write_atomically
from workbench.fabric.block import Block
from workbench.fabric.fabric import Fabric
from workbench.profiling import Timing, compare

GROUPS, IN_GROUP = 3, 4
BLOCKS = GROUPS * IN_GROUP
SIZES = ((1, 8), (2, 16), (4, 32), (16, 64), (32, 128), (64, 256), (128, 512), (256, 1024))
BARE, COMPILED = "functions", "torch.compile"
NEVER, FIRST, ALWAYS = "blocks, never checked", "blocks, first call", "blocks, always checked"
NEGLIGIBLE = 0.05
Size = tuple[int, int]
Call = Callable[[Tensor], Tensor]


@dataclass(frozen=True, repr=False)
class Price:
    """For each size (rows, width) the forms of one chain, timed in turns."""

    timings: dict[Size, Timing]

    @property
    def forms(self) -> list[str]:
        """The ways in which the chain was called."""
        return list(next(iter(self.timings.values())).samples)

    def microseconds(self, form: str, size: Size) -> float:
        """Of one block."""
        return self.timings[size].median(form) / BLOCKS * 1e6

    def check(self, form: str) -> float:
        """Microseconds of a warm block that its contract's check takes, at the smallest size, over never checking."""
        samples = next(iter(self.timings.values())).samples
        return median(a - b for a, b in zip(samples[form], samples[NEVER], strict=True)) / BLOCKS * 1e6

    def vanishes(self, form: str) -> Size | None:
        """The size from which on the form costs less than 5% more than bare functions, None if it never does."""
        found = None
        for size, timing in reversed(self.timings.items()):
            if timing.ratio(form, BARE) >= 1 + NEGLIGIBLE:
                break
            found = size
        return found

    def table(self) -> str:
        """Plain text: µs a block and the ratio to bare functions for each form and size, and the machine's state."""
        width = max(map(len, self.forms))
        names = [f"{rows}×{columns}" for rows, columns in self.timings]
        lines = [
            f"{'µs a block (× functions)':{width}}"
            + "".join(f"{name:>17}" for name in names)
            + "   below 5% from"
        ]
        for form in self.forms:
            cells = [
                f"{self.microseconds(form, size):>9.3g} ({timing.ratio(form, BARE):.2f}×)"
                for size, timing in self.timings.items()
            ]
            size = self.vanishes(form)
            lines.append(f"{form:{width}}" + "".join(f"{cell:>17}" for cell in cells) + f"   {_shown(size)}")
        lines.append(
            f"a warm check of a contract: {self.check(FIRST):.2f} µs (first), {self.check(ALWAYS):.2f} µs (always)"
        )
        return "\n".join(
            [*lines, *(f"{_shown(size)}: {timing.state}" for size, timing in self.timings.items())]
        )

    __repr__ = table

    def as_data(self) -> dict[str, Any]:
        """The same for a file."""
        first = next(iter(self.timings.values()))
        return {
            "machine": f"{first.cores}-core {first.device.upper()}",
            "threads": first.threads,
            "torch": torch.__version__,
            "python": platform.python_version(),
            "blocks": BLOCKS,
            "trusted": all(timing.trusted for timing in self.timings.values()),
            "warm_check_microseconds": {form: self.check(form) for form in (FIRST, ALWAYS)},
            "negligible_from": {form: self.vanishes(form) for form in self.forms},
            "rows": [
                {
                    "form": form,
                    "size": size,
                    "microseconds_a_block": self.microseconds(form, size),
                    "times_functions": timing.ratio(form, BARE),
                    "ratio_spread": timing.ratio_spread(form, BARE),
                    "cpu_share": timing.cpu_share,
                    "trusted": timing.trusted,
                }
                for size, timing in self.timings.items()
                for form in self.forms
            ],
        }


def price(sizes: Sequence[Size] = SIZES, repeats: int = 20, compiled: bool = False) -> Price:
    """Times every form at every size; `compiled` adds torch.compile, which compiles for a minute or two."""
    timings = {}
    with torch.no_grad():
        for rows, width in sizes:
            x = torch.randn(rows, width)
            calls = {name: partial(call, x) for name, call in forms(x, compiled).items()}
            timings[rows, width] = compare(calls, repeats)
    return Price(timings)


def forms(x: Tensor, compiled: bool = False) -> dict[str, Call]:
    """The ways to call one chain of linear maps, all with the same weights."""
    width = x.shape[-1]
    modules = [nn.Linear(width, width) for _ in range(BLOCKS)]
    weights = [(module.weight, module.bias) for module in modules]
    hooked = [_twin(module) for module in modules]
    for module in hooked:
        module.register_forward_hook(lambda module, inputs, output: None)
    groups = [modules[start:end] for start, end in pairwise(range(0, BLOCKS + 1, IN_GROUP))]
    contract = f"... {width} -> ... {width}"
    nested: dict[str, Any] = {}
    for number, group in enumerate(groups):
        blocks: dict[str, Any] = {f"block{n}": module for n, module in enumerate(group)}
        nested[f"group{number}"] = Fabric(contract, **blocks)
    fabric = Fabric(contract, **nested)
    fabric(x)  # the first call of every block is the one that is checked

    def functions(x: Tensor) -> Tensor:
        for weight, bias in weights:
            x = F.linear(x, weight, bias)
        return x

    found: dict[str, Call] = {
        BARE: functions,
        "modules": partial(_in_turn, modules),
        "modules with a hook": partial(_in_turn, hooked),
        "nested Sequentials": nn.Sequential(*(nn.Sequential(*group) for group in groups)),
        NEVER: partial(_in_turn, [Block(module, checks="never") for module in modules]),
        FIRST: partial(_in_turn, [Block(module) for module in modules]),
        ALWAYS: partial(_in_turn, [Block(module, checks="always") for module in modules]),
        "nested fabrics": fabric,
        "flattened": fabric.flatten(x),
    }
    return {**found, COMPILED: torch.compile(functions)} if compiled else found


def _in_turn(modules: Sequence[nn.Module], x: Tensor) -> Tensor:
    for module in modules:
        x = module(x)
    return x


def _twin(module: nn.Linear) -> nn.Linear:
    """Another module with the same weights."""
    twin = nn.Linear(module.in_features, module.out_features, device="meta")
    twin.weight, twin.bias = module.weight, module.bias
    return twin


def _shown(size: Size | None) -> str:
    return f"{size[0]}×{size[1]}" if size else "never here"


def main(arguments: list[str] | None = None) -> int:
    """Prints the table, and writes the figures to a file if asked."""
    parser = argparse.ArgumentParser(
        prog="python -m workbench.fabric.price", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--compile", action="store_true", help="also torch.compile: a minute or two more")
    parser.add_argument("--repeats", type=int, default=20, help="rounds (20)")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args(arguments)
    found = price(repeats=options.repeats, compiled=options.compile)
    print(found.table())
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(options.json, (json.dumps(found.as_data(), indent=1) + "\n").encode())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
