"""The most memory that one call holds at a time, above what was there before: results, and whatever it sets aside.

Measured apart from the timing. On a GPU torch's allocator keeps the count. On a CPU torch's profiler is told of every
block that torch's allocator hands out and takes back, also inside operators and in compiled code, which a dispatch
mode would not see. What MKL, oneDNN or Numba allocate for themselves neither of them sees.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

STANDARD_ERROR = 2  # its file descriptor


def peak_bytes(call: Callable[[], object], device: str = "cpu") -> int:
    """Peak memory of one call in bytes; its inputs, which exist before, do not count."""
    call()  # what is made once and kept is not this call's
    return _peak_on_gpu(call) if torch.device(device).type == "cuda" else _peak_on_cpu(call)


def _peak_on_gpu(call: Callable[[], object]) -> int:
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    kept = call()
    torch.cuda.synchronize()
    del kept
    return torch.cuda.max_memory_allocated() - before


def _peak_on_cpu(call: Callable[[], object]) -> int:
    profiler = profile(activities=[ProfilerActivity.CPU], profile_memory=True)
    with _muted():
        profiler.start()
    try:
        kept = call()
    finally:
        with _muted():
            profiler.stop()
    del kept
    recorded: Any = profiler.profiler  # torch types what it keeps only in part
    events = [event for event in recorded.kineto_results.events() if event.name() == "[memory]"]
    held = most = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()  # negative where memory is given back
        most = max(most, held)
    return most


@contextmanager
def _muted() -> Iterator[None]:
    """Nothing is heard from standard error: torch's profiler tells it, past Python, when it starts and stops."""
    before, nowhere = os.dup(STANDARD_ERROR), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, STANDARD_ERROR)
        yield
    finally:
        os.dup2(before, STANDARD_ERROR)
        os.close(before)
        os.close(nowhere)
