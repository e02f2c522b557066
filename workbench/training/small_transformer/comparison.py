"""One model trained from one seed by the readable blocks, by torch's own functions and by `kernels`.

The losses must be the same; speed and memory need not be. *The same* cannot mean the same bits: sums in another order
round differently, and every step learns from the differences of those before it. How far equally right runs drift apart
is measured here too: the readable model runs once more with every weight nudged by one rounding. With the sizes below
and 200 steps that was 6e-6 of a loss of 2.1 at a learning rate of 1e-3, and 2e-2 at 3e-3, where training begins to
jump. In float64 all of it shrinks by nine orders of magnitude, which no difference in the mathematics would.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial

import torch
from torch import Tensor

from workbench.profiling import Timing, compare
from workbench.profiling.memory import peak_bytes
from workbench.training.adamw import AdamW
from workbench.training.seeding import seeded
from workbench.training.small_transformer import in_torch
from workbench.training.small_transformer.characters import Batch, batches, shakespeare
from workbench.training.small_transformer.fused import FusedTransformer
from workbench.training.small_transformer.model import Size, SmallTransformer

BLOCKS, TORCH, KERNELS = "blocks", "torch", "kernels"


@dataclass(frozen=True)
class Recipe:
    """What all runs have in common."""

    size: Size = field(default_factory=Size)
    batch: int = 16
    time: int = 64
    steps: int = 200
    learning_rate: float = 1e-3
    seed: int = 0
    dtype: torch.dtype = torch.float32
    threads: int = 1


class Run:
    """A model and its optimizer: the readable pair, torch's own, or that of `kernels`; all begin alike."""

    def __init__(self, name: str, recipe: Recipe, nudged: bool = False) -> None:
        models: dict[str, Callable[[Size], SmallTransformer]] = {
            BLOCKS: SmallTransformer,
            TORCH: partial(FusedTransformer, functions=in_torch),
            KERNELS: FusedTransformer,
        }
        optimizers: dict[str, Callable[..., torch.optim.Optimizer]] = {
            BLOCKS: torch.optim.AdamW,
            TORCH: partial(torch.optim.AdamW, fused=True),
            KERNELS: AdamW,
        }
        with seeded(recipe.seed):
            self.model = models[name](recipe.size).to(recipe.dtype)
            if nudged:
                nudge(self.model.parameters())
        self.optimizer = optimizers[name](self.model.parameters(), lr=recipe.learning_rate)

    def step(self, batch: Batch) -> Tensor:
        """One step of training; returns the loss before it."""
        loss = self.model(*batch)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    def train(self, data: Iterable[Batch]) -> list[float]:
        """The losses, one a step."""
        return [self.step(batch).item() for batch in data]


def nudge(params: Iterable[Tensor]) -> None:
    """Move each number by about one rounding, up or down by chance."""
    with torch.no_grad():
        for param in params:
            up_or_down = 2 * torch.randint(2, param.shape, dtype=param.dtype) - 1
            param *= 1 + torch.finfo(param.dtype).eps * up_or_down


@dataclass(frozen=True)
class Comparison:
    """Losses of all runs and of the nudged one, seconds of a step, bytes that a step sets aside at most."""

    recipe: Recipe
    parameters: int
    losses: dict[str, list[float]]
    nudged: list[float]
    timing: Timing
    peaks: dict[str, int]

    def difference(self, name: str) -> float:
        """The largest, over all steps, between the losses of a run and those of the blocks."""
        return largest_difference(self.losses[name], self.losses[BLOCKS])

    @property
    def drift(self) -> float:
        """The same between the readable run and itself with every weight nudged."""
        return largest_difference(self.losses[BLOCKS], self.nudged)

    def __str__(self) -> str:
        recipe, size, timing = self.recipe, self.recipe.size, self.timing
        lines = [
            f"{size.layers} layers, {size.width} wide, {self.parameters:,} parameters; {recipe.batch} passages of "
            f"{recipe.time} characters; {recipe.steps} steps, seed {recipe.seed}, {recipe.dtype}",
            f"{'':8}{'first loss':>11}{'last':>8}{'differs by':>12}{'a step':>11}{'its peak memory':>22}",
        ]
        for name, losses in self.losses.items():
            step, peak = f"{timing.median(name) * 1e3:.1f} ms", f"{self.peaks[name] / 1e6:.1f} MB"
            line = (
                f"{name:8}{losses[0]:11.4f}{losses[-1]:8.4f}{self.difference(name):12.1e}{step:>11}{peak:>22}"
            )
            if name != BLOCKS:
                spread = timing.ratio_spread(BLOCKS, name) / 2
                line += f"   {timing.ratio(BLOCKS, name):.2f}× as fast ±{spread:.0%}, "
                line += f"{self.peaks[BLOCKS] / self.peaks[name]:.2f}× less memory"
            lines.append(line)
        lines.append(
            f"blocks with every weight nudged by one rounding: their losses differ by {self.drift:.1e}"
        )
        return "\n".join([*lines, timing.state])


def largest_difference(losses: list[float], others: list[float]) -> float:
    """Between the losses of two runs, over all steps."""
    return max(abs(a - b) for a, b in zip(losses, others, strict=True))


def compare_runs(recipe: Recipe, repeats: int = 20) -> Comparison:
    """Train all, and the nudged one; then time steps in turns and measure the memory of one."""
    numbers, vocabulary = shakespeare()
    recipe = replace(recipe, size=replace(recipe.size, vocabulary=vocabulary))
    data = list(batches(numbers, recipe.batch, recipe.time, recipe.steps, recipe.seed))
    runs = {name: Run(name, recipe) for name in (BLOCKS, TORCH, KERNELS)}
    losses = {name: run.train(data) for name, run in runs.items()}
    nudged = Run(BLOCKS, recipe, nudged=True).train(data)
    steps = {name: partial(run.step, data[0]) for name, run in runs.items()}
    peaks = {name: peak_bytes(step) for name, step in steps.items()}
    timing = compare(steps, repeats=repeats, threads=recipe.threads)
    parameters = sum(param.numel() for param in runs[BLOCKS].model.parameters())
    return Comparison(recipe, parameters, losses, nudged, timing, peaks)
