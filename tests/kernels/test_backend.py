"""The door to the GPU asks safely, and launches are sized to their work."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kernels import backend
from kernels.backend import blocks, cuda, gpu_kernel, gpu_present, runs_on_gpu, threads_for


def test_a_broken_driver_means_no_gpu(monkeypatch):
    def broken():
        raise RuntimeError("driver mismatch")

    monkeypatch.setattr(torch.cuda, "is_available", broken)
    gpu_present.cache_clear()
    assert gpu_present() is False
    gpu_present.cache_clear()


def test_both_torch_and_numba_must_see_the_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(cuda, "is_available", lambda: False)
    gpu_present.cache_clear()
    assert gpu_present() is False
    gpu_present.cache_clear()


@pytest.mark.skipif(backend.SIMULATING, reason="the simulator takes CPU tensors")
def test_cpu_tensors_never_reach_a_gpu():
    assert not runs_on_gpu(torch.empty(1))


def test_decorating_needs_no_driver():
    @gpu_kernel
    def nothing(x):
        x[0] = 1

    assert nothing.py_func.__name__ == "nothing"


@given(st.integers(0, 10**6), st.sampled_from([32, 128, 256, 1024]))
def test_threads_are_whole_warps_and_a_power_of_two(width, most):
    threads = threads_for(width, most)
    assert 32 <= threads <= most
    assert threads & (threads - 1) == 0
    assert threads == most or threads >= width
    assert threads == 32 or threads < 2 * width


@given(st.integers(0, 10**9), st.integers(1, 1024))
def test_blocks_cover_all_items(items, per_block):
    count = blocks(items, per_block)
    assert (count - 1) * per_block < items <= count * per_block
