"""The SVG ink: a scene as one `<svg>` element of plain shapes, every text escaped.

The reference is W3C's *Scalable Vector Graphics 1.1*. The element carries `role="img"` and the scene's words as
`aria-label`, so that a screen reader reads one sentence and not a heap of labels.
"""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

from workbench.drawing.shapes import Canvas, Circle, Line, Painted, Polyline, Rect, Shape, Text

Value = str | float
MONOSPACED = "DejaVu Sans Mono, Menlo, Consolas, monospace"


def draw(scene: Canvas) -> str:
    """The scene as SVG; `viewBox` without width and height lets the page choose the size."""
    box = " ".join(number(n) for n in (0, scene.top, scene.width, scene.height))
    body = "\n".join(transcribe(shape) for shape in scene.drawn())
    font = (
        "DejaVu Sans, Verdana, sans-serif"  # Verdana has nearly the same widths, for machines without DejaVu
    )
    words = {"role": "img", "aria_label": scene.alt, "font_family": font}
    return element("svg", f"\n{body}\n", xmlns="http://www.w3.org/2000/svg", viewBox=box, **words)


def transcribe(shape: Shape) -> str:
    """One shape as one SVG element."""
    match shape:
        case Rect(x, y, width, height):
            return element("rect", "", x=x, y=y, width=width, height=height, rx=shape.radius, **paint(shape))
        case Circle(x, y, radius):
            return element("circle", "", cx=x, cy=y, r=radius, **paint(shape))
        case Line(x1, y1, x2, y2):
            return element("line", "", x1=x1, y1=y1, x2=x2, y2=y2, **paint(shape))
        case Polyline(points):
            path = " ".join(f"{number(x)},{number(y)}" for x, y in points)
            return element("polygon" if shape.closed else "polyline", "", points=path, **paint(shape))
        case Text(x, y, text, size, fill, anchor, weight):
            style: dict[str, Value] = {"fill": fill, "text_anchor": anchor, "font_weight": weight}
            if shape.code:
                style["font_family"] = MONOSPACED
                text = text.replace(" ", "\u00a0")  # two ordinary spaces would be drawn as one
            return element("text", escape(text), x=x, y=y, font_size=size, **style)


def paint(shape: Painted) -> dict[str, Value]:
    """The attributes of a shape's paint, without those that say nothing."""
    attributes: dict[str, Value] = {"fill": shape.fill}
    if shape.opacity != 1:
        attributes["fill_opacity"] = shape.opacity
    if shape.stroke != "none":
        attributes |= {"stroke": shape.stroke, "stroke_width": shape.stroke_width, "stroke_linejoin": "round"}
    if shape.dash:
        attributes["stroke_dasharray"] = " ".join(number(n) for n in shape.dash)
    return attributes


def element(tag: str, content: str, /, **attributes: Value) -> str:
    """An XML element; `_` in an attribute's name stands for `-`. Values are escaped, `content` must be."""
    texts = {name.replace("_", "-"): v if isinstance(v, str) else number(v) for name, v in attributes.items()}
    written = "".join(f" {name}={quoteattr(text)}" for name, text in texts.items())
    return f"<{tag}{written}>{content}</{tag}>" if content else f"<{tag}{written}/>"


def number(value: float) -> str:
    """A coordinate to a hundredth of a unit, without trailing zeros and without a negative zero."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text
