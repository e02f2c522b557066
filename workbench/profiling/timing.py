"""Compare rival calls fairly on a machine that is doing other things as well.

Three habits make a timing worth believing:

1. *Interleave.* Every round times every rival once, in an order drawn anew, so that a slow moment of the machine hits
   all of them. The ratio of two rivals is the median of the ratios *within* rounds; it stays put when the absolute
   times do not.
2. *Count processor time, not the clock on the wall*, wherever that is honest: see `workbench.profiling.clock`.
3. *Say when not to believe it.* A `Timing` carries the share of the processor we were given and the spread of each
   rival, and calls itself untrusted when either is poor.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from statistics import median, quantiles

import torch

from workbench.profiling.clock import (
    CLOCK_NAMES,
    Sample,
    choose_clock,
    collection_off,
    cores,
    cpu_share,
    loops_for,
    sample,
    thread_count,
)

CPU_SHARE_NEEDED = 0.8
SPREAD_ALLOWED = 0.25


class Speedup(float):
    """How many times as fast one rival is as another: a number that says its spread when it is printed."""

    timing: Timing
    name: str
    over: str

    def __new__(cls, timing: Timing, name: str, over: str) -> Speedup:
        speedup = super().__new__(cls, timing.ratio(over, name))
        speedup.timing, speedup.name, speedup.over = timing, name, over
        return speedup

    @property
    def spread(self) -> float:
        """The interquartile range of the rounds' ratios over their median."""
        return self.timing.ratio_spread(self.over, self.name)

    def __repr__(self) -> str:
        return f"{float(self):,.2f}× ±{self.spread / 2:.0%}" + ("" if self.timing.trusted else " (untrusted)")


@dataclass(frozen=True, repr=False)
class Timing:
    """Times of rival calls, taken round by round."""

    samples: dict[str, tuple[float, ...]]  # seconds a call, one a round
    clock: str
    cores: int
    threads: int
    cpu_share: float  # processor time we got / processor time we asked for
    device: str = "cpu"

    def median(self, name: str) -> float:
        """Median seconds of one call."""
        return median(self._rounds(name))

    def spread(self, name: str) -> float:
        """Interquartile range of the rounds over their median."""
        return _spread(self._rounds(name))

    def ratio(self, a: str, b: str) -> float:
        """How many times longer `a` takes than `b` (above 1: `b` is faster), median of paired rounds."""
        return median(self._ratios(a, b))

    def ratio_spread(self, a: str, b: str) -> float:
        """Interquartile range of the paired ratios over their median."""
        return _spread(self._ratios(a, b))

    def speedup(self, name: str, over: str) -> Speedup:
        """How many times as fast as `over` the rival `name` is."""
        return Speedup(self, name, over)

    @property
    def doubts(self) -> list[str]:
        """Reasons, in words, not to believe these figures; empty when there are none."""
        doubts = []
        if self.device == "cpu" and self.cpu_share < CPU_SHARE_NEEDED:
            why = "another program is running"
            if self.threads > 1:
                why += ", or the calls do not keep their threads at work"
            doubts.append(f"got {self.cpu_share:.0%} of the processor time asked for: {why}")
        for name in self.samples:
            if self.spread(name) > SPREAD_ALLOWED:
                doubts.append(f"rounds of {name} differ by {self.spread(name):.0%}")
        return doubts

    @property
    def trusted(self) -> bool:
        """Whether we were given the processor and every rival repeated itself."""
        return not self.doubts

    @property
    def state(self) -> str:
        """One line: cores, threads, clock, CPU share, largest spread, trust."""
        worst = max(self.spread(name) for name in self.samples)
        verdict = "trusted" if self.trusted else "UNTRUSTED: " + "; ".join(self.doubts)
        threads = f"{self.threads} thread{'s' if self.threads > 1 else ''}"
        where = f"{self.cores} cores, {threads}" if self.device == "cpu" else self.device
        return f"{where}, {self.clock}, CPU share {self.cpu_share:.2f}, spread up to {worst:.0%}, {verdict}"

    def table(self) -> str:
        """Plain text: a line for each rival, then the state of the machine."""
        first = next(iter(self.samples))
        width = max(len(name) for name in self.samples)
        lines = [f"{'':{width}}    median  spread  speed-up over {first}"]
        for name in self.samples:
            speed_up = f"{self.ratio(first, name):,.2f}× ±{self.ratio_spread(first, name) / 2:.0%}"
            cells = f"{_seconds(self.median(name)):>9}  {self.spread(name):>6.0%}"
            lines.append(f"{name:{width}} {cells}  {speed_up if name != first else ''}".rstrip())
        return "\n".join([*lines, self.state])

    __repr__ = table

    def _repr_html_(self) -> str:
        return f"<pre>{escape(self.table())}</pre>"

    def _rounds(self, name: str) -> tuple[float, ...]:
        if name not in self.samples:
            raise ValueError(f"name: expected one of {list(self.samples)}, got {name!r}")
        return self.samples[name]

    def _ratios(self, a: str, b: str) -> list[float]:
        return [x / y if y else math.inf for x, y in zip(self._rounds(a), self._rounds(b), strict=True)]


def compare(
    calls: Mapping[str, Callable[[], object]],
    repeats: int = 20,
    threads: int = 1,
    device: str | torch.device = "cpu",
    prepare: Callable[[], object] | None = None,
) -> Timing:
    """Time rival calls against each other, interleaved round by round.

    `repeats` rounds, each timing every call in a random order; a call shorter than a sample (2 ms, more where
    the clock is coarse) is repeated within it. `threads` sets torch's and Numba's thread counts for the
    measurement and puts them back. `device` is where the work happens: on a CUDA device events on its stream
    are read instead of clocks. `prepare`, if given, runs untimed before each sample (to flush a cache, say),
    and a sample is then a single call. The garbage collector is off meanwhile, as in `timeit`.

    Raises ValueError or TypeError for no calls, one that is not callable, or counts that are too small.
    """
    _refuse_bad(calls, repeats, threads)
    device = torch.device(device)
    order = random.Random(0)
    names = list(calls)
    taken: dict[str, list[Sample]] = {name: [] for name in names}
    with thread_count(threads), collection_off():
        loops = {name: loops_for(calls[name], device, once=prepare is not None) for name in names}
        clock = choose_clock(calls, loops, threads, device)
        for _ in range(repeats):
            for name in order.sample(names, len(names)):
                if prepare:
                    prepare()
                taken[name].append(sample(calls[name], loops[name], clock, device))
    return Timing(
        samples={name: tuple(seconds / loops[name] for seconds, _, _ in taken[name]) for name in names},
        clock="CUDA events" if device.type == "cuda" else CLOCK_NAMES[clock],
        cores=cores(),
        threads=threads,
        cpu_share=cpu_share(taken, threads, own_thread=clock is time.thread_time),
        device=str(device),
    )


def _refuse_bad(calls: Mapping[str, Callable[[], object]], repeats: int, threads: int) -> None:
    if not calls:
        raise ValueError("calls: expected at least one named call, got none")
    for name, call in calls.items():
        if not callable(call):
            raise TypeError(f"calls[{name!r}]: expected something callable, got {type(call).__name__}")
    for argument, value, least in (("repeats", repeats, 3), ("threads", threads, 1)):
        if not isinstance(value, int) or value < least:
            raise ValueError(f"{argument}: expected a whole number of at least {least}, got {value!r}")


def _spread(values: tuple[float, ...] | list[float]) -> float:
    low, middle, high = quantiles(values, n=4, method="inclusive")
    return (high - low) / middle if middle else math.inf


def _seconds(value: float) -> str:
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if value >= scale:
            return f"{value / scale:.3g} {unit}"
    return f"{value / 1e-9:.3g} ns"
