"""From one vendor's emoji to the other's: every method runs, repeats, and does what the lesson says."""

import pytest
import torch
from torch import nn

from workbench.data import load_emoji
from workbench.mixing import vendors
from workbench.mixing.vendors import METHODS


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(vendors, "EPOCHS", 1)


def test_pictures_are_the_vendors_own_training_drawings():
    twitter, google = vendors.pictures("twitter"), vendors.pictures("google")
    assert twitter.shape == google.shape == (1295, 32, 32, 3)
    assert not torch.equal(twitter, google)


@pytest.mark.usefixtures("short")
def test_measures_every_method_on_the_target_and_one_at_home(monkeypatch):
    monkeypatch.setattr(vendors, "DANN_WEIGHTS", (1.0,))
    measured = vendors.measure("google", "twitter", 0)
    expected = {(method, "google → twitter") for method in METHODS if not method.startswith("DANN")}
    assert measured.keys() == expected | {
        ("DANN × 1", "google → twitter"),
        ("source only", "google → google"),
    }
    assert all(0 <= share <= 1 for share in measured.values())


@pytest.mark.usefixtures("short")
def test_a_seed_repeats_and_another_does_not():
    first, again, other = (vendors.train("google", seed)[1].weight for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.usefixtures("short")
def test_a_new_classifier_on_the_old_encoder():
    model = vendors.train("google")
    weights = [value.clone() for value in model.state_dict().values()]
    aligned = vendors.train_on_aligned(model, "google", "twitter")
    assert all(torch.equal(a, b) for a, b in zip(weights, model.state_dict().values(), strict=True))
    old, new = model[0].state_dict(), aligned[0].state_dict()
    assert all(torch.equal(old[name], new[name]) for name in old)
    assert not torch.equal(aligned[1].weight, model[1].weight)


class Shows(nn.Module):
    """An encoder whose 64 features are noise, plus `amount` where the drawing is Google's."""

    def __init__(self, amount):
        super().__init__()
        self.amount = amount
        self.norm = nn.BatchNorm2d(3)
        self.google = {part.pictures.sum().item() for part in (google().train, google().test)}

    def forward(self, pictures):
        self.norm(pictures.permute(0, 3, 1, 2) / 255)
        seed = pictures.sum().item()
        noise = torch.randn(len(pictures), 64, generator=torch.Generator().manual_seed(seed))
        return noise + self.amount * (seed in self.google)


def google():
    return load_emoji("google")


def test_vendors_are_told_apart_only_where_features_show_them():
    for amount, expected in ((5.0, 1.0), (0.0, 0.5)):
        model = nn.Sequential(Shows(amount), nn.Linear(64, 8))
        assert vendors.told_apart(model, "google", "twitter") == pytest.approx(expected, abs=0.06)


def test_what_the_lesson_says():
    scores = vendors.load()
    assert scores.methods == METHODS
    assert all(len(by_seed) == 5 for by_seed in scores.by_seed.values())
    for source, target in vendors.DIRECTIONS:
        there, home = f"{source} → {target}", f"{source} → {source}"
        assert scores.mean("source only", home) - scores.mean("source only", there) > 0.2  # half is lost
        for method in METHODS[1:5]:
            assert scores.difference(method, "source only", there)[0] > 0.05
            assert scores.shown(method, "source only", there)
        for method in ("Deep CORAL", "DANN × 1"):  # looking at the target while training brings more
            assert scores.shown(method, "AdaBN", there)
        assert not scores.shown("CORAL", "AdaBN", there)
        assert not scores.shown("DANN × 1", "Deep CORAL", there)
        assert scores.spread("DANN × 1", there) > scores.spread("Deep CORAL", there)
    # a hundred times the weight does no harm in one direction and much in the other
    assert abs(scores.difference("DANN × 100", "DANN × 1", "twitter → google")[0]) < 0.01
    assert scores.difference("DANN × 100", "DANN × 1", "google → twitter")[0] < -0.05
