"""House style: one palette, one look for matplotlib, and no picture without words.

The palette is Okabe and Ito's (*Color Universal Design*, 2008, https://jfly.uni-koeln.de/color/), which
readers with any common color blindness can tell apart. Not every color of it is dark enough to be *read* on
white. The Web Content Accessibility Guidelines (WCAG 2.2, success criteria 1.4.3 and 1.4.11) ask for a contrast of
3 : 1 for lines and large text, so the palette comes in two groups: `INKS` for lines and text, `FILLS` for areas only.
Color is never the only sign: curves carry markers and their name beside them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text

# Neutral colors. In a widget, base.css swaps these four for the theme's own.
INK = "#1f2328"
QUIET = "#59636e"
EDGE = "#c4cbd3"
PAPER = "#ffffff"

# Okabe and Ito's colors
BLUE = "#0072b2"
VERMILLION = "#d55e00"
GREEN = "#009e73"
PURPLE = "#cc79a7"
ORANGE = "#e69f00"
SKY = "#56b4e9"
YELLOW = "#f0e442"

INKS = (BLUE, VERMILLION, GREEN, PURPLE)  # 3 : 1 or more against white
FILLS = (ORANGE, SKY, YELLOW)  # areas only
MARKERS = ("o", "s", "^", "D")  # beside the color, for curves


def contrast(one: str, other: str = PAPER) -> float:
    """Contrast ratio of two `#rrggbb` colors, 1 (equal) to 21 (black on white); WCAG 2.2, "contrast ratio"."""

    def luminance(color: str) -> float:
        shares = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def use() -> None:
    """Set matplotlib's defaults to the house style: quiet axes, readable text, the palette's lines and markers."""
    import matplotlib as mpl
    from cycler import cycler

    mpl.rcParams.update(
        {
            "axes.prop_cycle": cycler(color=INKS, marker=MARKERS),
            "axes.edgecolor": QUIET,
            "axes.labelcolor": INK,
            "axes.titlelocation": "left",
            "axes.titleweight": "bold",
            "axes.titlesize": 12,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.axisbelow": True,
            "grid.color": EDGE,
            "grid.linewidth": 0.6,
            "lines.linewidth": 2.0,
            "lines.markersize": 6,
            "text.color": INK,
            "xtick.color": QUIET,
            "ytick.color": QUIET,
            "xtick.labelcolor": INK,
            "ytick.labelcolor": INK,
            "font.family": "DejaVu Sans",  # comes with matplotlib: the same picture on every machine
            "font.size": 11,
            "figure.figsize": (7.5, 4.0),
            "figure.dpi": 100,
            "savefig.dpi": 150,
            "figure.constrained_layout.use": True,
        }
    )


def direct_label(axes: Axes, x: float, y: float, text: str, color: str = INK, **options: Any) -> Text:
    """Write a curve's name beside its end, in its color, in place of a legend.

    `x`, `y`: the curve's last point, in data units; `options` go to `axes.annotate`.
    """
    placed = {
        "xytext": (8, 0),
        "textcoords": "offset points",
        "va": "center",
        "fontweight": "bold",
        **options,
    }
    return axes.annotate(text, (x, y), color=color, annotation_clip=False, **placed)


def show(figure: Figure, alt: str) -> None:
    """Display a matplotlib figure as a PNG with its alternative text, and close it.

    `alt` says in words what the picture shows; a notebook keeps it in the output's metadata (`image/png.alt`).
    The same figure gives the same bytes in every run: neither date nor version is written into the file.

    Raises ValueError when `alt` is empty.
    """
    import base64
    import io
    import struct

    import matplotlib.pyplot as plt
    from IPython.display import display

    if not isinstance(alt, str) or not alt.strip():
        raise ValueError(f"alt must say in words what the picture shows, got {alt!r}")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    plt.close(figure)
    content = buffer.getvalue()
    dots = plt.rcParams["savefig.dpi"]
    shown = 1 if dots == "figure" else figure.dpi / dots  # a picture of finer dots is no larger on the page
    width, height = (
        round(side * shown) for side in struct.unpack(">II", content[16:24])
    )  # behind PNG's head
    metadata = {"alt": alt, "width": width, "height": height}
    png = base64.b64encode(content).decode("ascii")
    display({"image/png": png}, metadata={"image/png": metadata}, raw=True)
