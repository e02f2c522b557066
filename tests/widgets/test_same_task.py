"""The figures of the first lesson draw what they are given, say it in words, and refuse what they cannot draw."""

import pytest
import torch

from workbench.drawing import style
from workbench.widgets.same_task import show_depth, show_pictures, show_signals, show_slopes, summary


@pytest.fixture
def shown(monkeypatch):
    """What was shown: (figure, alt) of each."""
    kept = []
    monkeypatch.setattr(style, "show", lambda figure, alt: kept.append((figure, alt)))
    yield kept
    import matplotlib.pyplot as plt

    plt.close("all")


def test_summary_is_in_percent_with_the_spread_of_a_sample():
    assert summary([0.5, 0.7]) == pytest.approx((60.0, 14.1421), abs=1e-3)
    assert summary([0.25]) == (25.0, 0.0)


def test_signals_and_pictures_fill_a_grid(shown):
    show_signals({"one": torch.rand(3, 8), "two": torch.rand(3, 8)})
    show_pictures({"one": torch.rand(2, 4, 5), "two": torch.rand(2, 4, 5)}, ["Coat", "Bag"])
    (signals, told), (pictures, named) = shown
    assert len(signals.axes) == 6
    assert len(pictures.axes) == 4
    assert "one" in told
    assert "two" in told
    assert "Coat" in named
    assert "Bag" in named


@pytest.mark.parametrize(
    "rows", [{}, {"one": torch.rand(0, 8)}, {"one": torch.rand(2, 8), "two": torch.rand(3, 8)}]
)
def test_rows_must_be_equally_long_and_not_empty(rows, shown):
    with pytest.raises(ValueError, match="rows"):
        show_signals(rows)
    assert not shown


def test_pictures_need_a_name_each(shown):
    with pytest.raises(ValueError, match="names"):
        show_pictures({"one": torch.rand(2, 4, 4)}, ["Coat"])


def test_slopes_name_every_model_and_keep_its_color(shown):
    first = {"MLP": {"before": [0.5, 0.5], "after": [0.5, 0.6]}, "other": {"before": [0.9], "after": [0.5]}}
    second = {"other": {"small": [0.4], "large": [0.3]}}
    show_slopes({"First": first, "Second": second})
    ((figure, alt),) = shown
    labels = {text.get_text(): text.get_color() for place in figure.axes for text in place.texts}
    assert {"MLP 55 %", "other 50 %", "other 30 %"} <= set(labels)
    assert labels["other 50 %"] == labels["other 30 %"] != labels["MLP 55 %"]
    assert "MLP 50 % before, 55 % after" in alt
    heights = [text.xyann[1] + text.xy[1] for text in figure.axes[0].texts if hasattr(text, "xyann")]
    assert len(set(heights)) == len(heights), "labels stand apart"


def test_depth_says_how_wide_each_stack_is(shown):
    show_depth({"plain": {1: [0.5, 0.4], 8: [0.1, 0.1]}, "residual": {1: [0.5], 8: [0.4]}}, {1: 69, 8: 29})
    ((figure, alt),) = shown
    figure.canvas.draw()
    assert [tick.get_text() for tick in figure.axes[0].get_xticklabels()] == ["1\n(69)", "8\n(29)"]
    assert "plain: 1 layers 45 %, 8 layers 10 %" in alt
