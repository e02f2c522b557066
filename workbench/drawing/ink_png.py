"""The PNG ink: the same scene through matplotlib, in the same coordinates.

At 72 dots per inch a typographic point is one pixel, so sizes of text and widths of lines mean the same in both inks;
a higher `scale` only sharpens. matplotlib's defaults are restored for the time of drawing, so that a reader's own style
changes no byte.
"""

from __future__ import annotations

import io
from functools import lru_cache

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Circle as CirclePatch
from matplotlib.patches import FancyBboxPatch, Patch, Polygon, Rectangle
from matplotlib.textpath import TextPath

from workbench.drawing.shapes import Canvas, Circle, Line, Painted, Polyline, Rect, Shape, Text
from workbench.drawing.style import PAPER

ANCHORS = {"start": "left", "middle": "center", "end": "right"}


def draw(scene: Canvas, scale: float) -> bytes:
    """The scene as PNG bytes, `scale` pixels a unit; neither date nor version is written into the file."""
    with mpl.rc_context():
        mpl.rcdefaults()
        figure = Figure(figsize=(scene.width / 72, scene.height / 72), dpi=72 * scale, facecolor=PAPER)
        FigureCanvasAgg(figure)
        axes = figure.add_axes((0, 0, 1, 1), frameon=False, xticks=[], yticks=[])
        axes.set(
            xlim=(0, scene.width), ylim=(scene.top + scene.height, scene.top)
        )  # y points down, as in SVG
        for depth, shape in enumerate(scene.drawn()):
            transcribe(shape, axes, depth)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def transcribe(shape: Shape, axes: Axes, depth: int) -> None:
    """Draw one shape; later ones lie above earlier ones."""
    match shape:
        case Rect(x, y, width, height) if shape.radius:
            rounded = f"round,pad=0,rounding_size={min(shape.radius, width / 2, height / 2)}"
            axes.add_patch(painted(FancyBboxPatch((x, y), width, height, boxstyle=rounded), shape, depth))
        case Rect(x, y, width, height):
            axes.add_patch(painted(Rectangle((x, y), width, height), shape, depth))
        case Circle(x, y, radius):
            axes.add_patch(painted(CirclePatch((x, y), radius), shape, depth))
        case Polyline(points):
            axes.add_patch(painted(Polygon(points, closed=shape.closed), shape, depth))
        case Line(x1, y1, x2, y2):
            axes.add_patch(painted(Polygon(((x1, y1), (x2, y2)), closed=False), shape, depth))
        case Text(x, y, text, size, fill, anchor, weight):
            label = axes.text(x, y, text, ha=ANCHORS[anchor], va="baseline", color=fill, zorder=depth)
            label.set(
                family="DejaVu Sans Mono" if shape.code else "DejaVu Sans", fontsize=size, fontweight=weight
            )
            label.set_parse_math(False)  # a dollar sign is a dollar sign


def painted(patch: Patch, shape: Painted, depth: int) -> Patch:
    """A matplotlib patch with the shape's paint."""
    patch.set(facecolor="none" if shape.fill == "none" else mpl.colors.to_rgba(shape.fill, shape.opacity))
    patch.set(edgecolor=shape.stroke, linewidth=shape.stroke_width if shape.stroke != "none" else 0)
    patch.set(capstyle="butt", joinstyle="round", zorder=depth)
    if shape.dash and shape.stroke_width:
        # matplotlib counts dashes in line widths, SVG in units
        patch.set_linestyle((0, tuple(length / shape.stroke_width for length in shape.dash)))
    return patch


@lru_cache(maxsize=4096)
def text_width(text: str, size: float, weight: str = "normal", code: bool = False) -> float:
    """The width of a text in scene units, from DejaVu's own metrics; `code` as in `Text`."""
    if not text.strip():
        return 0.0
    path = TextPath(
        (0, 0),
        text,
        size=size,
        prop=FontProperties(family="DejaVu Sans Mono" if code else "DejaVu Sans", weight=weight),
    )
    return float(path.get_extents().width)
