"""Means, spreads and differences that are taken seed by seed."""

import pytest

from workbench.mixing.comparison import Comparison

CLEAN = ("none", 0.0)


def test_results_and_differences():
    measured = Comparison({("early", *CLEAN): [0.6, 0.7, 0.8], ("late", *CLEAN): [0.5, 0.6, 0.7]})
    mean, spread = measured.results()["early", "none", 0.0]
    assert mean == pytest.approx(0.7)
    assert spread == pytest.approx(0.1)
    difference, spread = measured.difference("early", "late")  # each wobbles by 0.1, but always together
    assert difference == pytest.approx(0.1)
    assert spread == pytest.approx(0, abs=1e-9)


def test_one_seed_has_no_spread():
    assert Comparison({("early", *CLEAN): [0.6]}).results() == {("early", "none", 0.0): (0.6, 0.0)}


def test_what_was_not_measured_is_named():
    with pytest.raises(ValueError, match=r"no accuracy of 'late' with 'name' corrupted by 0\.5"):
        Comparison({("late", *CLEAN): [0.6]}).difference("late", "late", "name", 0.5)
