"""Pictures as data: a scene of shapes that draws itself as SVG for a browser and as PNG for a page.

Start with `shapes.py` (the five shapes), then `scene.py` (a picture and its two inks); `style.py` has the colors and
the house style of matplotlib figures.
"""

from workbench.drawing.scene import Scene
from workbench.drawing.shapes import Circle, Line, Polyline, Rect, Text

__all__ = ["Circle", "Line", "Polyline", "Rect", "Scene", "Text"]
