"""The explorer draws what a network really does: held to known factors a layer, and readable in every state."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.drawing.shapes import Circle, Line, Rect, Text
from workbench.drawing.style import BLUE, PAPER, VERMILLION
from workbench.topologies import deep_mlp, gradient_by_layer
from workbench.training import seeded
from workbench.widgets.gradient_flow import (
    EARSHOT,
    FLOOR,
    SIZES,
    frame,
    gradient_flow,
    number,
)
from workbench.widgets.gradient_flow_kit import INITIALIZATIONS, WIRINGS, flow

initializations, wirings = st.sampled_from(list(INITIALIZATIONS)), st.sampled_from(list(WIRINGS))
depths = st.integers(1, 32).map(lambda half: 2 * half)


@pytest.mark.parametrize("depth", [2, 4, 14, 32, 40, 64])
@pytest.mark.parametrize("initialization", INITIALIZATIONS)
@pytest.mark.parametrize("wiring", WIRINGS)
def test_every_picture_is_readable(readable, depth, initialization, wiring):
    assert_readable_and_inside(readable, depth, initialization, wiring)


@settings(max_examples=25, deadline=None)
@given(depth=depths, initialization=initializations, wiring=wirings)
def test_so_are_those_between(readable, depth, initialization, wiring):
    assert_readable_and_inside(readable, depth, initialization, wiring)


def assert_readable_and_inside(readable, depth, initialization, wiring):
    scene = frame({"depth": depth, "initialization": initialization, "wiring": wiring})
    readable(scene)
    for shape in scene.shapes:
        if isinstance(shape, Circle):
            assert shape.radius < shape.x < scene.width - shape.radius
            assert SIZES.end <= shape.y <= FLOOR  # between the top of the scale and the floor
        if isinstance(shape, Rect | Line):
            right = shape.x + shape.width if isinstance(shape, Rect) else shape.x2
            assert right <= scene.width
    for color in (VERMILLION, BLUE):
        assert sum(isinstance(s, Circle) and s.stroke == color for s in scene.shapes) == depth


def test_a_plain_stack_as_torch_starts_it_goes_deaf_and_a_residual_one_with_norm_does_not():
    assert 0 < flow(64, "default", "plain").heard < 1e-20
    for initialization in INITIALIZATIONS:
        assert 1e-3 < flow(64, initialization, "residual with layer norm").heard < 1e3


def test_the_error_fades_by_the_factor_the_initialization_sets():
    """A linear layer with ReLU multiplies the error by √(variance of a weight · width / 2) (He et al., §2.2)."""
    for initialization, factor in (("default", 6**-0.5), ("kaiming", 1.0), ("xavier", 2**-0.5)):
        errors = flow(32, initialization, "plain").errors
        assert (errors[0] / errors[-2]) ** (1 / 30) == pytest.approx(factor, rel=0.05)


def test_deeper_is_never_louder_in_a_plain_default_stack():
    heard = [flow(depth, "default", "plain").heard for depth in (4, 8, 16, 32, 64)]
    assert heard == sorted(heard, reverse=True)


def test_a_residual_stack_without_norm_doubles_its_variance_layer_by_layer():
    activations = flow(64, "kaiming", "residual").activations
    assert (activations[62] / activations[0]) ** (1 / 62) == pytest.approx(2**0.5, rel=0.05)
    assert flow(64, "kaiming", "residual").heard > EARSHOT


def test_the_errors_are_those_of_the_library():
    with seeded(0):
        model = deep_mlp(64, 7, "residual", "layer", "xavier", outputs=10)
        x, target = torch.randn(64, 64), torch.randint(10, (64,))
    expected = gradient_by_layer(model, x, target)
    assert flow(8, "xavier", "residual with layer norm").errors == pytest.approx(expected, rel=1e-5)


def test_what_float32_cannot_hold_lies_on_the_floor_and_is_said_to_be_zero(texts):
    scene = gradient_flow().figure(depth=64, initialization="small")
    assert flow(64, "small", "plain").errors[0] == 0
    hollow = [s for s in scene.shapes if isinstance(s, Circle) and s.fill == PAPER]
    assert len(hollow) > 64
    assert {dot.y for dot in hollow} == {FLOOR}
    assert "0 in float32" in texts(scene)
    assert "From layer 37 on all activations are 0 in float32" in scene.alt


def test_dots_stand_at_the_sizes(texts):
    scene = gradient_flow().figure(depth=16, wiring="plain")
    dots = [shape for shape in scene.shapes if isinstance(shape, Circle) and shape.stroke == VERMILLION]
    errors = flow(16, "default", "plain").errors
    assert [dot.y for dot in dots] == [pytest.approx(SIZES.place(error)) for error in errors]
    assert number(errors[0]) in texts(scene)
    assert f"hears {number(errors[0] / errors[-1])} of what the last does" in scene.alt


def test_the_words_follow_the_share(texts):
    explorer = gradient_flow()
    assert "Out of earshot" in explorer.figure(depth=64).alt
    assert "Within earshot" in explorer.figure(depth=64, wiring="residual with layer norm").alt
    assert "Too loud" in explorer.figure(depth=64, initialization="kaiming", wiring="residual").alt


def test_the_same_state_gives_the_same_picture_whatever_ran_before():
    first = gradient_flow().figure(depth=8)
    torch.rand(3)
    before = torch.get_rng_state()
    assert gradient_flow().figure(depth=8).svg() == first.svg()
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.41, "0.41"), (1, "1"), (1e-9, "10⁻⁹"), (3.2e-9, "3.2·10⁻⁹"), (9.96e4, "10⁵"), (140, "140")],
)
def test_numbers_are_short(value, text):
    assert number(value) == text


def test_the_first_frame_is_out_of_earshot_so_that_there_is_something_to_do():
    words = [shape.text for shape in gradient_flow().figure().shapes if isinstance(shape, Text)]
    assert "Out of earshot: with one step size for all, the first layers hardly learn." in words


def test_the_still_figure_with_its_heading_is_readable(readable):
    readable(gradient_flow().still())
