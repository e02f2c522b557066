"""Plain shapes in one coordinate system (x to the right, y down, as in SVG), and a canvas that holds them.

Arrow heads and curve markers are worked out here as ordinary shapes, so that every ink draws the very same points.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from workbench.drawing.style import INK, PAPER

Point = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Painted:
    """How a shape is painted; `opacity` is that of the fill, `dash` the lengths of strokes and gaps."""

    fill: str = "none"
    stroke: str = "none"
    stroke_width: float = 1.0
    opacity: float = 1.0
    dash: tuple[float, ...] = ()


@dataclass(frozen=True)
class Rect(Painted):
    """A rectangle by its upper left corner; `radius` rounds its corners."""

    x: float
    y: float
    width: float
    height: float
    radius: float = field(default=0.0, kw_only=True)


@dataclass(frozen=True)
class Circle(Painted):
    """A circle by its center."""

    x: float
    y: float
    radius: float


@dataclass(frozen=True)
class Line(Painted):
    """A straight line; `marker="arrow"` ends it in an arrow head."""

    x1: float
    y1: float
    x2: float
    y2: float
    stroke: str = field(default=INK, kw_only=True)
    stroke_width: float = field(default=1.5, kw_only=True)
    marker: str = field(default="", kw_only=True)


@dataclass(frozen=True)
class Polyline(Painted):
    """A line through points, or with `closed` a polygon; `marker` ("o", "s", "^", "D") is set on each point."""

    points: tuple[Point, ...]
    stroke: str = field(default=INK, kw_only=True)
    stroke_width: float = field(default=1.5, kw_only=True)
    closed: bool = field(default=False, kw_only=True)
    marker: str = field(default="", kw_only=True)


@dataclass(frozen=True)
class Text:
    """One line of text; `y` is its base line, `anchor` what of it stands at `x`: "start", "middle" or "end".

    With `code` all letters are equally wide, and spaces are kept.
    """

    x: float
    y: float
    text: str
    size: float = 13.0
    fill: str = INK
    anchor: str = "start"
    weight: str = "normal"
    code: bool = field(default=False, kw_only=True)


Shape = Rect | Circle | Line | Polyline | Text


@dataclass(frozen=True, repr=False)
class Canvas:
    """Shapes on `width` × `height` units (pixels at natural size), and in `alt` what they show in words.

    `top` is the y of the upper edge: a negative one leaves room above for a heading.

    Raises ValueError when `alt` is empty or a side is not positive.
    """

    width: float
    height: float
    shapes: tuple[Shape, ...]
    alt: str
    top: float = 0.0

    def __post_init__(self) -> None:
        if not isinstance(self.alt, str) or not self.alt.strip():
            raise ValueError(f"alt must say in words what the picture shows, got {self.alt!r}")
        if not (self.width > 0 and self.height > 0):
            raise ValueError(f"width and height must be positive, got {self.width} × {self.height}")
        object.__setattr__(self, "shapes", tuple(self.shapes))

    def drawn(self) -> Iterator[Shape]:
        """The shapes as both inks draw them, each followed by its arrow head or markers."""
        for shape in self.shapes:
            if isinstance(shape, Line) and shape.marker:
                yield from arrow(shape)
                continue
            yield shape
            if isinstance(shape, Polyline) and shape.marker:
                yield from (mark(point, shape.marker, shape.stroke) for point in shape.points)


def arrow(line: Line) -> tuple[Line, Polyline]:
    """A line and a filled triangle whose tip is the line's end; the line stops inside the triangle."""
    if line.marker != "arrow":
        raise ValueError(f'the marker of a Line must be "arrow" or "", got {line.marker!r}')
    angle = math.atan2(line.y2 - line.y1, line.x2 - line.x1)
    length = 5.0 + 2.0 * line.stroke_width

    def back(distance: float, turn: float = 0.0) -> Point:
        return (line.x2 - distance * math.cos(angle + turn), line.y2 - distance * math.sin(angle + turn))

    x2, y2 = back(length / 2)
    head = ((line.x2, line.y2), back(length, 0.42), back(length, -0.42))
    return (
        replace(line, x2=x2, y2=y2, marker=""),
        Polyline(head, stroke=line.stroke, stroke_width=0.5, fill=line.stroke, closed=True),
    )


CORNERS: dict[str, tuple[Point, ...]] = {
    "s": ((-1, -1), (1, -1), (1, 1), (-1, 1)),
    "^": ((0, -1.2), (1.15, 0.9), (-1.15, 0.9)),
    "D": ((0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0)),
}


def mark(point: Point, marker: str, color: str, size: float = 4.5) -> Circle | Polyline:
    """A curve's marker, in matplotlib's letters: "o" disc, "s" square, "^" triangle, "D" diamond."""
    x, y = point
    # the rim in paper color keeps crossing curves apart
    if marker == "o":
        return Circle(x, y, size, fill=color, stroke=PAPER)
    if marker not in CORNERS:
        raise ValueError(f'marker must be "o", "s", "^" or "D", got {marker!r}')
    points = tuple((x + dx * size, y + dy * size) for dx, dy in CORNERS[marker])
    return Polyline(points, stroke=PAPER, stroke_width=1.0, fill=color, closed=True)
