"""The simulated GPU: runs a program for one chunk of blocks after another, every lane of a chunk in lockstep.

Lanes stand at segments. The machine lets those whose turn it is (`scheduler.py`) run theirs, step by step, and sends
them on, to another segment, to a barrier or out. It also serves the steps: with memory, counters, a clock, a place for
hazards.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.simt.counters import WARP, Counters
from kernels.simt.hazards import Line, StepLimit
from kernels.simt.instruments.ordering import Ordering
from kernels.simt.instruments.shadow import Shadow
from kernels.simt.lanes import Chunk, Lanes
from kernels.simt.machine.barriers import Barriers
from kernels.simt.machine.branches import Branches
from kernels.simt.machine.memory import Storage, View, row_major, views_in
from kernels.simt.machine.program import Branch, Jump, Program, Return, Segment, Wait
from kernels.simt.machine.reports import Reports
from kernels.simt.machine.scheduler import Scheduler
from kernels.simt.machine.state import State, same
from kernels.simt.machine.trace import Trace
from kernels.simt.run import Run

ENDLESS = 8  # rounds of the program in which nothing changes


class Log:
    """Which line each moment of the clock belongs to."""

    def __init__(self) -> None:
        self.lines: list[Line] = [0]  # moment 0 is before the first access
        self.numbers: dict[Line, int] = {}

    def line(self, time: int) -> Line:
        """The line that was executed then."""
        return self.lines[time]

    def index(self, time: int) -> int:
        """A number for that line."""
        return self.numbers.setdefault(self.lines[time], len(self.numbers))


class Machine:
    """A launch in progress.

    arguments: a value for each of the kernel's, arrays as views. grid, block: (x, y, z). dynamic: bytes of dynamic
    shared memory. rng: for the shuffled order, None for lockstep.
    """

    def __init__(
        self, program: Program, arguments: dict[str, Any], grid: tuple[int, int, int], block: tuple[int, int, int],
        dynamic: int, rng: np.random.Generator | None, step_limit: int, reports: Reports, run: Run,
    ) -> None:  # fmt: skip
        self.program, self.arguments, self.grid, self.block = program, arguments, grid, block
        self.rng, self.step_limit, self.reports, self.run = rng, step_limit, reports, run
        self.dynamic_start = -(-program.shared_bytes // 16) * 16
        self.shared_bytes = self.dynamic_start + dynamic if dynamic else program.shared_bytes
        self.log, self.now = Log(), 0
        self.lines: dict[Line, Counters] = {}
        self.executed = np.zeros((len(program.segments), 2), dtype=np.int64)  # (warps, lanes) of each segment
        self.bytes_numbered = 0
        self.storages: list[Storage] = []
        for view in views_in(tuple(arguments.values())):
            if view.storage not in self.storages:
                if program.viewed:
                    view.storage.unit = min(view.storage.unit, program.unit)
                self.storages.append(self._number(view.storage))

    def run_chunk(self, first_block: int, blocks: int) -> None:
        """Run consecutive blocks to their end."""
        stride = -(-max(self.shared_bytes, 1) // 256) * 256
        self.chunk = chunk = Chunk(self.grid, self.block, first_block, blocks, stride)
        if first_block == 0:
            self.run.steps = self.trace = Trace(chunk.padded)
            self.ordering = Ordering(chunk.padded, 0, blocks, self.program.only_barriers)
        else:
            self.ordering.next_chunk(first_block, blocks)
        self.shared = self._number(
            Storage("shared", np.zeros(blocks * chunk.shared_stride, np.uint8), self.program.unit)
        )
        self.locals: dict[str, Storage] = {}
        self.state, self.branches = State(), Branches(self)
        self.alive = chunk.exists.copy()
        self.live = self.lanes(np.flatnonzero(self.alive))
        self.barriers, self.scheduler = Barriers(self), Scheduler(chunk, self.rng)
        self.scheduler.arrive(0, self.live)
        self.ends: dict[int, int] = {}  # block of the chunk -> a thread that has come to the kernel's end
        while self.scheduler.standing or self.barriers.waiting:
            if self.scheduler.standing:
                self._run(*self.scheduler.next(self.live))
            else:
                self.barriers.settle()

    # -- one segment --------------------------------------------------------------------------------------------------

    def _run(self, number: int, lanes: Lanes) -> None:
        segment = self.program.segments[number]
        state, live, scheduler = self.state, self.live.count, self.scheduler
        if scheduler.turns > self.step_limit or scheduler.still > ENDLESS * len(self.program.segments):
            self._give_up(segment, lanes)
            return
        frame = segment.constants.copy()
        for name in segment.reads:
            frame[name] = state.take(name, lanes)
        scheduler.still += 1
        for step in segment.steps:
            step(frame, lanes, self)
        looking = scheduler.looking
        if not looking:
            scheduler.still = 0
        for name in segment.writes:
            if name in frame:
                if looking and not same(state.take(name, lanes), frame[name]):
                    scheduler.changed()
                state.put(name, frame[name], lanes, live)
        if segment.lines or segment.work:
            self.executed[number] += (lanes.warps, lanes.count)
        end = segment.end
        if isinstance(end, Jump):
            self.scheduler.arrive(end.target, lanes)
        elif isinstance(end, Branch):
            self.branches.take(end, frame, lanes, number)
        elif isinstance(end, Wait):
            self.barriers.arrive(end, lanes, frame[end.value] if end.value else None)
        else:
            self._return(end, lanes)

    def keep(self, name: str, value: Any, lanes: Lanes) -> None:
        """Give lanes a value that a barrier has made."""
        self.state.put(name, value, lanes, self.live.count)

    def lanes(self, index: np.ndarray) -> Lanes:
        """Lanes of the chunk by their places."""
        return Lanes(self.chunk, index)

    def _return(self, end: Return, lanes: Lanes) -> None:
        self.alive[lanes.index] = False
        self._alive_bits = None
        if not end.early:
            self.barriers.ran_past[lanes.blocks] = True
            for block, place in zip(*np.unique(lanes.blocks, return_index=True), strict=True):
                self.ends.setdefault(int(block), int(lanes.threads[place]))
        self.live = self.lanes(np.flatnonzero(self.alive))
        if self.barriers.waiting:
            self.barriers.release()

    # -- services of steps --------------------------------------------------------------------------------------------

    def any_order(self, count: int) -> Any:
        """The order in which lanes of one statement reach memory: their own, or a random one."""
        return slice(None) if self.rng is None else self.rng.permutation(count)

    def counter(self, line: Line) -> Counters:
        """The counters of a line."""
        found = self.lines.get(line)
        if found is None:
            found = self.lines[line] = Counters()
        return found

    def tick(self, line: Line) -> int:
        """The clock moves on: an access is executed."""
        self.now += 1
        self.log.lines.append(line)
        return self.now

    def watch(self, *what: Any, **more: Any) -> None:
        """Show a step to the x-ray."""
        if self.chunk.first_block == 0:
            self.trace.watch(*what, **more)

    def report(self, *what: Any, **more: Any) -> None:
        """Report what a lane does wrong by itself."""
        self.reports.fault(*what, **more)

    def print(self, values: list[Any], lanes: Lanes) -> None:
        """What `print` in a kernel does: a line for each lane."""
        for lane in range(lanes.count):
            print(*(value[lane] if isinstance(value, np.ndarray) else value for value in values))

    def alive_bits(self) -> np.ndarray:
        """A bit for each lane of each warp that has not returned: int64 (warps,)."""
        if self._alive_bits is None:
            bits = np.where(self.alive.reshape(-1, WARP), np.left_shift(np.int64(1), np.arange(WARP)), 0)
            self._alive_bits = bits.sum(axis=1)
        return self._alive_bits

    _alive_bits: Any = None

    def who_ran_past(self, block: int) -> int | None:
        """A thread of a block of the chunk that has come to the end of the kernel."""
        return self.ends.get(block)

    def shared_view(
        self, lanes: Lanes, name: str, dtype: np.dtype, shape: tuple[int, ...] | None, offset: int
    ) -> View:
        """An array in the shared memory of each lane's block; without a shape: all that is dynamic."""
        if shape is None:
            offset = self.dynamic_start
            shape = ((self.shared_bytes - offset) // dtype.itemsize if self.shared_bytes > offset else 0,)
        chunk = self.chunk
        start: Any = offset if chunk.blocks == 1 else lanes.blocks * chunk.shared_stride + offset
        return View(name, self.shared, dtype, shape, row_major(shape, dtype.itemsize), start)

    def local_storage(self, site: str, bytes_: int) -> Storage:
        """Memory of each lane's own for an array declared at one place of the source."""
        if site not in self.locals:
            self.locals[site] = Storage("local", np.zeros(self.chunk.lanes * bytes_, dtype=np.uint8))
        return self.locals[site]

    def _number(self, storage: Storage) -> Storage:
        """Give a storage a shadow, and its bytes numbers that no others of the launch have."""
        storage.base = self.bytes_numbered
        self.bytes_numbered += len(storage.data) + 256
        storage.shadow = Shadow(len(storage.data), storage.unit)
        return storage

    def _give_up(self, segment: Segment, lanes: Lanes) -> None:
        line = segment.lines[0] if segment.lines else getattr(segment.end, "line", 0)
        self.scheduler.standing.clear()
        self.barriers.waiting.clear()
        self.alive[:] = False
        side = self.reports.access("goes on", line, int(lanes.threads[0]))
        waits = self.scheduler.turns <= self.step_limit
        advice = (
            "see who was to change what its test reads" if waits else "for a long kernel raise step_limit"
        )
        text = (
            f"thread {side.thread} of block {side.block} still runs after {self.scheduler.turns} steps: its loop does "
            f"not end, or waits for what no other thread does; {advice}"
        )
        self.reports.hazard(StepLimit(text, accesses=(side,)), StepLimit)
