"""The experiment: the stored table and model agree, the command goes on where it stopped, a live run lands near."""

import pytest
import torch

from workbench.data import load_cmudict, read_asset
from workbench.pronounce import BASE, RECIPE, VARIANTS, Recipe, choose, measure
from workbench.pronounce.experiment import RESULTS, load_model, load_results, main, run

TINY = Recipe(words=120, batch=32, legs=((1, 5e-3),))


@pytest.fixture(scope="module")
def table():
    return load_results()


@pytest.fixture
def empty_assets(tmp_path, monkeypatch, small_dictionary):
    monkeypatch.setenv("WORKBENCH_ASSETS", str(tmp_path))


def test_every_variant_was_trained_by_this_recipe_over_seeds(table):
    assert table.variants == list(VARIANTS)
    assert table.head["recipe"] == {
        "words": RECIPE.words,
        "batch": RECIPE.batch,
        "legs": [list(leg) for leg in RECIPE.legs],
    }
    for variant in VARIANTS:
        runs = table.of(variant)
        assert [run.seed for run in runs] == list(range(len(runs)))
        assert len(runs) >= 5
        assert table.spread(variant)[1] > 0  # seeds do differ


def test_every_run_took_less_than_a_minute(table):
    assert all(0 < run.cpu_seconds < 60 for run in table.runs)


def test_the_stored_model_is_the_one_in_the_table(table):
    errors = measure(load_model(), choose(load_cmudict().test))
    first = table.of(BASE)[0]
    # another CPU may take sums in another order: a few sounds of 10,000 may fall on the other side
    assert errors.phoneme == pytest.approx(first.phoneme_error, abs=2e-3)
    assert errors.word == pytest.approx(first.word_error, abs=6e-3)


@pytest.mark.parametrize("variant", [variant for variant in VARIANTS if variant != "none"])
def test_any_attention_beats_none_far_beyond_the_spread(table, variant):
    gain, spread = table.difference("none", variant)
    assert gain > 0.03
    assert gain > 5 * spread


def test_which_differences_are_shown(table):
    for worse in ("dot-product", "transformer encoder", "step by step"):
        more, spread = table.difference(worse, BASE)
        assert more > 2 * spread


@pytest.mark.parametrize("variant", ["additive + multi-head", "convolutional encoder"])
def test_which_differences_are_not(table, variant):
    """More parameters, and no more said right than the spread over seeds allows."""
    difference, spread = table.difference(variant, BASE)
    assert abs(difference) < 2 * spread
    assert table.of(variant)[0].parameters > table.of(BASE)[0].parameters


def test_the_command_goes_on_where_it_stopped(empty_assets, capsys):
    main(["--seeds", "1", "--variants", "none", BASE], TINY)
    assert [(r.variant, r.seed) for r in load_results().runs] == [("none", 0), (BASE, 0)]
    before = read_asset(RESULTS)
    main(["--seeds", "1", "--variants", BASE], TINY)
    assert read_asset(RESULTS) == before  # nothing was left to do
    main(["--seeds", "2", "--variants", BASE], TINY)
    assert [(r.variant, r.seed) for r in load_results().runs] == [("none", 0), (BASE, 0), (BASE, 1)]
    assert "| additive |" in capsys.readouterr().out
    assert not load_model().training

    main(["--seeds", "1", "--variants", "none"], Recipe(words=100, batch=32, legs=((1, 5e-3),)))
    assert [(r.variant, r.seed) for r in load_results().runs] == [
        ("none", 0)
    ]  # another recipe: another table


def test_the_command_leaves_the_number_of_threads_alone(empty_assets):
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        main(["--seeds", "1", "--variants", "dot-product"], TINY)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)


def test_an_unknown_variant_is_refused(capsys):
    with pytest.raises(SystemExit):
        main(["--variants", "telepathy"])
    assert "telepathy" in capsys.readouterr().err


@pytest.mark.slow
def test_a_live_run_lands_near_the_stored_ones(table):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        _, live = run("dot-product", seed=100)
    finally:
        torch.set_num_threads(threads)
    mean, spread = table.spread("dot-product")
    assert abs(live.phoneme_error - mean) <= max(4 * spread, 0.02)
