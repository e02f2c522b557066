"""Launching a kernel on the simulated GPU."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch

from kernels.simt.arithmetic import dtype_of
from kernels.simt.counters import Counters
from kernels.simt.hazards import Hazard
from kernels.simt.lanes import padded
from kernels.simt.language import source
from kernels.simt.language.lower import lower
from kernels.simt.language.typed import arguments_of, type_of
from kernels.simt.limits import Shape, full, shape_of, within_limits
from kernels.simt.machine.core import Machine
from kernels.simt.machine.memory import Storage, View, views_of
from kernels.simt.machine.reports import Reports
from kernels.simt.record import Touched
from kernels.simt.run import Run

CHUNK_LANES = 1 << 15  # lanes that run side by side: what they remember should stay in the CPU's cache
COOPERATIVE_LANES = 1 << 18  # a grid that waits for itself runs in one piece


def launch(
    kernel: Callable[..., Any],
    grid: Shape,
    block: Shape,
    *arguments: Any,
    shared_bytes: int = 0,
    order: str = "lockstep",
    seed: int = 0,
    on_hazard: str = "raise",
    step_limit: int = 100_000,
) -> Run:
    """Run `kernel`, an `@cuda.jit` function or its Python function, with a GPU simulated on the CPU.

    grid, block: blocks in the grid and threads in a block, along one to three axes. arguments: NumPy arrays, CPU
    tensors (both written in place), numbers, None, and tuples of these. shared_bytes: dynamic shared memory of a block.
    order: "lockstep", or "shuffled" for warps, blocks and atomics in an order drawn by `seed`. on_hazard: "raise", or
    "record" to go on: a bad read gives 0, a bad write is dropped, a divergent barrier is passed. step_limit: turns of
    a chunk of blocks after which a loop counts as endless.

    Raises a Hazard where the kernel has one, KernelTypeError where Numba cannot type it, UnsupportedError where the
    simulator cannot run it, and ValueError or TypeError, which name the argument, for anything else.
    """
    function = getattr(kernel, "py_func", kernel)
    if not callable(function) or isinstance(function, type):
        raise TypeError(f"kernel: expected a function or a @cuda.jit kernel, got {type(kernel).__name__}")
    named_grid, named_block = shape_of("grid", grid), shape_of("block", block)
    for name, value, allowed in (
        ("order", order, ("lockstep", "shuffled")),
        ("on_hazard", on_hazard, ("raise", "record")),
    ):
        if value not in allowed:
            raise ValueError(f"{name}: expected {' or '.join(map(repr, allowed))}, got {value!r}")
    for name, number in (("shared_bytes", shared_bytes), ("step_limit", step_limit), ("seed", seed)):
        if not isinstance(number, int | np.integer) or number < 0:
            raise ValueError(f"{name}: expected an integer, 0 or more, got {number!r}")
    given = arguments_of(function, arguments)
    kinds = tuple(type_of(name, value) for name, value in given.items())
    program = lower(kernel, kinds)
    run = Run(
        program.name,
        named_grid,
        named_block,
        source=source.of(function, program),
        function=function,
        kinds=kinds,
    )
    reports = Reports(run, on_hazard == "raise")
    full_grid, full_block = full(named_grid), full(named_block)
    if within_limits(program, full_grid, full_block, shared_bytes, reports):
        values = _values(given, kinds)
        rng = np.random.default_rng(seed) if order == "shuffled" else None
        machine = Machine(program, values, full_grid, full_block, shared_bytes, rng, step_limit, reports, run)
        try:
            _run(machine, run)
        except Hazard as hazard:
            found = hazard
        else:
            return run
        raise found.with_traceback(None)  # the reader's mistake: the simulator's own frames do not explain it
    return run


def _run(machine: Machine, run: Run) -> None:
    """All blocks, chunk by chunk; what has been counted by then is in the run even when a hazard ends it."""
    blocks = int(np.prod(machine.grid, dtype=np.int64))
    lanes = padded(int(np.prod(machine.block)))
    at_once = max(1, CHUNK_LANES // lanes)
    if machine.program.cooperative:
        if blocks * lanes > COOPERATIVE_LANES:
            raise ValueError(
                f"grid: expected at most {COOPERATIVE_LANES // lanes} blocks of {lanes} threads, as all of a grid that "
                f"synchronizes run together, got {blocks}"
            )
        at_once = blocks
    run.warps, run.shared_bytes = blocks * lanes // 32, machine.shared_bytes
    try:
        with np.errstate(all="ignore"):
            for first in range(0, blocks, at_once):
                machine.run_chunk(first, min(at_once, blocks - first))
    finally:
        _count(machine, run)


def _count(machine: Machine, run: Run) -> None:
    """Fold what the machine has seen into the run's counters."""
    for segment, (warps, lanes) in zip(machine.program.segments, machine.executed.tolist(), strict=True):
        for line in segment.lines:
            machine.counter(line).statements += warps
            machine.counter(line).lanes += lanes
        for work in segment.work:
            counter = machine.counter(work.line)
            counter.flops += work.flops * lanes
            counter.flops64 += work.flops64 * lanes
            counter.transcendentals += work.transcendentals * lanes
    run.lines = dict(sorted(machine.lines.items(), key=lambda item: (isinstance(item[0], str), item[0])))
    run.steps_left_out = machine.trace.left_out
    run.counters = Counters()
    for counted in run.lines.values():
        run.counters += counted
    for storage in machine.storages:
        run.counters.global_bytes_unique += storage.shadow.read_bytes + storage.shadow.written_bytes
    run.touched = tuple(_touched(storage) for storage in machine.storages if len(storage.data))


def _touched(storage: Storage) -> Touched:
    read, written = storage.shadow.touched()
    return Touched(storage.data.ctypes.data, storage.shadow.unit, np.packbits(read), np.packbits(written))


def _values(given: dict[str, Any], kinds: tuple[Any, ...]) -> dict[str, Any]:
    """Arguments as the kernel sees them: views of arrays, numbers of their Numba types, tuples of these."""
    views = views_of(dict(_arrays(given.items())))
    return {
        name: _value(name, value, kind, views)
        for (name, value), kind in zip(given.items(), kinds, strict=True)
    }


def _arrays(named: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    """The arrays among arguments, those in tuples too, with their names."""
    for name, value in named:
        if isinstance(value, tuple):
            yield from _arrays((f"{name}[{place}]", item) for place, item in enumerate(value))
        elif isinstance(value, np.ndarray | torch.Tensor):
            yield name, value


def _value(name: str, value: Any, kind: Any, views: dict[str, View]) -> Any:
    if isinstance(value, tuple):
        return tuple(
            _value(f"{name}[{place}]", *one, views) for place, one in enumerate(zip(value, kind, strict=True))
        )
    if name in views or value is None:
        return views.get(name)
    return np.array(value).astype(dtype_of(kind))[()]
