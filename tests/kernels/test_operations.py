"""One test body for every operation and backend: the CPU twin, a GPU if there is one, and Numba's GPU simulator.

The reference is torch in float64. A result may be at most twice as far from it as torch's own in the same dtype, plus a
few roundings.
"""

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.backend import SIMULATING

HALF = (torch.float16, torch.bfloat16)
TINY_SHAPES = [(3, 7), (2, 1, 33)]  # the simulator takes a second for each
SHAPES = (
    TINY_SHAPES
    if SIMULATING
    else [*TINY_SHAPES, (1, 1), (5, 1), (1, 4099), (6, 101, 67), (513, 257), (2, 70001), (40009, 3)]
)


def gradients(outputs, inputs, seed=1):
    """The gradients of a random weighted sum of the outputs."""
    draw = torch.Generator().manual_seed(seed)
    weights = [
        torch.randn(o.shape, generator=draw, dtype=torch.float64).to(o.device, o.dtype) for o in outputs
    ]
    return torch.autograd.grad(outputs, inputs, weights)


def in_float64(inputs):
    return tuple(tensor.detach().double().requires_grad_() for tensor in inputs)


def assert_as_exact_as_torch(ours, torchs, exact, dtype):
    for mine, theirs, truth in zip(ours, torchs, exact, strict=True):
        assert mine.dtype == theirs.dtype
        assert mine.shape == truth.shape
        if truth.numel():
            error, allowed = (mine.double() - truth).abs().max(), 2 * (theirs.double() - truth).abs().max()
            roundings = 1000 if dtype == torch.float64 else 8  # in float64, the reference itself is rounded
            assert error <= allowed + roundings * torch.finfo(dtype).eps * (1 + truth.abs().max())


def assert_agrees(case, inputs):
    dtype, wide = inputs[0].dtype, in_float64(inputs)
    ours, torchs, exact = case.ours(*inputs), case.torchs(*inputs), case.torchs(*wide)
    assert_as_exact_as_torch(ours, torchs, exact, dtype)
    assert all(output.is_contiguous() for output in ours)
    assert_as_exact_as_torch(
        gradients(ours, inputs), gradients(torchs, inputs), gradients(exact, wide), dtype
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_agrees_with_float64(case, shape, dtype, device):
    assert_agrees(case, case.inputs(shape, dtype, device=device))


@settings(max_examples=20, deadline=None)
@given(
    shape=st.lists(st.sampled_from([0, 1, 2, 3, 5, 8, 17, 64, 131]), min_size=1, max_size=4).filter(
        lambda shape: math.prod(shape) < 30_000
    ),
    dtype=st.sampled_from([torch.float32, torch.float64, torch.bfloat16]),
    seed=st.integers(0, 2**31),
)
@pytest.mark.skipif(SIMULATING, reason="too slow in the simulator")
def test_agrees_on_any_shape(case, shape, dtype, seed):
    assert_agrees(case, case.inputs(shape, dtype, seed))


LAYOUTS = {
    "transposed": lambda t: t.t().contiguous().t(),
    "every other column": lambda t: t.repeat_interleave(2, 1)[:, ::2],
    "inner slice": lambda t: torch.nn.functional.pad(t, (3, 5, 1, 2))[1:-2, 3:-5],
    "expanded rows": lambda t: t[:1].expand(t.shape),
    "expanded columns": lambda t: t[:, :1].expand(t.shape),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_takes_any_layout(case, layout, device):
    inputs = [tensor.detach() for tensor in case.inputs((6, 9), device=device)]
    views = [LAYOUTS[layout](t) if t.dim() == 2 else t.repeat_interleave(3)[::3] for t in inputs]
    plain = [view.clone(memory_format=torch.contiguous_format).requires_grad_() for view in views]
    views = [view.requires_grad_() for view in views]
    ours, expected = case.ours(*views), case.ours(*plain)
    assert all(torch.equal(a, b) for a, b in zip(ours, expected, strict=True))
    found, wanted = gradients(ours, views), gradients(expected, plain)
    assert all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))


@pytest.mark.parametrize("layout", ["transposed", "expanded rows", "expanded columns"])
def test_takes_gradients_of_any_layout(case, layout, device):
    inputs = case.inputs((6, 9), device=device)
    outputs = case.ours(*inputs)
    weights = [LAYOUTS[layout](torch.randn_like(output)) for output in outputs]
    found = torch.autograd.grad(outputs, inputs, weights, retain_graph=True)
    wanted = torch.autograd.grad(outputs, inputs, [weight.contiguous() for weight in weights])
    assert all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))


@pytest.mark.parametrize("shape", [(0,), (0, 5), (4, 0), (0, 0), (2, 0, 3)], ids=str)
def test_empty(case, shape, device):
    inputs = case.inputs(shape, device=device)
    outputs = case.ours(*inputs)
    assert all(output.shape == shape for output in outputs)
    found = gradients(outputs, inputs)
    assert [g.shape for g in found] == [i.shape for i in inputs]
    assert all(g.count_nonzero() == 0 for g in found)


def test_leaves_inputs_alone(case, device):
    inputs = case.inputs((5, 8), device=device)
    before = [tensor.detach().clone() for tensor in inputs]
    gradients(case.ours(*inputs), inputs)
    assert all(torch.equal(a, b) for a, b in zip(inputs, before, strict=True))


@pytest.mark.parametrize("shape", [(7, 33), (700, 131)], ids=str)
def test_same_bits_every_time(case, shape, device):
    inputs = case.inputs(shape, device=device)
    first = [*case.ours(*inputs), *gradients(case.ours(*inputs), inputs)]
    again = [*case.ours(*inputs), *gradients(case.ours(*inputs), inputs)]
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))


def test_number_of_threads_changes_little(case):
    inputs = case.inputs((700, 131))  # large enough for the parallel twins
    many = [*case.ours(*inputs), *gradients(case.ours(*inputs), inputs)]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        one = [*case.ours(*inputs), *gradients(case.ours(*inputs), inputs)]
    finally:
        torch.set_num_threads(threads)
    for a, b in zip(many, one, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-6)


EXTREMES = [
    0.0,
    -0.0,
    1e-45,
    -1e-40,
    1e-20,
    1e18,
    -1e18,
    1e30,
    -1e30,
    3e38,
    float("inf"),
    -float("inf"),
    float("nan"),
]


def test_extreme_values(case, device):
    """Each element is what torch computes, in float32 or in float64: torch's float32 GELU gives nan at infinity."""
    for ordinary in (1.0, -3.0):  # one extreme value in an ordinary row
        inputs = [t.detach() for t in case.inputs((len(EXTREMES), 5), device=device)]
        for tensor in inputs[: case.full]:
            tensor[:, 2] = ordinary
        inputs[0][:, 1] = torch.tensor(EXTREMES, device=device)
        exact = [output.float() for output in case.torchs(*in_float64(inputs))]
        for mine, theirs, truth in zip(case.ours(*inputs), case.torchs(*inputs), exact, strict=True):
            close = [
                torch.isclose(mine, other, rtol=2e-6, atol=2e-6, equal_nan=True) for other in (theirs, truth)
            ]
            assert (close[0] | close[1]).all()


def test_gradients_of_large_values_stay_finite(case, device):
    inputs = case.inputs((4, 6), device=device)
    with torch.no_grad():
        inputs[0][:, 1] = torch.tensor([1e15, -1e15, 1e10, -1e10])
    wide = in_float64(inputs)
    for found, exact in zip(
        gradients(case.ours(*inputs), inputs), gradients(case.torchs(*wide), wide), strict=True
    ):
        assert found.isfinite().all()
        torch.testing.assert_close(found.double(), exact, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("half", HALF, ids=str)
def test_half_inputs_beside_float32_weights(case, half, device):
    if not case.vector:
        pytest.skip("has no weight")
    *full, vector = case.inputs((6, 33), half, device=device)
    vector = vector.detach().float().requires_grad_()
    inputs, wide = (*full, vector), in_float64((*full, vector))
    outputs, exact = case.ours(*inputs), case.torchs(*wide)
    assert all(output.dtype == half for output in outputs)
    found, wanted = gradients(outputs, inputs), gradients(exact, wide)
    assert [g.dtype for g in found] == [i.dtype for i in inputs]
    for a, b in zip((*outputs, *found), (*exact, *wanted), strict=True):
        torch.testing.assert_close(a.double(), b, rtol=0.03, atol=0.03)


@pytest.mark.skipif(SIMULATING, reason="this is what the simulator's process runs")
def test_agrees_on_numbas_gpu_simulator():
    """The GPU kernels' own source, thread by thread; Numba must be told to simulate before it is imported."""
    root = Path(__file__).parents[2]
    chosen = "test_agrees_with_float64 and float32 or test_empty or block_sum"
    files = [Path(__file__), Path(__file__).with_name("test_lanes.py")]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *map(str, files), "-k", chosen],
        env=os.environ | {"NUMBA_ENABLE_CUDASIM": "1"},
        cwd=root,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(".") > 40, done.stdout  # and not merely skipped
