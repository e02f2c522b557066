"""Means, spreads, differences seed by seed, and what a few seeds can show."""

import pytest
import torch

from workbench.data import read_asset
from workbench.mixing import scores
from workbench.mixing.scores import Scores

MEASURED = Scores(
    {
        ("gate", "clean"): [0.60, 0.70, 0.80],
        ("gate", "noise"): [0.50, 0.40, 0.45],
        ("concat", "clean"): [0.55, 0.66, 0.74],  # below the gate with every seed, though the ranges overlap
    }
)


def test_means_and_spreads_over_seeds():
    assert MEASURED.mean("gate", "clean") == pytest.approx(0.7)
    assert MEASURED.spread("gate", "clean") == pytest.approx(0.1)
    assert Scores({("a", "b"): [0.3]}).spread("a", "b") == 0
    assert (MEASURED.methods, MEASURED.conditions) == (["gate", "concat"], ["clean", "noise"])


def test_differences_are_taken_seed_by_seed():
    difference, spread = MEASURED.difference("gate", "concat", "clean")
    assert difference == pytest.approx(0.05)
    assert spread == pytest.approx(0.01)
    assert MEASURED.shown("gate", "concat", "clean")
    assert MEASURED.shown("concat", "gate", "clean")


def test_what_is_shown_is_where_students_interval_leaves_zero_out():
    luck = Scores({("a", "x"): [0.6, 0.5, 0.7, 0.4, 0.6], ("b", "x"): [0.5, 0.6, 0.6, 0.4, 0.5]})
    assert not luck.shown("a", "b", "x")
    # five differences of mean 1 and spread s: t·s/√5 = 1 at s = 0.8055
    for spread, shown in ((0.80, True), (0.81, False)):
        values = torch.tensor([-1.0, -1, 0, 1, 1])
        differences = (1 + spread * values / values.std()).tolist()
        assert Scores({("a", "x"): differences, ("b", "x"): [0.0] * 5}).shown("a", "b", "x") is shown
    assert not Scores({("a", "x"): [0.9], ("b", "x"): [0.1]}).shown("a", "b", "x"), "one seed shows nothing"


def test_a_table_in_percent_leaves_out_what_was_not_measured():
    lines = repr(MEASURED).split("\n")
    assert lines[0].split("  ")[0] == "% right"
    assert "70.0 ± 10.0" in lines[1]
    assert "45.0 ± 5.0" in lines[1]
    assert lines[2].strip().endswith("65.0 ± 9.5")
    html = Scores({("<a>", "b"): [0.5]})._repr_html_()
    assert "&lt;a&gt;" in html
    assert "50.0 ± 0.0" in html


def test_what_was_not_measured_is_named():
    with pytest.raises(
        ValueError, match="no score of 'concat' under 'noise'; there are methods gate, concat; cond"
    ):
        MEASURED.mean("concat", "noise")


def test_what_is_saved_is_read_back(tmp_path, monkeypatch):
    (tmp_path / "models").mkdir()
    monkeypatch.setenv("WORKBENCH_ASSETS", str(tmp_path))
    scores.save("models/some.json", MEASURED, "python -m some")
    assert scores.load("models/some.json") == MEASURED
    assert b"python -m some" in read_asset("models/some.json")


def test_a_command_measures_seed_after_seed_and_writes(tmp_path, monkeypatch, capsys):
    (tmp_path / "models").mkdir()
    monkeypatch.setenv("WORKBENCH_ASSETS", str(tmp_path))
    threads = torch.get_num_threads()
    arguments = ["--seeds", "3", "--threads", str(threads)]
    made = scores.command("some.module", "models/some.json", lambda seed: {("a", "b"): seed / 10}, arguments)
    assert made == scores.load("models/some.json") == Scores({("a", "b"): [0.0, 0.1, 0.2]})
    assert "10.0 ± 10.0" in capsys.readouterr().out


def test_some_methods_alone_in_the_order_given():
    scores = Scores({("a", "x"): [0.1], ("b", "x"): [0.2], ("b", "y"): [0.3], ("c", "x"): [0.4]})
    chosen = scores.of(["c", "b"])
    assert chosen.methods == ["c", "b"]
    assert chosen.by_seed == {("c", "x"): [0.4], ("b", "x"): [0.2], ("b", "y"): [0.3]}
    with pytest.raises(ValueError, match=r"methods: .*\['d'\]"):
        scores.of(["a", "d"])
