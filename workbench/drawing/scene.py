"""One picture, two inks: a scene is a list of shapes that draws itself as SVG or as PNG.

A widget in a live notebook wants SVG: sharp, small, themed, readable by a screen reader. A stored notebook, a
code host or a printed page wants PNG. Drawing twice by hand would let the two drift apart, so a picture is described
once, as plain data (`shapes.py`), and each ink only transcribes it: `ink_svg.py` and `ink_png.py`. Equal scenes give
equal bytes.
"""

from __future__ import annotations

import base64
from typing import Any

from workbench.drawing import ink_svg
from workbench.drawing.shapes import Canvas


class Scene(Canvas):
    """A picture: a canvas that draws itself."""

    def svg(self) -> str:
        """The picture as an SVG element that scales with the page; `alt` is its accessible name."""
        return ink_svg.draw(self)

    def png(self, scale: float = 2.0) -> bytes:
        """The picture as PNG bytes on white, `scale` pixels a unit."""
        from workbench.drawing.ink_png import draw  # brings matplotlib, half a second: only when needed

        return draw(self, scale)

    def metadata(self) -> dict[str, Any]:
        """What a notebook keeps beside the PNG: the alternative text, and the size at which to show it."""
        return {"alt": self.alt, "width": round(self.width), "height": round(self.height)}

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        png = base64.b64encode(self.png()).decode("ascii")
        return {"text/plain": repr(self), "image/png": png}, {"image/png": self.metadata()}

    def __repr__(self) -> str:
        return f"Scene({self.width:g} × {self.height:g})"
