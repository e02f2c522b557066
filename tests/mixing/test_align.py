"""Units put in another network's order: found again where there is one, never another function, bad input named."""

import copy
import sys
from itertools import pairwise, permutations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from workbench.mixing import average_weights
from workbench.mixing.align import align, best_partners, correlation, linears, reorder

ANY = st.lists(st.integers(1, 24), min_size=1, max_size=3)  # widths of the hidden layers
WIDE = st.lists(st.integers(8, 24), min_size=1, max_size=3)  # behind a single unit all units are proportional
SEEDS = st.integers(0, 999)


def network(hidden, seed=0, bias=True):
    torch.manual_seed(seed)
    widths = [6, *hidden, 3]
    layers = [nn.Linear(n, m, bias=bias) for n, m in pairwise(widths)]
    between = [module for layer in layers for module in (layer, nn.ReLU())]
    return nn.Sequential(*between[:-1])


def orders_of(model):
    return [torch.randperm(layer.out_features) for layer in linears("model", model)[:-1]]


def signals_of(seed=0, number=120):
    return torch.randn(number, 6, generator=torch.Generator().manual_seed(seed))


def same_weights(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


@settings(deadline=None, max_examples=40)
@given(hidden=WIDE, seed=SEEDS, bias=st.booleans())
def test_the_order_of_a_shuffled_copy_is_found_again_exactly(hidden, seed, bias):
    model = network(hidden, seed, bias)
    shuffled = reorder(model, orders_of(model))
    assert same_weights(align(shuffled, model, signals_of(seed)), model)


@settings(deadline=None, max_examples=40)
@given(hidden=ANY, seed=SEEDS, bias=st.booleans())
def test_neither_moving_nor_aligning_changes_a_function_or_a_given_network(hidden, seed, bias):
    model, to, signals = network(hidden, seed, bias), network(hidden, seed + 1, bias), signals_of(seed)
    before = copy.deepcopy((model, to))
    for moved in (align(model, to, signals), reorder(model, orders_of(model))):
        torch.testing.assert_close(moved(signals), model(signals))
    assert same_weights(model, before[0])
    assert same_weights(to, before[1])


@settings(deadline=None, max_examples=20)
@given(hidden=WIDE, seed=SEEDS)
def test_shuffled_copies_aligned_and_averaged_are_the_network(hidden, seed):
    model, signals = network(hidden, seed), signals_of(seed)
    copies = [reorder(model, orders_of(model)) for _ in range(4)]
    averaged = average_weights([align(copy, model, signals) for copy in copies])
    torch.testing.assert_close(averaged(signals), model(signals))


def test_without_aligning_the_mean_of_shuffled_copies_is_another_network():
    model, signals = network([24, 24]), signals_of()
    averaged = average_weights([reorder(model, orders_of(model)) for _ in range(4)])
    assert (averaged(signals) - model(signals)).abs().max() > 0.05


def test_units_that_never_fire_are_found_again():
    model, signals = network([12, 12]), signals_of()
    with torch.no_grad():
        for layer in linears("model", model)[:-1]:
            layer.bias[:4] = -100
    assert (model[:2](signals)[:, :4] == 0).all()
    assert same_weights(align(reorder(model, orders_of(model)), model, signals), model)


def test_a_unit_goes_to_its_noisy_self():
    torch.manual_seed(0)
    model = network([16, 16])
    noisy = reorder(model, orders_of(model))
    with torch.no_grad():
        for weights in noisy.parameters():
            weights.add_(0.02 * torch.randn_like(weights))
    aligned = align(noisy, model, signals_of(number=500))
    pairs = zip(aligned.parameters(), model.parameters(), strict=True)
    assert max((a - b).abs().max() for a, b in pairs) < 0.1  # five deviations of the noise


def test_correlation_is_pearsons_and_zero_for_a_unit_that_never_changes():
    one, other = torch.randn(50, 3), torch.randn(50, 4)
    expected = torch.corrcoef(torch.cat([one, other], 1).double().T)[:3, 3:]
    torch.testing.assert_close(correlation(one, other), expected)
    other[:, 2] = 7.3
    assert (correlation(one, other)[:, 2] == 0).all()


@settings(deadline=None, max_examples=20)
@given(units=st.integers(1, 5), seed=SEEDS)
def test_partners_have_the_largest_sum_of_all_orders(units, seed):
    likeness = torch.rand(units, units, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    rows, found = torch.arange(units), best_partners(likeness)
    sums = [likeness[rows, torch.tensor(order)].sum() for order in permutations(range(units))]
    assert likeness[rows, found].sum() == pytest.approx(max(sums).item())


LINEAR = nn.Linear(6, 6)


@pytest.mark.parametrize(
    ("wrong", "got"),
    [
        (nn.Sequential(), "nothing"),
        (nn.Sequential(nn.Linear(6, 4), nn.ReLU()), "Linear, ReLU"),
        (nn.Sequential(nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, 3)), "Linear, Tanh, Linear"),
        (nn.Sequential(nn.Linear(6, 4), nn.Linear(4, 3), nn.ReLU()), "Linear, Linear, ReLU"),
        (nn.Bilinear(6, 4, 3), "Bilinear"),
    ],
)
def test_other_layers_are_named(wrong, got):
    with pytest.raises(
        ValueError, match=f"model: expected a Sequential of Linear, ReLU, …, Linear, got {got}"
    ):
        align(wrong, network([4]), signals_of())
    with pytest.raises(ValueError, match=f"to: expected a Sequential of Linear, ReLU, …, Linear, got {got}"):
        align(network([4]), wrong, signals_of())


def test_a_weight_used_twice_is_refused():
    shared = nn.Sequential(LINEAR, nn.ReLU(), LINEAR, nn.ReLU(), nn.Linear(6, 3))
    with pytest.raises(ValueError, match="model: two layers share a weight"):
        align(shared, network([6, 6]), signals_of())


def test_other_widths_and_signals_are_named():
    with pytest.raises(ValueError, match=r"to: expected the widths of model, \[6, 4, 3\], got \[6, 5, 3\]"):
        align(network([4]), network([5]), signals_of())
    with pytest.raises(ValueError, match="to: expected the widths of model"):
        align(network([4]), network([4, 4]), signals_of())
    for signals in (torch.zeros(6), torch.zeros(9, 5), torch.zeros(1, 6), torch.zeros(0, 6)):
        with pytest.raises(ValueError, match=r"signals: expected shape \(2 or more, 6\), got"):
            align(network([4]), network([4]), signals)
    with pytest.raises(ValueError, match="signals: some activations are no finite numbers"):
        align(network([4]), network([4]), signals_of().fill_(torch.nan))


def test_without_scipy_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    with pytest.raises(ImportError, match="pip install scipy"):
        align(network([4]), network([4]), signals_of())
