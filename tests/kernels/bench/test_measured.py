"""What the benchmark measures beside time: bytes and FLOPs by the ledger, and peak memory, each of known calls."""

import pytest
import torch
import torch.nn.functional as F

import kernels
from kernels.bench.memory import peak_bytes
from kernels.bench.race import FEWEST_ROUNDS, _rounds
from kernels.bench.work import Work, work_of

MIB = 1 << 20


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


@pytest.mark.parametrize(
    ("call", "most"),
    [
        (lambda x: x + 1, 1),
        (lambda x: F.gelu(x + 1), 2),  # x + 1 is still held while its GELU is made
        (lambda x: (x + 1).sum() + (x + 2).sum(), 1),  # one after the other
        (lambda x: [x + n for n in range(5)], 5),
        (lambda x: x.mul_(1), 0),
        (lambda x: x.t()[3:], 0),
        (lambda x: kernels.rms_norm(x), 1),
        (lambda x: kernels.rms_norm(x.bfloat16()), 3),  # halves in and out, and both as float32
    ],
)
def test_peak_memory_of_known_calls(x, call, most):
    assert peak_bytes(lambda: call(x)) == pytest.approx(most * MIB, abs=0.01 * MIB)


def test_peak_memory_counts_what_the_backward_pass_keeps(x):
    leaf = x.requires_grad_()
    # forward: the sigmoid, kept; backward: its gradient beside it and the one given
    peak = peak_bytes(lambda: torch.autograd.grad(torch.sigmoid(leaf), leaf, torch.ones_like(x)))
    assert peak == pytest.approx(3 * MIB, abs=0.01 * MIB)


def test_memory_of_before_does_not_count(x):
    many = [x.clone() for _ in range(8)]
    assert peak_bytes(lambda: many[0] + many[1]) == pytest.approx(MIB, abs=0.01 * MIB)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_peak_memory_on_a_gpu():
    x = torch.randn(512, 512, device="cuda")
    assert peak_bytes(lambda: x + 1, "cuda") == MIB
    assert peak_bytes(lambda: x.mul_(1), "cuda") == 0


@pytest.mark.parametrize(("elapsed", "rounds"), [(0.0001, 20), (2.0, 10), (60.0, FEWEST_ROUNDS)])
def test_long_calls_get_fewer_rounds(monkeypatch, elapsed, rounds):
    times = iter([0.0, elapsed])
    monkeypatch.setattr("kernels.bench.race.time.perf_counter", lambda: next(times))
    assert _rounds({"a": lambda: None}, "cpu", repeats=20) == rounds


def test_fewer_rounds_than_the_fewest_may_be_asked_for(monkeypatch):
    times = iter([0.0, 60.0])
    monkeypatch.setattr("kernels.bench.race.time.perf_counter", lambda: next(times))
    assert _rounds({"a": lambda: None}, "cpu", repeats=3) == 3
