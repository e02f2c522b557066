"""A folded layer computes what layer and batch normalization computed, for every kind of both; the rest is refused."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from workbench.data import load_fashion_mnist
from workbench.fusion import fold_batchnorm
from workbench.training.fashion import examples, load_fashion_conv_bn
from workbench.training.measure import evaluate

PLAIN = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
NORMS = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}


def lived_in(batchnorm: nn.Module) -> nn.Module:
    """The layer as after training: uneven statistics over some magnitudes, scales of both signs and zero."""
    channels = batchnorm.num_features
    batchnorm.running_mean.copy_(3 * torch.randn(channels))
    batchnorm.running_var.copy_(10 ** (4 * torch.rand(channels) - 3))
    if batchnorm.affine:
        batchnorm.weight.data = torch.randn(channels, dtype=batchnorm.weight.dtype)
        batchnorm.weight.data[0] = 0
        batchnorm.bias.data = torch.randn(channels, dtype=batchnorm.bias.dtype)
    return batchnorm.eval()


def relative_error(found: torch.Tensor, expected: torch.Tensor) -> float:
    return ((found - expected).abs().max() / expected.abs().max().clamp_min(1e-300)).item()


@settings(deadline=None, max_examples=60)
@given(
    dimensions=st.integers(1, 3),
    transposed=st.booleans(),
    groups=st.integers(1, 3),
    inside=st.integers(1, 3),
    outside=st.integers(1, 3),
    kernel=st.integers(1, 3),
    stride=st.integers(1, 2),
    bias=st.booleans(),
    affine=st.booleans(),
    padding_mode=st.sampled_from(["zeros", "circular"]),
    batch=st.integers(0, 3),
    seed=st.integers(0, 2**16),
)
def test_convolutions_are_folded_exactly(
    dimensions, transposed, groups, inside, outside, kernel, stride, bias, affine, padding_mode, batch, seed
):
    torch.manual_seed(seed)
    kind = TRANSPOSED if transposed else PLAIN
    mode = {} if transposed else {"padding_mode": padding_mode}
    conv = kind[dimensions](
        groups * inside,
        groups * outside,
        kernel,
        stride,
        padding=kernel // 2,
        groups=groups,
        bias=bias,
        **mode,
    ).double()
    norm = lived_in(NORMS[dimensions](groups * outside, affine=affine).double())
    x = torch.randn(batch, groups * inside, *[5] * dimensions, dtype=torch.float64)
    before = copy.deepcopy(conv.state_dict()), copy.deepcopy(norm.state_dict())

    folded = fold_batchnorm(conv, norm)

    expected = norm(conv(x))
    assert folded(x).shape == expected.shape
    if batch:
        assert relative_error(folded(x), expected) < 1e-12
    for module, state in zip((conv, norm), before, strict=True):
        assert all(torch.equal(value, state[name]) for name, value in module.state_dict().items())
    assert (conv.bias is not None) == bias
    assert type(folded) is type(conv)


@settings(deadline=None, max_examples=30)
@given(
    inside=st.integers(1, 5), outside=st.integers(1, 5), bias=st.booleans(), affine=st.booleans(),
    batch=st.integers(1, 4), seed=st.integers(0, 2**16),
)  # fmt: skip
def test_linear_is_folded_exactly(inside, outside, bias, affine, batch, seed):
    torch.manual_seed(seed)
    linear = nn.Linear(inside, outside, bias=bias).double()
    norm = lived_in(nn.BatchNorm1d(outside, affine=affine).double())
    x = torch.randn(batch, inside, dtype=torch.float64)
    assert relative_error(fold_batchnorm(linear, norm)(x), norm(linear(x))) < 1e-12


@pytest.mark.parametrize(
    ("dtype", "bound"), [(torch.float32, 1e-5), (torch.float16, 2e-2), (torch.bfloat16, 1e-1)]
)
def test_weights_are_rounded_once_to_the_layers_own_type(dtype, bound):
    torch.manual_seed(0)
    conv, norm = nn.Conv2d(8, 16, 3, bias=False), lived_in(nn.BatchNorm2d(16))
    x = torch.randn(2, 8, 9, 9)
    exact = norm.double()(conv.double()(x.double()))
    folded = fold_batchnorm(conv.to(dtype), norm)
    assert {weights.dtype for weights in folded.parameters()} == {dtype}
    assert relative_error(folded.double()(x.double()), exact) < bound
    in_double = fold_batchnorm(copy.deepcopy(conv).double(), norm)  # the same numbers, not yet rounded
    assert torch.equal(folded.weight, in_double.weight.to(dtype).double())
    assert torch.equal(folded.bias, in_double.bias.to(dtype).double())


def test_a_dead_channel_keeps_its_constant():
    norm = lived_in(nn.BatchNorm2d(2))
    norm.running_var.zero_()
    conv = nn.Conv2d(1, 2, 1)
    nn.init.zeros_(conv.weight)
    folded = fold_batchnorm(conv.double(), norm.double())
    x = torch.randn(1, 1, 3, 3, dtype=torch.float64)
    torch.testing.assert_close(folded(x), norm(conv(x)), rtol=1e-12, atol=1e-12)


def test_the_new_layer_shares_no_memory_and_trains():
    conv, norm = nn.Conv2d(2, 3, 1), lived_in(nn.BatchNorm2d(3))
    folded = fold_batchnorm(conv, norm)
    assert folded.weight.data_ptr() != conv.weight.data_ptr()
    assert folded.bias.data_ptr() != norm.bias.data_ptr()
    folded(torch.randn(1, 2, 2, 2)).sum().backward()
    assert folded.weight.grad is not None
    assert folded.bias.grad is not None
    assert conv.weight.grad is None
    frozen = fold_batchnorm(conv.requires_grad_(False), norm)
    assert not any(weights.requires_grad for weights in frozen.parameters())


def test_the_fashion_network_folds_without_losing_an_answer():
    model = load_fashion_conv_bn()
    test = examples(load_fashion_mnist().test)
    folded = fold_stages(model)
    expected, found = (net(test[0]) for net in (model, folded))
    assert relative_error(found, expected) < 1e-5
    assert torch.equal(found.argmax(-1), expected.argmax(-1))
    assert evaluate(folded, test)[1] == evaluate(model, test)[1]
    pictures = test[0][:200].double()
    assert relative_error(fold_stages(model.double())(pictures), model(pictures)) < 1e-12


def fold_stages(model: nn.Sequential) -> nn.Sequential:
    layers, kept = list(model), []
    for place, layer in enumerate(layers):
        if isinstance(layer, nn.BatchNorm2d):
            kept[-1] = fold_batchnorm(layers[place - 1], layer)
        else:
            kept.append(layer)
    return nn.Sequential(*kept).eval()


@pytest.mark.parametrize(
    ("conv", "norm", "error", "message"),
    [
        (nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3), ValueError, "batchnorm: in training mode"),
        (nn.Conv2d(2, 3, 1), nn.BatchNorm2d(4).eval(), ValueError, "batchnorm: expected 3 channels.*got 4"),
        (nn.Linear(2, 3), nn.BatchNorm1d(2).eval(), ValueError, "batchnorm: expected 3 channels.*got 2"),
        (
            nn.Conv2d(2, 3, 1),
            nn.BatchNorm2d(3, track_running_stats=False).eval(),
            ValueError,
            "track_running_stats",
        ),
        (
            nn.Conv2d(2, 3, 1),
            nn.BatchNorm1d(3).eval(),
            TypeError,
            "batchnorm: expected BatchNorm2d.*got BatchNorm1d",
        ),
        (nn.Conv2d(2, 3, 1), nn.InstanceNorm2d(3).eval(), TypeError, "batchnorm: expected BatchNorm2d"),
        (nn.ReLU(), nn.BatchNorm2d(3).eval(), TypeError, "conv: expected one of Linear.*got ReLU"),
        (nn.LazyConv2d(3, 1), nn.BatchNorm2d(3).eval(), TypeError, "conv: expected one of.*got LazyConv2d"),
        (
            nn.Conv2d(2, 3, 1),
            nn.BatchNorm2d(3, device="meta").eval(),
            ValueError,
            "batchnorm: on meta, conv on cpu",
        ),
    ],
)
def test_what_cannot_be_folded_is_refused(conv, norm, error, message):
    with pytest.raises(error, match=message):
        fold_batchnorm(conv, norm)


def test_a_layer_that_does_more_than_it_shows_is_refused():
    norm = nn.BatchNorm2d(3).eval()
    hooked, tied = nn.Conv2d(2, 3, 1), nn.utils.parametrizations.weight_norm(nn.Conv2d(2, 3, 1))
    hooked.register_forward_hook(lambda module, inputs, output: output * 2)
    with pytest.raises(ValueError, match="conv: has hooks"):
        fold_batchnorm(hooked, norm)
    with pytest.raises((ValueError, TypeError), match="conv: "):
        fold_batchnorm(tied, norm)
    watched = nn.BatchNorm2d(3).eval()
    watched.register_forward_pre_hook(lambda module, inputs: None)
    with pytest.raises(ValueError, match="batchnorm: has hooks"):
        fold_batchnorm(nn.Conv2d(2, 3, 1), watched)
