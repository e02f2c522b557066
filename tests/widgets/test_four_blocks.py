"""The picture of the four blocks shows as many lines as its words say."""

from workbench.drawing import Circle, Line, Text
from workbench.widgets.four_blocks import COUNT, WIDTH, attention, convolution, four_blocks, linear, recurrent


def place(i):
    return 10.0 * i


def test_each_block_has_the_lines_of_what_it_reads():
    assert len(linear(place)) == len(attention(place)) == COUNT * COUNT
    assert len(convolution(place)) == 3 * COUNT - 2  # nothing beyond the ends
    assert len(recurrent(place)) == 2 * COUNT - 1


def test_shared_weights_share_a_color():
    assert len({line.stroke for line in convolution(place)}) == 3
    assert len({line.stroke for line in recurrent(place)}) == 2


def test_the_scene_draws_all_four_inside_its_frame_and_says_so():
    scene = four_blocks()
    assert sum(isinstance(shape, Circle) for shape in scene.shapes) == 4 * 2 * COUNT
    for title in ("Linear", "Convolution", "Recurrent", "Attention"):
        assert title in scene.alt
        assert any(isinstance(shape, Text) and title in shape.text for shape in scene.shapes)
    ends = [x for shape in scene.shapes if isinstance(shape, Line) for x in (shape.x1, shape.x2)]
    assert 0 < min(ends) < max(ends) < WIDTH
    assert scene.png().startswith(b"\x89PNG")
