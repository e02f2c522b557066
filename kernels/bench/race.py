"""One race: an operation at one size against its rivals and a copy.

Fair means: rivals take turns round by round, each allocates its own result in every call, all get the same inputs,
made once. A copy of as many bytes as the operation's ledger has takes its turns too, into a new tensor (into an old one
where the operation works in place): "% of copy" says how near a rival comes to the speed at which this machine makes a
new tensor out of an old one. For a large tensor most of that can be the system handing out fresh memory, page by page
(seen on Linux: 3.6 GB/s with fresh pages, 25 without); a small one stays in the cache, as its rivals do.
`THP_MEM_ALLOC_ENABLE=1`, a variable of torch's own, lets all rivals alike have their memory in pages of 2 MB: what is
left then is more of the operation and less of the system.

On a GPU the time is read off CUDA events, and the level-2 cache is emptied before every call, which is launched
meanwhile: the events see the GPU's work alone. What it costs the CPU to launch a call is measured by itself.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import torch

from kernels.bench.case import Call, Case, Draw
from kernels.bench.result import COPY, Result
from kernels.bench.rivals import OURS, rivals
from kernels.bench.work import Work, work_of

# the instruments; with `plot.py`'s style the one place where kernels looks up: a program stands on top of the packages
from workbench.profiling.clock import thread_count
from workbench.profiling.memory import peak_bytes
from workbench.profiling.timing import compare

SECONDS = 20.0  # for one race; long calls get fewer rounds
FEWEST_ROUNDS = 5
LAUNCHES = 50


@dataclass(frozen=True)
class Conditions:
    """What is the same for all races of a run."""

    device: str = "cpu"
    dtype: torch.dtype = torch.float32
    threads: int = 1
    repeats: int = 20


def race(case: Case, size: int, backward: bool, conditions: Conditions) -> Result:
    """Time one case at one size against its rivals and a copy, and measure the memory that each one takes."""
    device, threads = conditions.device, conditions.threads
    with thread_count(threads):
        found = rivals(case, size, backward, Draw(device, conditions.dtype), with_liger=device != "cpu")
        work = work_of(found.calls[OURS])
        peaks = {name: peak_bytes(call, device) for name, call in found.calls.items()}
        launches = {name: _launch_seconds(call) for name, call in found.calls.items() if device != "cpu"}
        calls = {**found.calls, COPY: _copy(work, case.in_place, device)}
        rounds = _rounds(calls, device, conditions.repeats)
    timing = compare(calls, repeats=rounds, threads=threads, device=device, prepare=_flush(device))
    return Result(case, size, backward, conditions.dtype, work, timing, peaks, launches, found.left_out)


def _copy(work: Work, in_place: bool, device: str) -> Call:
    """A copy that reads and writes as many bytes as the work has."""
    # ones: memory that was never written reads as one page of zeros, which stays in the cache
    source = torch.ones(max(1, work.bytes // 8), device=device)
    target = torch.ones_like(source)
    if in_place:
        return lambda: target.copy_(source)
    return lambda: torch.empty_like(source).copy_(source)


def _rounds(calls: dict[str, Call], device: str, repeats: int) -> int:
    """As many rounds as were asked for, fewer if they would take longer than a race should."""
    begin = time.perf_counter()
    for call in calls.values():
        call()
    _finish(device)
    fitting = int(SECONDS / (time.perf_counter() - begin))
    return min(repeats, max(FEWEST_ROUNDS, fitting))


def _launch_seconds(call: Call) -> float:
    """The seconds until a call on a GPU returns, its work handed over but not waited for."""
    seconds = []
    for _ in range(LAUNCHES):
        torch.cuda.synchronize()
        begin = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - begin)
    return median(seconds)


def _flush(device: str) -> Callable[[], object] | None:
    """What empties a GPU's level-2 cache; a CPU needs none, its large inputs outgrow the cache by themselves.

    It writes many times the cache's size, some 100 µs, so that the call has been launched by the time it is done.
    """
    if device == "cpu":
        return None
    size = 16 * torch.cuda.get_device_properties(device).L2_cache_size
    return torch.empty(size, dtype=torch.int8, device=device).zero_


def _finish(device: str) -> None:
    if device != "cpu":
        torch.cuda.synchronize(device)
