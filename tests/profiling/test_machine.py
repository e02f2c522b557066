"""measure(): the arithmetic of the roofline, honest memory, and settings put back. Speeds themselves decide nothing."""

import itertools
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.profiling import machine
from workbench.profiling.machine import Machine, measure

MADE = Machine(
    name="made up",
    device="cpu",
    cores=4,
    threads=2,
    memory_bytes=8 << 30,
    copy_bandwidth=20e9,
    flops=100e9,
    cpu_share=1.0,
)


@pytest.fixture(scope="module")
def measured() -> Machine:
    return measure(seconds=0.1, threads=1)


def test_a_measurement_is_physically_possible(measured):
    assert 1e8 < measured.copy_bandwidth < 1e13
    assert 1e8 < measured.flops < 1e14
    assert measured.name
    assert measured.cores >= 1
    assert measured.memory_bytes > 1 << 28
    assert 0 < measured.cpu_share <= 1
    assert (measured.device, measured.threads) == ("cpu", 1)
    assert (measured.gpu is None) == (not torch.cuda.is_available())


@settings(deadline=None)
@given(flops=st.integers(0, 10**15), moved=st.integers(0, 10**15))
def test_bound_is_the_larger_of_two_times(flops, moved):
    seconds, by = MADE.bound(flops, moved)
    assert seconds == max(flops / 100e9, moved / 20e9)
    if flops > 5 * moved:
        assert by == "compute"
    if flops < 5 * moved:
        assert by == "memory"


def test_the_ridge_is_where_both_bounds_meet():
    assert MADE.ridge == 5.0
    assert MADE.bound(flops=MADE.ridge * 1e9, bytes=1e9)[0] == pytest.approx(1e9 / 20e9)


def test_a_busy_machine_says_so():
    assert MADE.trusted
    busy = replace(MADE, cpu_share=0.5)
    assert not busy.trusted
    assert "UNTRUSTED" in str(busy)
    assert "UNTRUSTED" not in str(MADE)
    assert replace(busy, device="cuda:0").trusted  # the GPU did not share its time
    assert "20 GB/s" in str(MADE)


def test_the_copy_is_well_over_the_last_cache(monkeypatch):
    monkeypatch.setattr(machine, "_last_cache_bytes", lambda: 20 << 20)
    copy, moved = machine._copy(torch.device("cpu"))
    target = copy()
    assert moved == 2 * target.nbytes
    assert target.nbytes == 80 << 20
    assert target.min() == 1  # memory that was written, not the system's page of zeros


def test_the_best_round_counts(monkeypatch):
    rounds = itertools.chain([3.0, 0.5, 4.0], itertools.repeat(1.0))
    monkeypatch.setattr(machine, "_round", lambda work, device, threads: next(rounds))
    best = machine._best(lambda: None, 10.0, 1e-9, torch.device("cpu"), threads=1)
    assert best.rate == 20.0


def test_the_thread_count_is_put_back(monkeypatch):
    before = torch.get_num_threads()
    seen = []
    monkeypatch.setattr(machine, "_round", lambda *arguments: seen.append(torch.get_num_threads()) or 1.0)
    measure(seconds=0.01, threads=before + 1)
    assert set(seen) == {before + 1}
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("options", [{"seconds": 0}, {"seconds": -1.0}, {"threads": 0}])
def test_bad_input_is_named(options):
    (name,) = options
    with pytest.raises(ValueError, match=name):
        measure(**options)


def test_a_negative_amount_is_refused():
    with pytest.raises(ValueError, match="flops, bytes"):
        MADE.bound(-1, 0)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_the_gpu_is_measured_beside_the_cpu(measured):
    assert measured.gpu is not None
    assert measured.gpu.device.startswith("cuda")
    assert measured.gpu.copy_bandwidth > measured.copy_bandwidth
