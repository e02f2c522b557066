"""Averaging answers and averaging weights: what the groups share, and what the lesson says about them."""

import pytest
import torch

from workbench.data import SignalPart, SignalSet
from workbench.mixing import averaging
from workbench.mixing.averaging import apart, build, measure, one_ancestor, one_path, shuffled


@pytest.fixture(scope="module")
def part():
    torch.manual_seed(0)
    signals = torch.randn(130, 40)
    return SignalPart(signals, signals[:, :10].argmax(-1))


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(averaging, "EPOCHS", 10)
    monkeypatch.setattr(averaging, "WIDTH", 16)


def distance(one, other):
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return sum((a - b).square().sum() for a, b in pairs).sqrt().item()


def test_shuffled_units_change_the_weights_and_not_the_function(part):
    model = build(3)
    before = [weights.clone() for weights in model.parameters()]
    copies = shuffled(model, seed=1)
    assert len(copies) == 5
    for place, copy in enumerate(copies):
        torch.testing.assert_close(copy(part.signals), model(part.signals))
        assert all(distance(copy, other) > 1 for other in copies[:place])
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


@pytest.mark.parametrize("group", [apart, one_ancestor, one_path])
def test_a_group_has_five_different_members_and_is_the_same_again(part, group):
    models, again = group(part, 0), group(part, 0)
    assert len(models) == 5
    for place, model in enumerate(models):
        assert distance(model, again[place]) == 0
        assert not model.training
        assert all(distance(model, other) > 0.01 for other in models[:place])


def test_members_of_one_ancestor_are_nearer_than_strangers(part):
    strangers, siblings = apart(part, 0), one_ancestor(part, 0)
    assert distance(*siblings[:2]) < 0.7 * distance(*strangers[:2])


def test_shares_are_of_members_answers_and_weights(part):
    models = [build(seed) for seed in range(3)]
    shares = measure(models, part)
    assert list(shares) == ["one model", "ensemble", "averaged weights"]
    right = [(model(part.signals).argmax(-1) == part.labels).double().mean().item() for model in models]
    assert shares["one model"] == pytest.approx(sum(right) / 3)
    together = sum(model(part.signals).softmax(-1) for model in models).argmax(-1)
    assert shares["ensemble"] == pytest.approx((together == part.labels).double().mean().item())


def test_the_fourth_share_is_of_weights_averaged_after_aligning(part):
    trained = averaging.trained(build(0), part, 10, 0)
    copies = shuffled(trained, seed=1)
    shares = measure(copies, part, align_on=part.signals)
    assert list(shares) == ["one model", "ensemble", "averaged weights", "aligned, then averaged"]
    assert shares["aligned, then averaged"] == shares["one model"] > shares["averaged weights"]


def test_what_the_lesson_says():
    scores = averaging.load()
    assert scores.difference("ensemble", "one model", "apart")[0] > 0.03
    assert scores.shown("ensemble", "one model", "apart")
    for group in ("apart", "shuffled"):  # the order of the units alone is enough to ruin the mean
        assert scores.mean("averaged weights", group) < 0.3
    strangers_gain, _ = scores.difference("ensemble", "one model", "apart")
    for group in ("one ancestor", "one path"):
        gain, _ = scores.difference("averaged weights", "one model", group)
        assert 0.01 < gain < strangers_gain
        assert scores.shown("averaged weights", "one model", group)
        assert abs(scores.difference("averaged weights", "ensemble", group)[0]) < 0.01
    assert scores.mean("ensemble", "shuffled") == pytest.approx(scores.mean("one model", "shuffled"))
    assert scores.mean("aligned, then averaged", "shuffled") == pytest.approx(
        scores.mean("one model", "shuffled")
    )
    # apart: the order was most of what ruined the mean, and not all that keeps it from being as good as one of them
    gained, _ = scores.difference("aligned, then averaged", "averaged weights", "apart")
    lost, _ = scores.difference("one model", "averaged weights", "apart")
    assert 0.8 * lost < gained < 0.95 * lost
    assert scores.shown("one model", "aligned, then averaged", "apart")
    for group in ("one ancestor", "one path"):  # their units still stand in one order
        assert scores.by_seed["aligned, then averaged", group] == scores.by_seed["averaged weights", group]
    assert all(len(by_seed) == 5 for by_seed in scores.by_seed.values())


def test_one_seed_measures_every_group(part, monkeypatch):
    monkeypatch.setattr(averaging, "load_mnist1d", lambda: SignalSet(part, part, []))
    measured = averaging.one_seed(0)
    assert measured.keys() == averaging.load().by_seed.keys()
    assert measured["one model", "apart"] > 0.2  # a tenth by chance
    assert measured["one model", "shuffled"] == pytest.approx(measured["ensemble", "shuffled"])
