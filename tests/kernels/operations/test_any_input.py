"""Layouts, emptiness, extremes: what an operation must take, and what must not change its bits."""

from contextlib import nullcontext

import pytest
import torch
from cases.checks import assert_same_bits, everything, gradients, in_float64, learned

from kernels import simt

LAYOUTS = {
    "transposed": lambda t: t.transpose(-1, -2).contiguous().transpose(-1, -2),
    "every other column": lambda t: t.repeat_interleave(2, -1)[..., ::2],
    "inner slice": lambda t: torch.nn.functional.pad(t, (3, 5, 1, 2))[..., 1:-2, 3:-5],
    "misaligned": lambda t: torch.cat((t.reshape(-1)[:1], t.reshape(-1)))[1:].view(t.shape),
    "expanded rows": lambda t: t[..., :1, :].expand(t.shape),
    "expanded columns": lambda t: t[..., :1].expand(t.shape),
}


def seen_as(tensor, layout):
    """Other strides; numbers that name something (targets, indices) keep their values."""
    if not tensor.is_floating_point():
        return tensor
    if tensor.dim() >= 2:
        return LAYOUTS[layout](tensor.detach())
    return tensor.detach().repeat_interleave(3)[::3]


def assert_same(case, found, wanted):
    if case.same_bits:
        assert_same_bits(found, wanted)
    else:
        torch.testing.assert_close(tuple(found), tuple(wanted))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_takes_any_layout(case, layout, device):
    inputs = case.inputs(case.tiny[0], device=device)
    views = [seen_as(tensor, layout) for tensor in inputs]
    plain = [view.clone(memory_format=torch.contiguous_format) for view in views]
    for group in (views, plain):
        for place, tensor in enumerate(inputs):
            group[place] = group[place].requires_grad_(tensor.requires_grad)
    assert_same(case, everything(case, tuple(views)), everything(case, tuple(plain)))


@pytest.mark.parametrize("layout", ["transposed", "expanded rows", "expanded columns"])
def test_takes_gradients_of_any_layout(case, layout, device):
    inputs = case.inputs(case.tiny[0], device=device)
    outputs = case.ours(*inputs)
    if not learned(inputs):
        pytest.skip("has no gradient")
    weights = [
        seen_as(torch.randn_like(output), layout) if output.dim() > 1 else output for output in outputs
    ]
    found = torch.autograd.grad(outputs, learned(inputs), weights, retain_graph=True)
    wanted = torch.autograd.grad(outputs, learned(inputs), [weight.contiguous() for weight in weights])
    assert_same(case, found, wanted)


def test_empty(case, device):
    for size in case.empty:
        inputs = case.inputs(size, device=device)
        outputs, expected = case.ours(*inputs), case.torchs(*inputs)
        assert_same_bits([output.detach() for output in outputs], [output.detach() for output in expected])
        found = gradients(outputs, inputs)
        assert [g.shape for g in found] == [i.shape for i in learned(inputs)]
        assert all(g.count_nonzero() == 0 for g in found)


def test_leaves_inputs_alone(case, device):
    inputs = case.inputs(case.tiny[0], device=device)
    before = [tensor.detach().clone() for tensor in inputs]
    everything(case, inputs)
    assert all(torch.equal(a, b) for a, b in zip(inputs, before, strict=True))


def test_same_bits_every_time(case, device):
    for size in (case.tiny[0], max(case.sizes, key=lambda size: size[-1])):
        inputs = case.inputs(size, device=device)
        assert_same_bits(everything(case, inputs), everything(case, inputs))


def test_number_of_threads_changes_little(case):
    inputs = case.inputs(max(case.sizes, key=lambda size: torch.Size(size).numel()))
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)  # asked for: a test run may allow each process one thread
        many = everything(case, inputs)
        torch.set_num_threads(1)
        one = everything(case, inputs)
    finally:
        torch.set_num_threads(threads)
    for a, b in zip(many, one, strict=True):
        scale = b.detach().abs().nan_to_num(nan=0.0).max() if b.numel() else 0
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6 * (1 + float(scale)), equal_nan=True)


inf, nan = float("inf"), float("nan")
EXTREMES = [0.0, -0.0, 1e-45, -1e-40, 1e-20, 1e18, -1e18, 1e30, -1e30, 3e38, inf, -inf, nan]


@pytest.mark.parametrize("backend", ["where the tensors are", "the simulated GPU"])
def test_extreme_values(case, device, backend):
    """Each element is what torch computes, in float32 or in float64: torch's float32 GELU gives nan at infinity."""
    if not case.extremes:
        pytest.skip("has tests of its own for these")
    if backend == "the simulated GPU" and device != "cpu":
        pytest.skip("simulates with CPU tensors")
    for extreme in EXTREMES:
        inputs = [tensor.detach().clone() for tensor in case.inputs(case.tiny[0], device=device)]
        inputs[0].reshape(-1)[1] = extreme
        exact = [output.float() for output in case.torchs(*in_float64(tuple(inputs)))]
        with simt.simulated() if backend == "the simulated GPU" else nullcontext():
            ours = case.ours(*inputs)
        for mine, theirs, truth in zip(ours, case.torchs(*inputs), exact, strict=True):
            close = [
                torch.isclose(mine, other, rtol=1e-5, atol=1e-5, equal_nan=True) for other in (theirs, truth)
            ]
            agrees = close[0] | close[1]
            if backend == "the simulated GPU":
                # where float32 overflows on torch's way to a finite number, the kernel's other way may give nan
                agrees |= theirs.isinf() & truth.isfinite() & ~mine.isfinite()
            assert agrees.all(), extreme


@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16], ids=str)
def test_half_inputs_beside_float32_weights(case, half, device):
    if not case.weights:
        pytest.skip("has no weight")
    inputs = tuple(
        tensor.detach().float().requires_grad_() if place in case.weights else tensor
        for place, tensor in enumerate(case.inputs(case.tiny[0], half, device=device))
    )
    wide = in_float64(inputs)
    outputs, exact = case.ours(*inputs), case.torchs(*wide)
    assert all(output.dtype == half for output in outputs)
    found, wanted = gradients(outputs, inputs), gradients(exact, wide)
    assert [g.dtype for g in found] == [i.dtype for i in learned(inputs)]
    for a, b in zip((*outputs, *found), (*exact, *wanted), strict=True):
        torch.testing.assert_close(a.double(), b, rtol=0.03, atol=0.03 * (1 + float(b.detach().abs().max())))
