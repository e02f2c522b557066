"""Help for tests of pictures: is the SVG well formed, does every text lie inside, does none cover another?"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from xml.etree import ElementTree

import pytest

from workbench.drawing.ink_png import text_width
from workbench.widgets import Scene, Text

SVG = "{http://www.w3.org/2000/svg}"
Box = tuple[float, float, float, float]  # left, top, right, bottom


@pytest.fixture(scope="session")
def texts() -> Callable[[Scene], list[str]]:
    """Every text of a picture, as a browser finds it in the SVG."""
    return lambda scene: [node.text or "" for node in parsed(scene).iter(f"{SVG}text")]


@pytest.fixture(scope="session")
def readable() -> Callable[[Scene], None]:
    """Asserts that a picture is well formed and named, with every text inside it and none over another."""
    return assert_readable


def parsed(scene: Scene) -> ElementTree.Element:
    return ElementTree.fromstring(scene.svg())


def box(text: Text) -> Box:
    """The rectangle a text covers, from the font's own metrics."""
    width = text_width(text.text, text.size, text.weight, text.code)
    left = text.x - {"start": 0.0, "middle": width / 2, "end": width}[text.anchor]
    return left, text.y - 0.74 * text.size, left + width, text.y + 0.2 * text.size


def assert_readable(scene: Scene) -> None:
    assert parsed(scene).get("aria-label") == scene.alt
    written = [shape for shape in scene.shapes if isinstance(shape, Text) and shape.text.strip()]
    for text in written:
        left, top, right, bottom = box(text)
        inside = (
            left >= 0 and right <= scene.width and top >= scene.top and bottom <= scene.top + scene.height
        )
        assert inside, f"{text.text!r} leaves the picture: {box(text)}"
    for one, other in combinations(written, 2):
        a, b = box(one), box(other)
        apart = a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
        assert apart, f"{one.text!r} covers {other.text!r}"
