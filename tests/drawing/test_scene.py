import base64
import io
from xml.etree import ElementTree

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.drawing.ink_png import text_width
from workbench.widgets import Circle, Line, Polyline, Rect, Scene, Text

SVG = "{http://www.w3.org/2000/svg}"

coordinate = st.floats(-50, 250, allow_nan=False)
word = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=12)
paint = {
    "fill": st.sampled_from(["none", "#0072b2"]),
    "stroke": st.sampled_from(["none", "#d55e00"]),
    "stroke_width": st.floats(0.5, 6),
    "opacity": st.floats(0, 1),
    "dash": st.sampled_from([(), (3.0, 2.0)]),
}
points = st.lists(st.tuples(coordinate, coordinate), min_size=1, max_size=5).map(tuple)
side = st.floats(0, 90)
shapes = st.one_of(
    st.builds(Rect, coordinate, coordinate, side, side, radius=st.floats(0, 60), **paint),
    st.builds(Circle, coordinate, coordinate, side, **paint),
    st.builds(Line, *[coordinate] * 4, marker=st.sampled_from(["", "arrow"]), **paint),
    st.builds(
        Polyline, points, closed=st.booleans(), marker=st.sampled_from(["", "o", "s", "^", "D"]), **paint
    ),
    st.builds(
        Text,
        coordinate,
        coordinate,
        word,
        st.floats(6, 30),
        anchor=st.sampled_from(["start", "middle", "end"]),
    ),
)


def pixels(scene: Scene, scale: float = 1.0) -> np.ndarray:
    return plt.imread(io.BytesIO(scene.png(scale)))


@settings(max_examples=60, deadline=None)
@given(st.lists(shapes, max_size=5), word.filter(str.strip))
def test_any_scene_is_well_formed_xml_that_keeps_its_words(drawn, alt):
    scene = Scene(200, 100, drawn, alt)
    root = ElementTree.fromstring(scene.svg())
    assert root.get("role") == "img"
    assert root.get("aria-label") == alt
    assert [node.text or "" for node in root.iter(f"{SVG}text")] == [
        s.text for s in drawn if isinstance(s, Text)
    ]
    assert len(list(root)) >= len(drawn)


@settings(max_examples=12, deadline=None)
@given(st.lists(shapes.filter(lambda s: not isinstance(s, Text)), max_size=5))
def test_any_scene_is_a_png_of_its_size(drawn):
    assert pixels(Scene(200, 100, drawn, "shapes")).shape == (100, 200, 4)


def test_both_inks_put_shapes_in_the_same_place():
    scene = Scene(
        80, 60, (Rect(10, 20, 30, 15, fill="#0072b2"), Circle(60, 40, 8, fill="#d55e00")), "box and disc"
    )
    picture = pixels(scene)
    blue, red = picture[27, 25], picture[40, 60]
    assert blue[:3] == pytest.approx([0, 0x72 / 255, 0xB2 / 255], abs=0.01)
    assert red[:3] == pytest.approx([0xD5 / 255, 0x5E / 255, 0], abs=0.01)
    assert picture[10, 25, :3] == pytest.approx([1, 1, 1])
    assert '<rect x="10" y="20" width="30" height="15"' in scene.svg()
    assert '<circle cx="60" cy="40" r="8"' in scene.svg()


def test_top_moves_the_upper_edge_in_both_inks():
    scene = Scene(80, 60, (Rect(0, -20, 80, 10, fill="#0072b2"),), "a bar above zero", top=-20)
    assert 'viewBox="0 -20 80 60"' in scene.svg()
    assert pixels(scene)[5, 40, 2] == pytest.approx(0xB2 / 255, abs=0.01)


def test_equal_scenes_give_equal_bytes_whatever_style_the_reader_has_set():
    scene = Scene(
        120, 50, (Text(5, 30, "$5 < 6 & more"), Line(5, 40, 90, 40, marker="arrow")), "a line of text"
    )
    same = Scene(
        120, 50, (Text(5, 30, "$5 < 6 & more"), Line(5, 40, 90, 40, marker="arrow")), "a line of text"
    )
    before = scene.png()
    with mpl.rc_context(
        {"font.family": "serif", "axes.facecolor": "red", "text.usetex": False, "font.size": 30}
    ):
        assert same.png() == before
        assert mpl.rcParams["font.size"] == 30  # the reader's style is given back
    assert same.svg() == scene.svg()
    assert b"Software" not in before


def test_later_shapes_lie_above_earlier_ones():
    below, above = Rect(0, 0, 20, 20, fill="#d55e00"), Rect(0, 0, 20, 20, fill="#0072b2")
    picture = pixels(Scene(20, 20, (below, above), "blue over red"))
    assert picture[10, 10, 2] > picture[10, 10, 0]


@pytest.mark.parametrize("alt", ["", "   ", None])
def test_a_picture_without_words_is_refused(alt):
    with pytest.raises(ValueError, match="alt"):
        Scene(10, 10, (), alt)


@pytest.mark.parametrize(("width", "height"), [(0, 10), (10, -1), (float("nan"), 10)])
def test_a_picture_without_area_is_refused(width, height):
    with pytest.raises(ValueError, match="positive"):
        Scene(width, height, (), "nothing")


@pytest.mark.parametrize(
    "shape",
    [Line(0, 0, 5, 5, marker="o"), Polyline(((0, 0), (5, 5)), marker="arrow")],
    ids=["line", "polyline"],
)
def test_unknown_markers_are_named(shape):
    with pytest.raises(ValueError, match="marker"):
        Scene(10, 10, (shape,), "a line").svg()


def test_an_arrow_ends_at_its_point_and_a_marker_stands_on_its_own():
    line, head = Scene(50, 50, (Line(5, 10, 40, 10, marker="arrow"),), "an arrow").drawn()
    assert head.points[0] == (40, 10)
    assert line.x2 < 40  # the stroke ends inside the head, whose tip stays sharp
    curve = Polyline(((5, 5), (20, 30)), marker="o")
    marks = [shape for shape in Scene(50, 50, (curve,), "a curve").drawn() if isinstance(shape, Circle)]
    assert [(mark.x, mark.y) for mark in marks] == [(5, 5), (20, 30)]


def test_a_notebook_gets_png_with_alternative_text_and_size():
    data, metadata = Scene(120, 50, (Text(5, 30, "hello"),), "the word hello")._repr_mimebundle_()
    assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")
    assert metadata["image/png"] == {"alt": "the word hello", "width": 120, "height": 50}
    assert data["text/plain"] == "Scene(120 × 50)"


def test_text_width_grows_with_letters_size_and_weight():
    assert text_width("", 12) == 0
    assert text_width("mm", 12) > text_width("m", 12) > text_width("i", 12)
    assert text_width("memory", 24) == pytest.approx(2 * text_width("memory", 12), rel=0.02)
    assert text_width("memory", 12, "bold") > text_width("memory", 12)
