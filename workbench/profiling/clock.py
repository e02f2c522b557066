"""Which clock is honest, and how to read it.

A busy machine lies: the clock on the wall runs on while another program has the core. So with one thread the time is
the calling thread's own CPU time. One exception was measured: at one thread Numba's `omp` and `tbb` layers, and torch,
work in the calling thread, but Numba's `workqueue` layer hands the loop to a worker, and `time.thread_time` saw 0.7 ms
of 283. So each call's CPU time is compared with the process's, and where work is done elsewhere the process's CPU time
counts. Several threads are timed by the wall clock: their CPU times overlap. On a GPU, CUDA events mark when the work
itself begins and ends.
"""

from __future__ import annotations

import gc
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import repeat

import numba
import torch

SAMPLE_SECONDS = 0.002

Clock = Callable[[], float]
Sample = tuple[float, float, float]  # seconds by the chosen clock, by the wall, of the process's CPU time
CLOCK_NAMES: dict[Clock, str] = {
    time.thread_time: "thread CPU time",
    time.process_time: "process CPU time",
    time.perf_counter: "wall clock",
}


def sample(call: Callable[[], object], loops: int, clock: Clock, device: torch.device) -> Sample:
    """Time `loops` calls by a clock, by the wall and by the process's CPU time."""
    wall, cpu = time.perf_counter(), time.process_time()
    if device.type == "cuda":
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        stream = torch.cuda.current_stream(device)
        # nothing is waited for: while the GPU still flushes its cache, the calls behind it can be handed over
        start.record(stream)
        for _ in repeat(None, loops):
            call()
        end.record(stream)
        torch.cuda.synchronize(device)
        seconds = start.elapsed_time(end) / 1000  # milliseconds
    else:
        begin = clock()
        for _ in repeat(None, loops):
            call()
        seconds = clock() - begin
    return seconds, time.perf_counter() - wall, time.process_time() - cpu


def loops_for(call: Callable[[], object], device: torch.device, once: bool) -> int:
    """How many calls make one sample long enough for the clocks, as `timeit.Timer.autorange` does."""
    call()  # compiles, allocates, fills the caches
    enough = max(SAMPLE_SECONDS, *(20 * _step(clock) for clock in CLOCK_NAMES))
    loops = 1
    while not once and (wall := sample(call, loops, time.perf_counter, device)[1]) < enough:
        loops = max(2 * loops, math.ceil(loops * min(100.0, enough / wall)))
    return loops


def _step(clock: Clock) -> float:
    """Seconds by which the clock moves when it moves (15.6 ms for CPU time on Windows), least of three."""
    steps = []
    for _ in range(3):
        start = now = clock()
        while now == start:
            now = clock()
        steps.append(now - start)
    return min(steps)


def choose_clock(
    calls: Mapping[str, Callable[[], object]], loops: Mapping[str, int], threads: int, device: torch.device
) -> Clock:
    """The clock that is honest for all of these calls (see the top of this file)."""
    if threads > 1 or device.type == "cuda":
        return time.perf_counter
    for name, call in calls.items():
        own, _, process = sample(call, loops[name], time.thread_time, device)
        if process - own > max(0.2 * process, 50e-6):
            return time.process_time
    return time.thread_time


def cpu_share(taken: Mapping[str, list[Sample]], threads: int, own_thread: bool) -> float:
    """Processor time we got over what we asked for: as many threads as each call kept at work in its best round."""
    got = asked = 0.0
    for samples in taken.values():
        given = [seconds if own_thread else cpu for seconds, _, cpu in samples]
        walls = [wall for _, wall, _ in samples]
        at_work = round(max(cpu / wall for cpu, wall in zip(given, walls, strict=True)))
        got += sum(given)
        asked += sum(walls) * min(threads, max(1, at_work))
    return min(1.0, got / asked)


def cores() -> int:
    """The cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def thread_count(threads: int) -> Iterator[None]:
    """Set torch's and Numba's numbers of threads for a while."""
    before = torch.get_num_threads(), numba.get_num_threads()
    try:
        torch.set_num_threads(threads)
        numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))  # type: ignore[attr-defined]
        yield
    finally:
        torch.set_num_threads(before[0])
        numba.set_num_threads(before[1])


@contextmanager
def collection_off() -> Iterator[None]:
    """Garbage collection off, as in `timeit`: it would land on one rival by chance."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()
