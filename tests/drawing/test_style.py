import base64
import io

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

from workbench.drawing import style
from workbench.widgets import base


@pytest.fixture
def shown(monkeypatch):
    """What was displayed, as (data, metadata)."""
    import IPython.display

    calls = []
    monkeypatch.setattr(
        IPython.display, "display", lambda data, metadata, raw: calls.append((data, metadata))
    )
    return calls


def plot():
    with mpl.rc_context():
        style.use()
        figure, axes = plt.subplots()
        axes.plot([1, 2, 3], [2, 1, 3])
        style.direct_label(axes, 3, 3, "measured", style.INKS[0])
        axes.set(xlabel="seconds (s)")
    return figure


def test_inks_can_be_read_on_white_and_fills_could_not():
    assert style.contrast("#000000") == pytest.approx(21)
    assert style.contrast("#ffffff") == pytest.approx(1)
    assert style.contrast("#0072b2", "#ffffff") == style.contrast("#ffffff", "#0072b2")
    assert all(style.contrast(ink) >= 3 for ink in (*style.INKS, style.QUIET))
    assert all(style.contrast(text) >= 4.5 for text in (style.INK, style.QUIET, style.BLUE))
    assert all(style.contrast(fill) < 3 for fill in style.FILLS)
    assert len({*style.INKS, *style.FILLS}) == 7
    assert len(style.MARKERS) >= len(style.INKS)


def test_neutral_colors_follow_the_theme():
    rules = (base.HERE / "base.css").read_text(encoding="utf-8")
    for color in (style.INK, style.QUIET, style.EDGE, style.PAPER):
        assert f'[fill="{color}"]' in rules
        assert f'[stroke="{color}"]' in rules


def test_show_displays_a_png_with_its_words_and_closes_the_figure(shown):
    figure = plot()
    with mpl.rc_context():
        style.use()
        style.show(figure, alt="A line that falls and rises.")
    data, metadata = shown[0]
    assert metadata["image/png"]["alt"] == "A line that falls and rises."
    png = base64.b64decode(data["image/png"])
    picture = plt.imread(io.BytesIO(png))
    assert picture.shape[2] == 4
    # drawn in 150 dots an inch, shown as if in 100
    assert metadata["image/png"]["width"] == round(picture.shape[1] / 1.5)
    assert metadata["image/png"]["height"] == round(picture.shape[0] / 1.5)
    assert b"Software" not in png
    assert figure.number not in plt.get_fignums()


def test_the_same_figure_gives_the_same_bytes(shown):
    style.show(plot(), alt="once")
    style.show(plot(), alt="twice")
    assert shown[0][0] == shown[1][0]


@pytest.mark.parametrize("alt", ["", " ", None])
def test_show_refuses_a_figure_without_words(alt, shown):
    figure = plot()
    with pytest.raises(ValueError, match="alt"):
        style.show(figure, alt=alt)
    assert not shown
    plt.close(figure)


def test_use_gives_curves_a_color_and_a_marker_each():
    with mpl.rc_context():
        style.use()
        figure, axes = plt.subplots()
        lines = [axes.plot([0, 1], [i, i])[0] for i in range(len(style.INKS))]
        assert len({line.get_color() for line in lines}) == len(style.INKS)
        assert len({line.get_marker() for line in lines}) == len(style.INKS)
        plt.close(figure)
