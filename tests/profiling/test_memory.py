"""The most memory a call holds, for calls whose tensors can be counted by hand."""

import sys

import pytest
import torch
import torch.nn.functional as F

import kernels
from workbench.profiling.memory import peak_bytes

MIB = 1 << 20


@pytest.fixture
def x():
    return torch.randn(512, 512)  # 1 MiB


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


def test_it_counts_what_the_backward_pass_keeps(x):
    leaf = x.requires_grad_()
    # forward: the sigmoid, kept; backward: its gradient beside it and the one given
    peak = peak_bytes(lambda: torch.autograd.grad(torch.sigmoid(leaf), leaf, torch.ones_like(x)))
    assert peak == pytest.approx(3 * MIB, abs=0.01 * MIB)


def test_memory_of_before_does_not_count(x):
    many = [x.clone() for _ in range(8)]
    assert peak_bytes(lambda: many[0] + many[1]) == pytest.approx(MIB, abs=0.01 * MIB)


def test_the_profiler_under_it_stays_silent_and_the_call_does_not(x, capfd):
    def call():
        print("heard", file=sys.stderr)
        return x + 1

    peak_bytes(call)
    assert capfd.readouterr().err == "heard\nheard\n"  # once to warm up, once measured


def test_a_call_that_fails_leaves_the_profiler_ready_for_the_next(x):
    calls = iter([None, ZeroDivisionError("second")])

    def call():
        if error := next(calls):
            raise error

    with pytest.raises(ZeroDivisionError, match="second"):
        peak_bytes(call)
    assert peak_bytes(lambda: x + 1) == pytest.approx(MIB, abs=0.01 * MIB)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_peak_memory_on_a_gpu():
    x = torch.randn(512, 512, device="cuda")
    assert peak_bytes(lambda: x + 1, "cuda") == MIB
    assert peak_bytes(lambda: x.mul_(1), "cuda") == 0
