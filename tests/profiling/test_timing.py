"""compare(): the bookkeeping is exact, the clock honest; no test here asks how fast anything was."""

import gc
import math
import time

import numba
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.profiling import timing
from workbench.profiling.timing import Timing, compare

SECONDS = st.floats(1e-7, 10.0)


def made(samples: dict[str, tuple[float, ...]], cpu_share: float = 1.0) -> Timing:
    return Timing(samples, clock="thread CPU time", cores=2, threads=1, cpu_share=cpu_share)


@settings(deadline=None)
@given(st.lists(st.tuples(SECONDS, SECONDS), min_size=3, max_size=30))
def test_ratio_pairs_the_rounds(rounds):
    a, b = zip(*rounds, strict=True)
    result = made({"a": a, "b": b})
    ratios = sorted(x / y for x, y in rounds)
    middle = (ratios[(len(ratios) - 1) // 2] + ratios[len(ratios) // 2]) / 2
    assert result.ratio("a", "b") == pytest.approx(middle)
    assert result.ratio("a", "a") == 1.0
    assert result.ratio_spread("a", "a") == 0.0
    assert min(a) <= result.median("a") <= max(a)


def test_a_slow_machine_moves_the_times_but_not_the_ratio():
    machine = [1.0, 1.0, 5.0, 9.0, 1.0, 3.0]  # how slow the machine was in each round
    result = made({"a": tuple(4e-3 * m for m in machine), "b": tuple(1e-3 * m for m in machine)})
    assert result.ratio("a", "b") == pytest.approx(4.0)
    assert result.ratio_spread("a", "b") == pytest.approx(0.0)
    assert result.spread("a") > 1.0
    assert not result.trusted
    assert "rounds of a differ" in result.state


def test_trust_needs_the_processor_and_says_so():
    steady = {"a": (1.0, 1.0, 1.01)}
    assert made(steady, cpu_share=0.8).trusted
    robbed = made(steady, cpu_share=0.79)
    assert not robbed.trusted
    assert "79%" in robbed.doubts[0]
    assert "UNTRUSTED" in robbed.table()


def test_table_holds_every_rival_and_the_state():
    result = made({"eager": (4e-3,) * 3, "fused <1>": (1e-6,) * 3})
    table = result.table()
    assert "4 ms" in table
    assert "1 µs" in table
    assert "4,000.00×" in table
    assert table.splitlines()[-1] == result.state
    assert "2 cores, 1 thread" in result.state
    assert "fused &lt;1&gt;" in result._repr_html_()
    assert repr(result) == table


def test_every_rival_runs_in_every_round_in_changing_order(monkeypatch):
    monkeypatch.setattr(timing, "loops_for", lambda call, device, once: 1)
    ran = []
    result = compare({name: lambda name=name: ran.append(name) for name in "abc"}, repeats=12)
    rounds = [tuple(ran[i : i + 3]) for i in range(len(ran) - 36, len(ran), 3)]
    assert all(sorted(r) == ["a", "b", "c"] for r in rounds)
    assert len(set(rounds)) > 1
    assert {name: len(values) for name, values in result.samples.items()} == {"a": 12, "b": 12, "c": 12}


def test_short_calls_are_repeated_within_a_sample():
    calls = 0

    def call() -> None:
        nonlocal calls
        calls += 1

    compare({"nothing": call}, repeats=3)
    assert calls > 1000


def test_prepare_runs_before_each_single_call():
    ran = []
    compare({"a": lambda: ran.append("a")}, repeats=5, prepare=lambda: ran.append("flush"))
    assert ran[-10:] == ["flush", "a"] * 5


def test_thread_counts_and_collector_are_put_back_even_after_an_error():
    before = torch.get_num_threads(), numba.get_num_threads(), gc.isenabled()
    seen = []

    def fails() -> None:
        seen.append((torch.get_num_threads(), gc.isenabled()))
        raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"):
        compare({"fails": fails}, threads=1)
    assert seen == [(1, False)]
    assert (torch.get_num_threads(), numba.get_num_threads(), gc.isenabled()) == before


def test_waiting_is_not_work():
    result = compare({"sleep": lambda: time.sleep(0.005)}, repeats=3)
    assert result.median("sleep") < 0.004
    assert result.cpu_share < 0.8
    assert not result.trusted


def test_several_threads_use_the_wall_clock():
    result = compare({"sleep": lambda: time.sleep(0.005)}, repeats=3, threads=2)
    assert result.clock == "wall clock"
    assert result.median("sleep") >= 0.005
    assert "do not keep their threads at work" in result.state


@pytest.mark.parametrize(
    ("calls", "options", "error", "message"),
    [
        ({}, {}, ValueError, "calls"),
        ({"a": 3}, {}, TypeError, "calls\\['a'\\].*int"),
        ({"a": abs}, {"repeats": 2}, ValueError, "repeats.*2"),
        ({"a": abs}, {"repeats": 2.5}, ValueError, "repeats.*2.5"),
        ({"a": abs}, {"threads": 0}, ValueError, "threads.*0"),
    ],
)
def test_bad_input_is_named(calls, options, error, message):
    with pytest.raises(error, match=message):
        compare(calls, **options)


def test_unknown_rival_is_named():
    with pytest.raises(ValueError, match=r"expected one of \['a'\], got 'b'"):
        made({"a": (1.0, 1.0, 1.0)}).median("b")


def test_a_call_that_costs_nothing_divides_nothing():
    assert made({"a": (1.0,) * 3, "free": (0.0,) * 3}).ratio("a", "free") == math.inf


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_work_on_the_gpu_is_waited_for():
    x = torch.randn(4096, 4096, device="cuda")
    result = compare({"matmul": lambda: x @ x, "add": lambda: x + x}, repeats=5, device="cuda")
    assert result.clock == "CUDA events"
    assert result.ratio("matmul", "add") > 1
