"""A linear layer after another becomes one, where that takes fewer operations; in all other cases both stay."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from workbench import blocks
from workbench.fusion import fuse
from workbench.fusion.rules.merge_chained import find

RULES = (find,)
CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}


def relative_error(found, expected) -> float:
    return ((found - expected).abs().max() / expected.abs().max().clamp_min(1e-300)).item()


@settings(deadline=None, max_examples=40)
@given(
    widths=st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9)),
    biases=st.tuples(st.booleans(), st.booleans()),
    axes=st.integers(0, 3),
    ours=st.booleans(),
    seed=st.integers(0, 2**16),
)
def test_two_become_one_exactly_where_it_pays(widths, biases, axes, ours, seed):
    torch.manual_seed(seed)
    inside, middle, outside = widths
    if axes:
        kinds = [lambda i, o, bias: CONVOLUTIONS[axes](i, o, 1, bias=bias)] * 2
    else:
        kinds = [nn.Linear, blocks.Linear if ours else nn.Linear]
    first = kinds[0](inside, middle, bias=biases[0])
    second = kinds[1](middle, outside, bias=biases[1])
    model = nn.Sequential(first, second).double().eval()
    x = torch.randn(3, inside, *[4] * axes, dtype=torch.float64)

    report = fuse(model, x, RULES)

    pays = outside * inside < inside * middle + middle * outside
    assert len(report.rewrites) == pays
    assert len(report.refused) == (not pays)
    assert relative_error(report.model(x), model(x)) < 1e-12
    if pays:
        merged = report.model.get_submodule("0")
        assert merged.weight.numel() == inside * outside
        assert (merged.bias is not None) == any(biases)
    else:
        assert "bottleneck" in report.refused[0].why


def test_the_reason_counts():
    (refusal,) = fuse(
        nn.Sequential(nn.Linear(100, 5), nn.Linear(5, 80)).eval(), torch.randn(2, 100), RULES
    ).refused
    assert refusal.where == "0 + 1"
    assert "from 1,800 to 16,000" in refusal.why  # 2(100·5 + 5·80) and 2·100·80


def test_a_chain_merges_from_its_cheap_end():
    model = nn.Sequential(nn.Linear(30, 4), nn.Linear(4, 30), nn.Linear(30, 3)).eval()
    report = fuse(model, torch.randn(2, 30), RULES)
    assert [rewrite.where for rewrite in report.rewrites] == ["1 + 2", "0 + 1"]  # 30·30 would be dear
    assert not report.refused
    assert sum(isinstance(part, nn.Linear) for part in report.model.modules()) == 1
    assert report.max_error_float64 < 1e-12


@pytest.mark.parametrize(
    "second",
    [
        nn.Conv2d(3, 2, 3),  # sees neighbors
        nn.Conv2d(3, 2, 1, stride=2),
        nn.Conv2d(3, 2, 1, padding=1),  # zeros around it, which the first layer's bias never reaches
        nn.Conv2d(3, 3, 1, groups=3),
        nn.Sequential(nn.ReLU(), nn.Conv2d(3, 2, 1)),
    ],
)
def test_what_is_no_chain_of_matrices_is_left_alone(second):
    model, x = nn.Sequential(nn.Conv2d(8, 3, 1), second).eval(), torch.randn(2, 8, 5, 6)
    report = fuse(model, x, RULES)
    assert not report.rewrites
    assert torch.equal(report.model(x), model(x))


class Chain(nn.Module):
    """Two layers, and a way to use what is between them."""

    def __init__(self, then=lambda model, y: model.second(y)):
        super().__init__()
        self.first, self.second, self.then = nn.Linear(4, 6), nn.Linear(6, 3), then

    def forward(self, x):
        return self.then(self, self.first(x))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda model: setattr(model, "then", lambda own, y: (own.second(y), y)), "used elsewhere"),
        (lambda model: setattr(model, "then", lambda own, y: own.second(y) + own.second(y)), "elsewhere"),
        (lambda model: model.train(), "training mode"),
        (lambda model: model.second.register_forward_pre_hook(lambda module, args: None), "hooks"),
        (lambda model: nn.utils.parametrizations.weight_norm(model.first), "parametrized"),
        (
            lambda model: setattr(model, "other", model.second),
            "",
        ),  # under a second name: the very same module
    ],
)
def test_the_traps(change, reason):
    torch.manual_seed(0)
    model, x = Chain().eval(), torch.randn(5, 4)
    change(model)
    report = fuse(model, x, RULES)
    if reason:
        assert not report.rewrites
        assert any(reason in refusal.why for refusal in report.refused)
    expected, found = model(x), report.model(x)
    pairs = zip(found, expected, strict=True) if isinstance(expected, tuple) else [(found, expected)]
    assert all(relative_error(*pair) < 1e-6 for pair in pairs)


def test_a_weight_that_another_layer_shares_stays():
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4)).eval()
    model[3].weight = model[0].weight
    report = fuse(model, torch.randn(2, 4), RULES)
    assert not report.rewrites
    assert "3.weight" in report.refused[0].why


def test_one_layer_twice_in_a_row_is_refused():
    layer = nn.Linear(4, 4)
    report = fuse(nn.Sequential(layer, layer).eval(), torch.randn(2, 4), RULES)
    assert not report.rewrites
    assert "2 times" in report.refused[0].why


def test_products_are_rounded_once():
    """In float32, the merged matrix is the one of float64, rounded."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(50, 400), nn.Linear(400, 40)).eval()
    merged = fuse(model, torch.randn(2, 50), RULES).model.get_submodule("0")
    exact = model[1].weight.double() @ model[0].weight.double()
    assert torch.equal(merged.weight, exact.float())
