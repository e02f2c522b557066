"""The norms are torch's: outputs, gradients and running statistics."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from workbench.blocks.norm import BatchNorm, LayerNorm, RMSNorm

SHAPES = st.lists(st.integers(0, 4), max_size=3)
EPS = st.sampled_from([1e-6, 1e-5, 0.1])
OF_TORCH = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d}


def disturbed(module: nn.Module) -> nn.Module:
    """With weights and biases away from 1 and 0, where a mistake would hide."""
    for seed, parameter in enumerate(module.double().parameters()):
        nn.init.normal_(parameter, generator=torch.Generator().manual_seed(seed))
    return module


@settings(deadline=None, max_examples=50)
@given(around=SHAPES, width=st.integers(1, 7), eps=EPS, affine=st.booleans())
def test_layer_norm_is_torchs(same, draw, around, width, eps, affine):
    theirs = disturbed(nn.LayerNorm(width, eps, elementwise_affine=affine))
    same(LayerNorm(width, eps, affine), theirs, draw(*around, width) + 3)


@settings(deadline=None, max_examples=50)
@given(around=SHAPES, width=st.integers(1, 7), eps=EPS, affine=st.booleans())
def test_rms_norm_is_torchs(same, draw, around, width, eps, affine):
    theirs = disturbed(nn.RMSNorm(width, eps, elementwise_affine=affine))
    same(RMSNorm(width, eps, affine), theirs, draw(*around, width) + 3)


@pytest.mark.parametrize("training", [True, False])
@settings(deadline=None, max_examples=50)
@given(
    shape=st.lists(st.integers(1, 5), min_size=2, max_size=4),
    eps=EPS,
    momentum=st.sampled_from([0.1, 0.0, 1.0, None]),
    affine=st.booleans(),
)
def test_batch_norm_is_torchs(same, draw, training, shape, eps, momentum, affine):
    if torch.Size(shape).numel() == shape[1]:
        shape = [shape[0] + 1, *shape[1:]]  # a single value per channel has a test of its own
    theirs = disturbed(OF_TORCH[len(shape)](shape[1], eps, momentum, affine))
    ours = BatchNorm(shape[1], eps, momentum, affine)
    theirs.train(training)
    theirs.running_mean.copy_(draw(shape[1]))
    theirs.running_var.copy_(draw(shape[1]).square() + 0.1)
    same(ours, theirs, 2 * draw(*shape) + 3)
    for seed in (1, 2):  # `same` copies torch's state first; from here each goes on alone
        ours(x := draw(*shape, seed=seed))
        theirs(x)
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict())


@pytest.mark.parametrize("shape", [(0, 3), (0, 3, 4), (2, 3, 0), (0, 3, 2, 2)])
@pytest.mark.parametrize("training", [True, False])
def test_no_examples_change_nothing(same, draw, shape, training):
    same(BatchNorm(3), OF_TORCH[len(shape)](3).train(training), draw(*shape))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(LayerNorm(4), nn.LayerNorm(4)), (RMSNorm(4), nn.RMSNorm(4, 1e-6)), (BatchNorm(4), nn.BatchNorm1d(4))],
)
def test_views_are_taken(same, draw, ours, theirs):
    same(ours, theirs, draw(4, 8, 6).transpose(0, 2)[:, ::2])  # (6, 4, 4), strides (1, 12, 48)


@pytest.mark.parametrize("ours", [LayerNorm(64), RMSNorm(64), BatchNorm(64)])
def test_eps_keeps_equal_inputs_finite(ours):
    x = torch.zeros(3, 64, requires_grad=True)
    ours(x).sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()


@pytest.mark.parametrize("shape", [(1, 3), (1, 3, 1), (1, 3, 1, 1)])
def test_a_batch_of_one_is_refused_in_training_as_torch_does(shape):
    ours, theirs = BatchNorm(3), OF_TORCH[len(shape)](3)
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        theirs(torch.zeros(shape))
    with pytest.raises(ValueError, match="x: expected more than one value per channel in training"):
        ours(torch.zeros(shape))
    assert ours.num_batches_tracked == 0
    assert ours.eval()(torch.zeros(shape)).shape == shape


def test_evaluation_does_not_look_at_the_neighbors(draw):
    norm = BatchNorm(3).double()
    norm(draw(9, 3, 5))
    x = draw(4, 3, 5)
    torch.testing.assert_close(norm.eval()(x)[:1], norm(x[:1]))


@pytest.mark.parametrize(
    ("norm", "shape", "expected"),
    [
        (LayerNorm(3), (2, 4), r"\(\.\.\., 3\)"),
        (RMSNorm(3), (), r"\(\.\.\., 3\)"),
        (BatchNorm(3), (2, 4), r"\(batch, 3, \.\.\.\)"),
        (BatchNorm(3), (3,), r"\(batch, 3, \.\.\.\)"),
    ],
)
def test_another_width_is_refused(norm, shape, expected):
    with pytest.raises(ValueError, match=f"x: expected shape {expected}, got"):
        norm(torch.zeros(shape))


@pytest.mark.parametrize("kind", [LayerNorm, RMSNorm, BatchNorm])
def test_no_width_is_refused(kind):
    with pytest.raises(ValueError, match="expected at least 1, got 0"):
        kind(0)


def test_defaults_are_torchs():
    assert (LayerNorm(3).eps, BatchNorm(3).eps, BatchNorm(3).momentum) == (1e-5, 1e-5, 0.1)
    assert RMSNorm(3).eps == 1e-6


def test_contracts(keeps_contract):
    assert LayerNorm(3).contract == RMSNorm(3).contract == "... 3 -> ... 3"
    assert BatchNorm(3).contract == "batch 3 ... -> batch 3 ..."
    for block in (LayerNorm(3), RMSNorm(3), BatchNorm(3)):
        keeps_contract(block, torch.zeros(2, 3))
        keeps_contract(block, torch.zeros(2, 3, 3))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("norm", [LayerNorm(1000), RMSNorm(1000), BatchNorm(7)], ids=str)
def test_statistics_of_half_types_are_as_good_as_float32s(draw, norm, dtype):
    shape = (7, 1000) if not isinstance(norm, BatchNorm) else (300, 7)
    x = (draw(*shape) + 10).to(dtype)  # far from 0: a mean in the type itself would be off by a tenth
    y = norm(x)
    assert y.dtype == dtype
    exact = copy.deepcopy(norm).double()(x.double())
    error = (y.double() - exact).abs() / exact.abs().clamp_min(1)
    assert error.max() <= torch.finfo(dtype).eps
