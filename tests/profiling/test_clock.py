"""The clocks: work is seen wherever it is done, settings come back, the CPU share is of what was asked for."""

import subprocess
import sys
import time

import pytest
import torch

from workbench.profiling import clock
from workbench.profiling.timing import compare


def test_the_share_is_of_the_threads_that_were_put_to_work():
    def share(*rounds: tuple[float, float], threads: int = 2) -> float:
        return clock.cpu_share({"a": [(0.0, wall, cpu) for wall, cpu in rounds]}, threads, own_thread=False)

    assert share((1.0, 1.0), (1.0, 0.98)) == pytest.approx(0.99)  # a serial call
    assert share((1.0, 2.0), (1.0, 1.0)) == pytest.approx(0.75)  # robbed of one of two threads in one round
    assert share((1.0, 3.0), threads=2) == 1.0  # more than was asked for
    assert share((1.0, 0.1)) == pytest.approx(0.1)


def test_work_in_another_thread_is_counted():
    """Numba's workqueue layer works in a worker even at one thread: thread CPU time would see nothing."""
    program = """
import numba, numpy, time
from workbench.profiling.timing import compare
numba.config.THREADING_LAYER = "workqueue"
@numba.njit(parallel=True)
def work(x, out):
    for i in numba.prange(x.size):
        value = x[i]
        for _ in range(100):
            value = value * 1.0001 + 0.5
        out[i] = value
x = numpy.random.rand(50_000)
result = compare({"work": lambda: work(x, numpy.empty_like(x))}, repeats=3)
assert numba.threading_layer() == "workqueue"
print(result.clock, result.median("work"), sep="|")
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    clock, seconds = run.stdout.split("|")
    assert clock == "process CPU time"
    assert 50_000 * 100 / float(seconds) < 1e11  # no core does a hundred dependent steps in a nanosecond


def test_torch_on_one_thread_uses_thread_time():
    x = torch.randn(200_000)
    assert compare({"tanh": lambda: torch.tanh(x)}, repeats=3).clock == "thread CPU time"


def test_every_clock_moves_and_a_sample_outlasts_its_steps():
    assert all(0 < clock._step(tick) < 0.1 for tick in clock.CLOCK_NAMES)
    loops = clock.loops_for(lambda: None, torch.device("cpu"), once=False)
    assert (
        clock.sample(lambda: None, loops, time.perf_counter, torch.device("cpu"))[1]
        > clock.SAMPLE_SECONDS / 10
    )
    assert clock.loops_for(lambda: None, torch.device("cpu"), once=True) == 1


def test_cores_are_those_this_process_may_use():
    assert 1 <= clock.cores() <= 4096
