"""The block tower says that blocks fit exactly when arithmetic says so, and shows PyTorch's words when not."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from workbench.drawing.shapes import Rect, Text
from workbench.widgets.block_tower import JOINTS, TRUNK_WIDTH, block_tower, frame, stack

cuts = st.integers(1, 8).map(lambda steps: 8 * steps)


@given(picture=cuts, name=cuts, joint=st.sampled_from(sorted(JOINTS)))
def test_fits_exactly_when_the_widths_say_so(picture, name, joint):
    fits = picture == name == TRUNK_WIDTH if joint == "add" else picture + name == TRUNK_WIDTH
    assert (stack(picture, name, joint) == "") == fits
    words = [shape.text for shape in frame({"picture": picture, "name": name, "joint": joint}).shapes
             if isinstance(shape, Text)]  # fmt: skip
    assert ("It fits." in words) == fits


@given(picture=cuts, name=cuts, joint=st.sampled_from(sorted(JOINTS)))
def test_nothing_is_drawn_outside_the_picture(picture, name, joint):
    scene = frame({"picture": picture, "name": name, "joint": joint})
    for shape in scene.shapes:
        if isinstance(shape, Rect):
            assert shape.x >= 0
            assert shape.x + shape.width <= scene.width
            assert shape.y + shape.height <= scene.height


def test_shows_the_message_a_reader_would_meet():
    with pytest.raises(RuntimeError) as raised:
        torch.nn.Linear(TRUNK_WIDTH, 8)(torch.zeros(1, 48))
    assert stack(32, 16, "concatenate") == str(raised.value)


def test_the_first_frame_does_not_fit_so_that_there_is_something_to_do():
    assert "do not match" in block_tower().figure().alt
