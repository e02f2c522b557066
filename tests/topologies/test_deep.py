"""Depth, wiring, norm and first weights decide how much of the gradient arrives; the published factors are met."""

import math
from statistics import median

import pytest
import torch
from torch import nn

from workbench.blocks.linear import Linear
from workbench.topologies import Highway, Layer, Residual, deep_mlp, gradient_by_layer, stack

DEPTH = 40


def first_over_last(*choices: str | None) -> float:
    """The gradient behind the first layer over that behind the last, median of five seeds."""
    ratios = []
    for seed in range(5):
        torch.manual_seed(seed)
        model = deep_mlp(64, DEPTH, *choices, inputs=40, outputs=10)
        by_layer = gradient_by_layer(model, torch.randn(128, 40), torch.randint(0, 10, (128,)))
        ratios.append(by_layer[1] / by_layer[DEPTH])
    return median(ratios)


def test_a_plain_stack_starves_its_first_layers_and_a_residual_one_feeds_them():
    assert first_over_last("plain") < 1e-12  # measured 2e-16 to 2e-15
    assert 1 / 100 < first_over_last("residual") < 100  # 18 to 36
    assert 1 / 1000 < first_over_last("highway") < 1  # 0.007


def test_the_right_first_weights_keep_the_gradient_of_a_plain_stack():
    assert 0.05 < first_over_last("plain", None, "kaiming") < 10  # 0.3 to 1.7
    assert 0.05 < first_over_last("plain", None, "orthogonal") < 10  # 0.3 to 1.0
    xavier = first_over_last("plain", None, "xavier")  # half the variance a layer: 2^(-39/2) = 1.3e-6
    assert 0.1 < xavier / 2 ** (-(DEPTH - 1) / 2) < 10


def test_without_a_norm_kaiming_makes_a_residual_stack_explode():
    assert first_over_last("residual", None, "kaiming") > 1e4  # 4e5 to 3e6; √2 a layer would be 7e5
    for norm in ("layer", "batch"):
        assert 1 < first_over_last("residual", norm, "kaiming") < 50  # 5 to 12


def test_batch_norm_in_a_plain_stack_grows_the_gradient_as_published():
    for initialization in ("default", "small", "kaiming"):
        measured = first_over_last("plain", "batch", initialization)
        published = (math.pi / (math.pi - 1)) ** ((DEPTH - 1) / 2)  # 1.21 a layer: 1,736
        assert 0.5 < measured / published < 2  # 1,600 to 2,300
    assert 0.05 < first_over_last("plain", "layer") < 10  # 0.3 to 1.2


def test_gradients_are_those_of_autograd_and_leave_nothing_behind():
    torch.manual_seed(0)
    model = nn.Sequential(Linear(3, 4), nn.Tanh(), Linear(4, 2)).double()
    x, target = torch.randn(5, 3).double(), torch.randn(5, 2).double()
    measured = gradient_by_layer(model, x, target)
    error = 2 * (model(x) - target) / target.numel()  # the slope of the mean of squares
    hidden = error @ model[2].weight
    bent = hidden * (1 - model[:2](x) ** 2)
    assert measured == pytest.approx([bent.norm().item(), hidden.norm().item(), error.norm().item()])
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize("wiring", ["plain", "residual", "highway"])
@pytest.mark.parametrize("norm", [None, "layer", "batch"])
def test_every_choice_trains(wiring, norm):
    torch.manual_seed(0)
    model = deep_mlp(8, 3, wiring, norm, "kaiming", inputs=5, outputs=2)
    assert len(model) == 5
    x = torch.randn(64, 5)
    target = (x[:, 0] > 0).long()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(60):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), target)
        loss.backward()
        optimizer.step()
    assert loss < 0.35  # a guess is 0.69


def test_wirings_share_one_layer_and_one_count_of_parameters():
    plain, residual, highway = (deep_mlp(8, 4, wiring) for wiring in ("plain", "residual", "highway"))
    assert all(isinstance(layer, Layer) for layer in plain)
    assert all(isinstance(layer, Residual) and isinstance(layer.inner, Layer) for layer in residual)
    assert all(isinstance(layer, Highway) and isinstance(layer.inner, Layer) for layer in highway)
    count = [sum(p.numel() for p in model.parameters()) for model in (plain, residual, highway)]
    assert count == [4 * 72, 4 * 72, 8 * 72]  # the gate is as large as the layer
    assert plain(torch.zeros(3, 8)).shape == (3, 8)


def test_first_weights_are_what_the_table_says():
    torch.manual_seed(0)
    width = 300
    spread = {"default": 1 / math.sqrt(3 * width), "small": 0.01, "xavier": 1 / math.sqrt(width)}
    spread |= {"kaiming": math.sqrt(2 / width), "orthogonal": math.sqrt(2 / width)}
    for initialization, expected in spread.items():
        linear = Layer(width, width, None, initialization).linear
        assert linear.weight.std().item() == pytest.approx(expected, rel=0.02)
        assert bool(linear.bias.any()) == (initialization == "default")
    square = linear.weight @ linear.weight.T
    torch.testing.assert_close(square, 2 * torch.eye(width), rtol=1e-4, atol=1e-4)


def test_a_stack_is_of_fresh_blocks_in_any_wiring():
    blocks = stack(lambda: Linear(4, 4), 3, lambda inner: Highway(4, inner))
    assert len({id(block.inner) for block in blocks}) == 3
    assert not torch.equal(blocks[0].inner.weight, blocks[1].inner.weight)
    assert len(stack(lambda: Linear(4, 4), 1)) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"wiring": "dense"}, r"wiring: expected one of \['plain', 'residual', 'highway'\], got 'dense'"),
        ({"norm": "group"}, r"norm: expected one of \[None, 'layer', 'batch'\], got 'group'"),
        ({"initialization": "zeros"}, "initialization: expected one of"),
        ({"depth": 0}, "depth: expected at least 1, got 0"),
        ({"width": 0}, "width: expected at least 1, got 0"),
    ],
)
def test_what_cannot_be_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        deep_mlp(**{"width": 4, "depth": 2, **arguments})
