"""What the benchmark measures beside time: bytes and FLOPs by the ledger, of known calls; and the rounds it takes."""

import pytest
import torch

import kernels
from kernels.bench.race import FEWEST_ROUNDS, _rounds
from kernels.bench.work import Work, work_of


@pytest.fixture
def x():
    return torch.randn(512, 512)  # 1 MiB


def test_work_is_the_ledgers_of_all_passes(x):
    bias = torch.randn(512)
    forward = kernels.ledger("bias_gelu", x, bias)
    backward = kernels.ledger("bias_gelu_backward", x, x, bias, "none", True, True)
    work = work_of(lambda: kernels.bias_gelu(x, bias))
    assert work == Work(forward.bytes, forward.flops, forward.unfused.bytes)
    leaves = x.clone().requires_grad_(), bias.clone().requires_grad_()
    work = work_of(lambda: torch.autograd.grad(kernels.bias_gelu(*leaves), leaves, x))
    assert work.bytes == forward.bytes + backward.bytes
    assert work.flops == forward.flops + backward.flops
    assert work.memory_bound


def test_torchs_own_operations_have_no_ledger_of_ours(x):
    assert work_of(lambda: x + x) == Work(0, 0, 0)


def test_much_arithmetic_is_not_bound_by_memory():
    assert Work(bytes=100, flops=399, unfused_bytes=200).memory_bound
    assert not Work(bytes=100, flops=400, unfused_bytes=200).memory_bound


@pytest.mark.parametrize(("elapsed", "rounds"), [(0.0001, 20), (2.0, 10), (60.0, FEWEST_ROUNDS)])
def test_long_calls_get_fewer_rounds(monkeypatch, elapsed, rounds):
    times = iter([0.0, elapsed])
    monkeypatch.setattr("kernels.bench.race.time.perf_counter", lambda: next(times))
    assert _rounds({"a": lambda: None}, "cpu", repeats=20) == rounds


def test_fewer_rounds_than_the_fewest_may_be_asked_for(monkeypatch):
    times = iter([0.0, 60.0])
    monkeypatch.setattr("kernels.bench.race.time.perf_counter", lambda: next(times))
    assert _rounds({"a": lambda: None}, "cpu", repeats=3) == 3
