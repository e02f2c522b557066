"""The emoji experiment: the stored models give the stored figures, and a live one learns."""

import shutil
from argparse import Namespace

import pytest
import torch

from workbench.data import assets_folder, load_emoji, read_asset, write_asset
from workbench.mixing import experiment
from workbench.mixing.experiment import AMOUNTS, FUSIONS, build, examples, load, measure, spoil, train
from workbench.training import evaluate, fit

CLEAN = ("none", 0.0)


@pytest.fixture(scope="module")
def stored():
    return load()


def test_the_stored_models_give_the_stored_accuracies(stored):
    models, comparison = stored
    measured = measure(models, noise_seed=0)
    assert measured.keys() == comparison.accuracies.keys()
    # another CPU may take sums in another order: some of 341 items may fall on the other side, not many
    assert all(abs(share - comparison.accuracies[key][0]) <= 0.02 for key, share in measured.items())


def test_the_stored_figures_have_the_shape_that_was_promised(stored):
    results = stored[1].results()
    spoiled = {
        (fusion, corrupted, a) for fusion in FUSIONS for corrupted in ("picture", "name") for a in AMOUNTS
    }
    assert results.keys() == spoiled | {(fusion, *CLEAN) for fusion in FUSIONS}
    assert all(0 <= mean <= 1 and spread >= 0 for mean, spread in results.values())
    assert all(len(by_seed) >= 5 for by_seed in stored[1].accuracies.values())


def test_what_the_lesson_says(stored):
    results, difference = stored[1].results(), stored[1].difference
    for fusion in ("early", "late", "hybrid"):  # every fusion beats either modality alone, beyond the spread
        for alone in ("picture only", "name only"):
            gain, spread = difference(fusion, alone)
            assert gain > 2 * spread
        loss, spread = difference(
            "name only", fusion, "picture", 0.5
        )  # and falls below the name, if the picture rots
        assert loss > 2 * spread
    assert results["name only", "picture", 1.0] == results["name only", *CLEAN]
    gap, spread = difference("early", "late")  # no more than its own spread: not shown
    assert gap < 2 * spread


def test_late_is_the_two_single_classifiers_and_nothing_more(stored):
    models, _ = stored
    test = load_emoji().test
    alone = [models[name](examples(test, name)[0]).softmax(-1) for name in ("picture only", "name only")]
    pictures, names, _ = examples(test, "late")
    torch.testing.assert_close(models["late"](pictures, names).exp(), (alone[0] + alone[1]) / 2)


def test_a_model_trained_live_is_the_same_at_the_same_seed_and_learns(monkeypatch):
    monkeypatch.setattr(experiment, "EPOCHS", 6)
    first, again, other = (train(seed, ["name only"], progress=False)["name only"] for seed in (0, 0, 1))
    weights, same, different = (model.state_dict() for model in (first, again, other))
    assert all(torch.equal(weights[name], same[name]) for name in weights)
    assert not torch.equal(weights["1.weight"], different["1.weight"])
    assert measure({"name only": first})["name only", *CLEAN] > 0.35  # the largest class is 0.226


def test_pictures_teach_too():
    part = load_emoji().train
    model = build("picture only")
    seen = tuple(values[::4] for values in examples(part, "picture only"))
    history = fit(model, seen, epochs=3, batch=32, learning_rate=3e-3, progress=False)
    assert history[-1].loss < 0.9 * history[0].loss
    assert evaluate(model, seen)[1] > 0.3


def test_spoiling_touches_one_modality_only():
    test = load_emoji().test
    noisy = spoil(test, "picture", 0.5)
    assert noisy.names == test.names
    assert not torch.equal(noisy.pictures, test.pictures)
    noisy = spoil(test, "name", 0.5)
    assert torch.equal(noisy.pictures, test.pictures)
    assert noisy.names != test.names


def test_an_unknown_fusion_is_refused():
    with pytest.raises(ValueError, match=r"fusion: expected one of picture only, .* got 'sideways'"):
        build("sideways")


def test_the_command_writes_what_load_reads(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    for name in ("SHA256SUMS", "emoji32.npz"):
        shutil.copy(assets_folder() / "data" / name, tmp_path / "data")
    monkeypatch.setenv("WORKBENCH_ASSETS", str(tmp_path))
    monkeypatch.setattr(experiment, "EPOCHS", 1)
    monkeypatch.setattr(experiment, "AMOUNTS", (0.0, 1.0))
    threads = torch.get_num_threads()
    try:
        experiment.main(["--seeds", "1", "--threads", "1"])
    finally:
        torch.set_num_threads(threads)
    models, comparison = load()
    assert list(models) == list(FUSIONS)
    assert all(not model.training for model in models.values())
    assert comparison.results()["early", "name", 1.0][1] == 0.0  # one seed: no spread


def test_late_alone_is_refused():
    with pytest.raises(ValueError, match='fusions: "late" is made of'):
        train(0, ["late"], progress=False)


def test_a_report_reads_back_as_what_was_measured(stored, tmp_path, monkeypatch):
    weights = read_asset("models/emoji_fusion.safetensors")
    monkeypatch.setenv("WORKBENCH_ASSETS", str(tmp_path))
    text = experiment.report(stored[1], Namespace(seeds=5, threads=1))
    write_asset("models/emoji_fusion.json", text.encode())
    write_asset("models/emoji_fusion.safetensors", weights)
    assert load()[1] == stored[1]


def test_the_models_stay_small():
    assert sum(path.stat().st_size for path in (assets_folder() / "models").iterdir()) < 3_000_000
