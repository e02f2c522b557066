"""Fusions trained clean and with noise: what the noise is, what is stored, what the lesson says."""

import shutil

import pytest
import torch

from workbench.data import assets_folder, load_emoji
from workbench.mixing import Concat, EarlyFusion, Gate, LateFusion, experiment, robust
from workbench.mixing.robust import FUSIONS, LONGER, METHODS, NOISE, build, half_spoiled, joined


@pytest.fixture(scope="module")
def stored():
    return robust.load()


def test_every_place_and_way_is_there_but_decisions_side_by_side():
    assert len(FUSIONS) == 3 * 4 - 1
    assert "late concat" not in FUSIONS
    assert {fusion + noise for fusion in FUSIONS for noise in ("", NOISE)} < set(METHODS)
    assert type(build("early attend + noise, longer")) is type(build("early attend"))
    model = build("early gate + noise")
    assert isinstance(model, EarlyFusion)
    assert isinstance(model.combine, Gate)
    assert isinstance(build("late add"), LateFusion)
    assert isinstance(build("hybrid concat").combine, Concat)
    with pytest.raises(ValueError, match=r"method: expected one of early concat, .* got 'late concat'"):
        build("late concat")


def test_half_the_emoji_lose_one_modality_and_never_both():
    part = load_emoji().train
    pictures, names = part.pictures.clone(), list(part.names)
    spoiled = half_spoiled(part, seed=3)
    seen = (spoiled.pictures == part.pictures).flatten(1).all(1)
    read = torch.tensor([ours == theirs for ours, theirs in zip(spoiled.names, part.names, strict=True)])
    assert (seen | read).all()
    assert (~seen).float().mean().item() == pytest.approx(0.25, abs=0.05)
    assert (~read).float().mean().item() == pytest.approx(0.25, abs=0.05)
    assert (
        spoiled.pictures[~seen] == part.pictures[~seen]
    ).float().mean() < 0.02  # noise, not a little of it
    assert torch.equal(part.pictures, pictures)
    assert part.names == names
    assert torch.equal(spoiled.labels, part.labels)
    assert spoiled.names == half_spoiled(part, seed=3).names
    assert spoiled.names != half_spoiled(part, seed=4).names


def test_joined_parts_stay_in_step():
    part = load_emoji().test
    both = joined([part, half_spoiled(part, 1)])
    assert len(both.pictures) == len(both.names) == len(both.labels) == len(both.vendor) == 682
    assert torch.equal(both.pictures[:341], part.pictures)
    assert torch.equal(both.labels[341:], part.labels)


def test_the_stored_models_give_the_stored_accuracies(stored):
    models, measured = stored
    for (method, condition), share in robust.measure(models, noise_seed=0).items():
        # other CPUs and the 16 bits may move an item or two of 341
        assert abs(share - measured.by_seed[method, condition][0]) <= 0.02


def test_the_easy_lessons_early_fusion_is_one_of_them(stored):
    _, comparison = experiment.load()
    expected = comparison.accuracies["early", "none", 0.0]
    assert stored[1].by_seed["early concat", "clean"] == pytest.approx(expected, abs=0.01)


def test_either_is_the_mean_of_both_noises(stored):
    by_seed = stored[1].by_seed
    for method in METHODS:
        both = zip(by_seed[method, "picture"], by_seed[method, "name"], strict=True)
        assert by_seed[method, "either"] == pytest.approx([sum(pair) / 2 for pair in both], abs=1e-5)


def test_what_the_lesson_says(stored):
    models, measured = stored
    for fusion in FUSIONS:  # every fusion learns from noise to live with it
        gain, _ = measured.difference(fusion + NOISE, fusion, "either")
        assert gain > 0.05
        assert measured.shown(fusion + NOISE, fusion, "either")
    for way in ("attend", "gate"):  # trained clean, weighing is worse than putting side by side
        assert measured.difference("early concat", f"early {way}", "either")[0] > 0.04
        assert measured.shown("early concat", f"early {way}", "either")
    gap, _ = measured.difference("early gate" + NOISE, "early concat" + NOISE, "either")
    assert abs(gap) < 0.02  # trained with noise, the gate is hardly better
    longer, _ = measured.difference(f"early concat{NOISE}{LONGER}", f"early concat{LONGER}", "clean")
    assert measured.shown(
        "early concat" + NOISE, "early concat", "clean"
    )  # at first noise costs clean accuracy
    assert abs(longer) < 0.02  # and with three times the updates it does not
    assert measured.shown(f"early concat{NOISE}{LONGER}", f"early concat{LONGER}", "either")
    taught = robust.train(["early gate" + NOISE, "early attend" + NOISE], progress=False)
    trust = {method: robust.trust(model) for method, model in (models | taught).items()}
    assert trust["early gate"]["picture"] > trust["early gate"]["clean"] - 0.05  # it trusts noise as before
    for method in ("early gate" + NOISE, "early attend" + NOISE):
        assert trust[method]["picture"] < trust[method]["clean"] - 0.15
        assert abs(trust[method]["name"] - trust[method]["clean"]) < 0.15  # a noisy name is hardly noticed


def test_trust_needs_weights():
    for method in ("early concat", "late gate"):
        with pytest.raises(ValueError, match="model: expected early or hybrid fusion with Attend or Gate"):
            robust.trust(build(method))


def test_training_is_live_and_seeded_and_the_command_writes_what_load_reads(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    for name in ("SHA256SUMS", "emoji32.npz"):
        shutil.copy(assets_folder() / "data" / name, tmp_path / "data")
    monkeypatch.setenv("WORKBENCH_ASSETS", str(tmp_path))
    monkeypatch.setattr(robust, "EPOCHS", 2)
    monkeypatch.setattr(robust, "DRAWS", 2)
    monkeypatch.setattr(robust, "STORED", ("early gate", "early gate + noise"))
    monkeypatch.setattr(robust, "METHODS", robust.STORED)
    measured = robust.one_seed(0)
    robust.scores.save("models/emoji_robust.json", robust.scores.join([measured]), "a test")
    models, read = robust.load()
    assert all(not model.training for model in models.values())
    for key, share in robust.measure(models, 0).items():
        assert share == pytest.approx(read.mean(*key), abs=0.02)
    again = robust.train(["early gate + noise"], 0, progress=False)["early gate + noise"].state_dict()
    for name, weights in models["early gate + noise"].state_dict().items():
        torch.testing.assert_close(weights, again[name], rtol=1e-3, atol=1e-4)
