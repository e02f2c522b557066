"""A linear layer is torch's, weight for weight; an MLP is the stack that it says it is."""

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from workbench.blocks.activation import GELU
from workbench.blocks.linear import MLP, Linear

SIZES = st.integers(1, 7)


@settings(deadline=None, max_examples=50)
@given(inputs=SIZES, outputs=SIZES, around=st.lists(st.integers(0, 4), max_size=3), bias=st.booleans())
def test_linear_is_torchs(same, draw, inputs, outputs, around, bias):
    same(Linear(inputs, outputs, bias), nn.Linear(inputs, outputs, bias), draw(*around, inputs))


def test_linear_takes_a_view(same, draw):
    same(Linear(5, 3), nn.Linear(5, 3), draw(5, 4, 2).transpose(0, 2)[:, ::2])


@pytest.mark.parametrize("bias", [True, False])
def test_linear_starts_where_torch_does(bias):
    torch.manual_seed(1)
    ours = Linear(50, 30, bias)
    torch.manual_seed(1)
    theirs = nn.Linear(50, 30, bias)
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict())
    assert 0.9 / math.sqrt(50) < ours.weight.abs().max() <= 1 / math.sqrt(50)


def test_linear_follows_autocast():
    with torch.autocast("cpu", torch.bfloat16):
        assert (
            Linear(3, 2)(torch.zeros(4, 3)).dtype
            == nn.Linear(3, 2)(torch.zeros(4, 3)).dtype
            == torch.bfloat16
        )


def test_weights_are_drawn_again_after_a_model_was_laid_out_without_memory():
    with torch.device("meta"):
        layer = Linear(3, 2)
    layer.to_empty(device="cpu").reset_parameters()
    assert 0 < layer.weight.abs().max() <= 1 / math.sqrt(3)


@pytest.mark.parametrize("shape", [(), (2,), (3, 2), (3, 4)])
def test_linear_refuses_another_width(shape):
    with pytest.raises(ValueError, match=r"x: expected shape \(\.\.\., 3\), got \("):
        Linear(3, 5)(torch.zeros(shape))


@pytest.mark.parametrize(("name", "sizes"), [("inputs", (0, 2)), ("outputs", (2, -1))])
def test_linear_refuses_no_width(name, sizes):
    with pytest.raises(ValueError, match=f"{name}: expected at least 1"):
        Linear(*sizes)
    with pytest.raises(TypeError, match=f"{name}: expected a whole number"):
        Linear(*[size if size > 0 else 1.5 for size in sizes])


@settings(deadline=None, max_examples=50)
@given(widths=st.lists(SIZES, min_size=2, max_size=5), batch=st.integers(0, 5))
def test_mlp_is_torchs_layers_in_a_row(same, draw, widths, batch):
    layers = [nn.Linear(a, b) for a, b in pairwise(widths)]
    theirs = nn.Sequential(*[part for layer in layers for part in (layer, nn.GELU())][:-1])

    def ours_from(named):
        """Sequential numbers its layers and activations together: layer 2·i is our layers.i."""
        numbered = {name: name.split(".") for name in named}
        return {f"layers.{int(n) // 2}.{kind}": named[name] for name, (n, kind) in numbered.items()}

    same(MLP(widths, activation=GELU), theirs, draw(batch, widths[0]), translate=ours_from)


def test_mlp_bends_between_its_layers_only():
    mlp = MLP([4, 5, 6, 3])
    assert [type(module) for module in mlp.activations] == [nn.ReLU, nn.ReLU]
    assert (mlp(torch.randn(100, 4)) < 0).any()


def test_dropout_acts_in_training_only_and_leaves_names_alone():
    mlp = MLP([4, 50, 3], dropout=0.5)
    assert mlp.state_dict().keys() == MLP([4, 50, 3]).state_dict().keys()
    x = torch.randn(8, 4)
    assert not torch.equal(mlp(x), mlp(x))
    mlp.eval()
    assert torch.equal(mlp(x), mlp(x))


def test_mlp_refuses_what_it_cannot_build():
    with pytest.raises(ValueError, match="widths: expected"):
        MLP([3])
    with pytest.raises(ValueError, match=r"x: expected shape \(\.\.\., 3\)"):
        MLP([3, 4, 2])(torch.zeros(2, 4))


def test_contracts(keeps_contract):
    assert Linear(3, 5).contract == "... 3 -> ... 5"
    assert MLP([3, 9, 5]).contract == "... 3 -> ... 5"
    for block in (Linear(3, 5), MLP([3, 9, 5])):
        keeps_contract(block, torch.zeros(3))
        keeps_contract(block, torch.zeros(2, 4, 3))
