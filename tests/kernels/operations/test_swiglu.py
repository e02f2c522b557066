"""What is special to SwiGLU: known values, far ends, halves of one projection, what is kept."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

import kernels
from kernels import simt


@settings(deadline=None)
@given(st.floats(-80, 80), st.floats(-1e6, 1e6))
def test_values_by_the_formula(gate, up):
    found = kernels.swiglu(*(torch.tensor([number], dtype=torch.float64) for number in (gate, up)))
    assert math.isclose(found.item(), gate / (1 + math.exp(-gate)) * up, rel_tol=1e-13, abs_tol=1e-300)


def test_known_gradients():
    """At gate 0 silu is 0 and its slope a half."""
    gate, up = torch.zeros(3, requires_grad=True), torch.tensor([-2.0, 0.0, 5.0], requires_grad=True)
    y = kernels.swiglu(gate, up)
    assert y.count_nonzero() == 0
    grad_gate, grad_up = torch.autograd.grad(y.sum(), (gate, up))
    assert grad_gate.tolist() == [-1.0, 0.0, 2.5]
    assert grad_up.count_nonzero() == 0


@pytest.mark.parametrize("simulate", [False, True], ids=["CPU", "simulated GPU"])
def test_far_gates_are_lines(simulate):
    """silu is z on the right and 0 on the left; no exponential overflows into a nan."""
    gate = torch.tensor([100.0, 1e30, -100.0, -1e30, 3e38, -3e38], requires_grad=True)
    up = torch.ones_like(gate, requires_grad=True)

    def results():
        y = kernels.swiglu(gate, up)
        return y, *torch.autograd.grad(y.sum(), (gate, up))

    if simulate:
        with simt.simulated():
            y, grad_gate, grad_up = results()
    else:
        y, grad_gate, grad_up = results()
    line = gate.detach().relu()
    torch.testing.assert_close(y.detach(), line)
    torch.testing.assert_close(grad_gate, torch.where(gate > 0, 1.0, 0.0))
    torch.testing.assert_close(grad_up, line)


def test_halves_of_one_projection():
    """Gate and up side by side in one matrix: views with gaps, whose gradients meet in it again."""
    both = torch.randn(5, 2 * 33, generator=torch.Generator().manual_seed(0), requires_grad=True)
    (found,) = torch.autograd.grad(kernels.swiglu(*both.chunk(2, -1)).sin().sum(), both)
    gate, up = both.chunk(2, -1)
    (expected,) = torch.autograd.grad((F.silu(gate) * up).sin().sum(), both)
    torch.testing.assert_close(found, expected)


def test_backward_keeps_its_inputs_alone():
    gate, up = torch.randn(2, 8, 16).unbind()
    gate.requires_grad_(), up.requires_grad_()
    saved = []

    def pack(tensor):
        saved.append(tensor.data_ptr())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        kernels.swiglu(gate, up)
    assert saved == [gate.data_ptr(), up.data_ptr()]


def test_up_is_not_read_for_its_own_gradient():
    gate, up = torch.randn(3, 40), torch.randn(3, 40, requires_grad=True)
    with simt.simulated() as launches:
        torch.autograd.grad(kernels.swiglu(gate, up).sum(), up)
    forward, backward = launches
    assert forward.counters.global_bytes_unique == 3 * gate.nbytes
    assert backward.counters.global_bytes_unique == 3 * gate.nbytes  # grad and gate, and the result
