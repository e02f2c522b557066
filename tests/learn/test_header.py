"""The opening line."""

import pytest

from workbench.learn import header


def test_track_level_minutes_and_what_is_assumed(shown):
    header("3_fusion/1_easy", minutes=40, assumes=["0_start", "a & b"])
    assert repr(shown[0]) == "fusion · easy · 40 minutes · assumes 0_start, a & b"
    assert "a &amp; b" in shown[0]._repr_html_()


def test_assumes_nothing(shown):
    header("0_start", 10)
    assert repr(shown[0]) == "start · 10 minutes · assumes nothing"


def test_bad_input_is_named():
    with pytest.raises(ValueError, match=r"^minutes:"):
        header("0_start", 0)
    with pytest.raises(TypeError, match=r"^assumes:"):
        header("0_start", 10, "Python")
