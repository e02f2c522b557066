"""What counts as right in the fresh tasks and orderings is right by another way: of torch, NumPy, the library."""

import copy

import numpy as np
import pytest
import torch
from torch import fx
from torch.nn import functional

from workbench.exercises import find
from workbench.mixing import Gate
from workbench.profiling import meter


def solve(name, *inputs):
    return find(name).run(find(name).solution, *inputs)


def cases(name, seed=5):
    return [pytest.param(*case.inputs, id=f"{name}-{case.label}") for case in find(name).cases(seed)]


@pytest.mark.parametrize(("vectors", "weight", "bias"), cases("fusion.gate_of_three"))
def test_three_modalities_are_gated_as_by_the_library(vectors, weight, bias):
    gate = Gate([vectors.shape[-1]] * 3).double()
    gate.decide.load_state_dict({"weight": weight, "bias": bias})
    with torch.no_grad():
        torch.testing.assert_close(solve("fusion.gate_of_three", vectors, weight, bias), gate(list(vectors)))


@pytest.mark.parametrize(
    ("mean", "var", "gamma", "beta", "eps", "weight", "bias"), cases("fusion.fold_before")
)
def test_a_normalization_before_a_linear_layer(mean, var, gamma, beta, eps, weight, bias):
    x = torch.randn(7, len(mean), dtype=torch.float64)
    normed = functional.batch_norm(x, mean, var, gamma, beta, eps=eps)
    folded = functional.linear(x, *solve("fusion.fold_before", mean, var, gamma, beta, eps, weight, bias))
    torch.testing.assert_close(folded, functional.linear(normed, weight, bias))


def test_intensity_is_what_the_meter_finds():
    def chain(x, bias):
        return torch.relu((x + bias) * x)

    x, bias = torch.randn(5, 7), torch.randn(7)
    listed = [("sum", ("x", "bias")), ("product", ("sum", "x")), ("y", ("product",))]
    shapes = dict.fromkeys(["x", "sum", "product", "y"], (5, 7)) | {"bias": (7,)}
    one_by_one, fused = solve("fusion.intensity_of_chain", listed, shapes, 4)
    count = meter(chain, x, bias)
    assert one_by_one == pytest.approx(count.flops / count.bytes)
    assert fused == pytest.approx(3 * 35 / (4 * (35 + 7 + 35)))


@pytest.mark.parametrize(("network", "x"), cases("fusion.chain_all"))
def test_merged_chains_compute_what_the_network_did(network, x):
    expected = network(x)
    rewritten = find("fusion.chain_all").solution(fx.symbolic_trace(copy.deepcopy(network)))
    torch.testing.assert_close(rewritten(x), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("x", "scale", "shift"), cases("fusion.scale_shift_relu_kernel"))
def test_scale_shift_relu(x, scale, shift):
    (got,) = solve("fusion.scale_shift_relu_kernel", x, scale, shift)
    torch.testing.assert_close(got, torch.relu(x * scale + shift))


@pytest.mark.parametrize("x", cases("fusion.center_kernel"))
def test_center(x):
    (got,) = solve("fusion.center_kernel", x)
    torch.testing.assert_close(got, x - x.mean(-1, keepdim=True), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("x", cases("fusion.row_sum"))
def test_row_sum(x):
    (got,) = solve("fusion.row_sum", x)
    torch.testing.assert_close(got, x.sum(-1), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("inputs", [case.inputs for case in find("fusion.block_diagonal").cases(5)])
def test_block_diagonal(inputs):
    wa, wb, ba, bb, *_ = inputs
    xa, xb = (torch.randn(3, w.shape[1], dtype=w.dtype) for w in (wa, wb))
    weight, bias, share = find("fusion.block_diagonal").solution(wa, wb, ba, bb)
    both = torch.cat([functional.linear(xa, wa, ba), functional.linear(xb, wb, bb)], -1)
    torch.testing.assert_close(functional.linear(torch.cat([xa, xb], -1), weight, bias), both)
    expected = 1 - (wa.numel() + wb.numel()) / weight.numel() if weight.numel() else share
    assert share == pytest.approx(expected)


@pytest.mark.parametrize("pieces", [1, 2, 3, 5])
def test_a_softmax_in_pieces_is_the_softmax(pieces):
    torch.manual_seed(pieces)
    scores, v = 40 * torch.randn(4, 9, dtype=torch.float64), torch.randn(9, 3, dtype=torch.float64)
    state = (torch.full((4,), -torch.inf).double(), torch.zeros(4).double(), torch.zeros(4, 3).double())
    for columns in torch.arange(9).chunk(pieces):
        top = scores[:, columns].amax(-1)
        weights = (scores[:, columns] - top[:, None]).exp()
        state = find("fusion.merge_pieces").solution(state, (top, weights.sum(-1), weights @ v[columns]))
    torch.testing.assert_close(state[2] / state[1][:, None], scores.softmax(-1) @ v)


def test_moments_in_pieces_are_the_moments():
    numbers = np.random.default_rng(0).normal(1e4, 1, 11)
    state = (0, 0.0, 0.0)
    for piece in np.split(numbers, [2, 2, 7]):
        own = (
            len(piece),
            piece.mean() if len(piece) else 0.0,
            len(piece) * piece.var() if len(piece) else 0.0,
        )
        state = find("fusion.merge_moments").solution(state, own)
    assert state == pytest.approx((11, numbers.mean(), 11 * numbers.var()))
