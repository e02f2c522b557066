"""How long a GPU would take for what a run has counted, if nothing but its published limits held it up.

A GPU does many things at once: it waits for memory while it multiplies. So the time is at least that of the thing it
has most of, each alone at its limit, and a launch on top:

    seconds = launch + max over terms (count / rate)

The term that gives the maximum *binds*: only less of that makes the kernel faster. This is the roofline model with more
roofs than two. Blocks are dealt out whole: with b blocks on S multiprocessors (SMs) the fullest has ⌈b/S⌉, and what an
SM does counts as if b/⌈b/S⌉ of them were at work (*wave quantization*: 133 blocks on 132 SMs take twice as long).

Sources: S. Williams, A. Waterman, D. Patterson, Roofline, CACM 52(4), 2009; NVIDIA, Deep Learning Performance Guide,
"GPU Performance Background", on wave quantization and tail effect; the limits: `kernels/gpus.py`. A launch: A. Gray,
Getting Started with CUDA Graphs, NVIDIA Technical Blog, 2019: kernels of 2.9 µs follow each other in 3.8 µs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from kernels.gpus import GPU, SECTOR, WAVEFRONT, find
from kernels.simt.counters import Counters
from kernels.simt.run import Run

LAUNCH = 0.9e-6  # seconds, in a stream of launches; one that the host waits for took 6.7 µs there


@dataclass(frozen=True)
class Term:
    """One thing that a kernel does, and how much of it a GPU does in a second."""

    name: str
    count: int
    unit: str
    rate: float  # of the unit a second

    @property
    def seconds(self) -> float:
        """The time for it alone."""
        return self.count / self.rate


@dataclass(frozen=True)
class Estimate:
    """A model of a kernel's time on a GPU, not a measurement: a time that it will hardly go below."""

    kernel: str
    gpu: GPU
    parts: tuple[Term, ...]
    blocks: int
    assumptions: tuple[str, ...]

    @property
    def terms(self) -> dict[str, float]:
        """Seconds by cause, each alone."""
        return {part.name: part.seconds for part in self.parts}

    @property
    def binding(self) -> str:
        """The name of the term that takes longest."""
        return max(self.parts, key=lambda part: part.seconds).name

    @property
    def seconds(self) -> float:
        """A launch, and the longest of what runs at the same time."""
        terms = self.terms
        return terms.pop("launch") + max(terms.values())

    @property
    def waves(self) -> int:
        """Blocks that the fullest SM gets."""
        return math.ceil(self.blocks / self.gpu.sms)

    @property
    def sm_utilization(self) -> float:
        """Share of the SMs at work, on average, until the fullest is done: blocks / (SMs · waves)."""
        return self.blocks / (self.gpu.sms * self.waves)

    def __str__(self) -> str:
        rows = [
            f"{self.kernel} on {self.gpu.name}: {self.seconds * 1e6:,.2f} µs (model), bound by {self.binding}"
        ]
        longest = self.terms[self.binding]
        for part in filter(lambda part: part.count, self.parts):
            bar = "█" * round(20 * part.seconds / longest)
            limit = f"{part.count:,} {part.unit}, {part.rate:.3g} a second"
            rows.append(f"{part.name:<17} {part.seconds * 1e6:12,.2f} µs  {bar:<20}  {limit}")
        rows.append(
            f"{self.blocks:,} block{'s' * (self.blocks != 1)} on {self.gpu.sms} SMs, at most {self.waves:,} each: "
            f"{self.sm_utilization:.0%} of the SMs at work"
        )
        return "\n".join([*rows, *(f"- {sentence}" for sentence in self.assumptions)])

    __repr__ = __str__


def estimate(run: Run, gpu: str | GPU = "H200") -> Estimate:
    """What a launch would cost on a GPU, term by term.

    run: what `simt.launch` returned. gpu: a name of `kernels.gpus.GPUS`, or a GPU of your own.

    Raises TypeError for what is no run, ValueError naming the known GPUs for another name.
    Source: this module's page.
    """
    if not isinstance(run, Run):
        raise TypeError(f"run: expected what simt.launch returns, got {type(run).__name__}")
    board = find(gpu)
    blocks = math.prod(run.grid)
    at_work = blocks / math.ceil(blocks / board.sms)  # SMs, on average until the fullest is done
    parts = tuple(_terms(run.counters, board, at_work * board.boost_hz))
    return Estimate(run.kernel, board, parts, blocks, tuple(_assumptions(run, board)))


def _terms(counters: Counters, gpu: GPU, clocks: float) -> Iterator[Term]:
    """`clocks`: a second, of all SMs at work together."""
    rates = gpu.rates
    sectors = counters.global_load_sectors + counters.global_store_sectors
    wavefronts = counters.shared_load_wavefronts + counters.shared_store_wavefronts
    single = counters.flops - counters.flops64
    yield Term("device memory", counters.global_bytes_unique, "bytes", gpu.memory_bandwidth)
    if gpu.l2_bandwidth is not None:
        yield Term("L2 cache", sectors * SECTOR, "bytes", gpu.l2_bandwidth)
    yield Term("L1 cache", sectors, "sectors", rates.cache_bytes / SECTOR * clocks)
    yield Term("shared memory", wavefronts, "wavefronts", rates.cache_bytes / WAVEFRONT * clocks)
    yield Term("FP32", single, "FLOPs", 2 * rates.fp32 * clocks)
    yield Term("FP64", counters.flops64, "FLOPs", 2 * rates.fp64 * clocks)
    yield Term("special functions", counters.transcendentals, "calls", rates.special * clocks)
    yield Term("instruction issue", counters.statements, "statements", rates.schedulers * clocks)
    yield Term("launch", 1, "launch", 1 / LAUNCH)


def _assumptions(run: Run, gpu: GPU) -> Iterator[str]:
    """What the model takes for granted, and what it leaves out, as far as this run has it."""
    counters = run.counters
    yield "A model from published limits, at boost clock: latency, barriers and waits for one another are left out."
    yield "Each byte passes through device memory once; a cache that already holds it would make that less."
    if gpu.l2_bandwidth is None:
        yield f"NVIDIA publishes no L2 bandwidth of {gpu.name}: that term is missing."
    else:
        yield "Every sector comes from the L2 cache, as if the L1 cache never had it."
    if counters.flops:
        yield "Every FLOP is half of a fused multiply-add; half precision counts as FP32."
    if counters.transcendentals:
        yield "A transcendental is one result of the special function units; an exact one takes more instructions."
    if counters.statements:
        yield "A statement is one instruction of a warp; most take several."
    if counters.atomics:
        yield f"{counters.atomics:,} requests of atomics cost nothing here: NVIDIA publishes no rate for them."
    if math.prod(run.grid) < gpu.sms:
        yield "Few SMs alone do not reach the bandwidth of device memory; here they do."
    if run.hazards:
        yield "The run had hazards: what it counted may not be all."
