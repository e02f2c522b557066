"""The number of places that a window finds is that of walking along the axis and counting."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from workbench.blocks.window import Window, windows_along

SMALL = st.integers(1, 4)


def places_by_counting(window: Window, n: int) -> int:
    """Steps along all numbers, as long as the last tap is still among them."""
    numbers = window.before + n + window.after
    starts = range(0, numbers, window.stride)
    return sum(start + window.dilation * (window.size - 1) < numbers for start in starts)


@given(
    size=SMALL,
    stride=SMALL,
    dilation=SMALL,
    before=st.integers(0, 3),
    after=st.integers(0, 3),
    n=st.integers(1, 30),
)
def test_places_are_counted(size, stride, dilation, before, after, n):
    window = Window("n", size, stride, dilation, before, after)
    assume(n >= window.shortest("zeros"))
    assert eval(window.places, {"n": n}) == places_by_counting(window, n) >= 1


@given(size=SMALL, dilation=SMALL, n=st.integers(1, 20))
def test_same_keeps_the_number_of_places(size, dilation, n):
    (window,) = windows_along(["n"], size, 1, "same", dilation)
    assert window.places == "n"
    assert places_by_counting(window, n) == n
    assert 0 <= window.after - window.before <= 1


def test_expressions_are_collected():
    assert Window("length", 3, 1, 1, 1, 1).places == "length"
    assert Window("length", 3, 1, 1, 0, 0).places == "length-2"
    assert Window("length", 3, 2, 1, 1, 1).places == "(length+1)//2"
    assert Window("length", 2, 2, 1, 0, 0).places == "length//2"
    assert Window("length", 5, 3, 1, 0, 0).places == "(length-2)//3"


def test_one_number_serves_all_axes():
    high, wide = windows_along(["height", "width"], 3, (1, 2), (0, 1), 2)
    assert (high.size, high.stride, high.dilation, high.before, high.after) == (3, 1, 2, 0, 0)
    assert (wide.size, wide.stride, wide.dilation, wide.before, wide.after) == (3, 2, 2, 1, 1)
    with pytest.raises(ValueError, match="padding: expected one number or 2, got"):
        windows_along(["height", "width"], 3, 1, (1, 1, 1), 1)
    with pytest.raises(TypeError, match=r"size: expected a whole number, got 2\.5"):
        windows_along(["height", "width"], (3, 2.5), 1, 0, 1)
