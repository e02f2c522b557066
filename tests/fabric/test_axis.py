"""What a word of a contract means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.fabric.axis import Axis


def test_a_name_a_number_and_an_expression():
    assert Axis.of("time").name == "time"
    assert Axis.of("64").name is None
    assert Axis.of("time?") == Axis("time", optional=True)
    assert str(Axis.of("time?")) == "time?"
    assert Axis.of("64").size({}) == 64
    assert Axis.of("time").size({"time": 7}) == 7
    assert Axis.of("time").size({"width": 7}) is None
    assert Axis.of("...").size({"...": (2, 3)}) == (2, 3)


@given(height=st.integers(1, 99), stride=st.integers(1, 4))
def test_an_expression_is_worked_out(height, stride):
    assert Axis(f"(height+3)//{stride}-1").size({"height": height}) == (height + 3) // stride - 1
    assert Axis("2*height+channels").size({"height": height, "channels": 5}) == 2 * height + 5
    assert Axis("2*height+channels").size({"height": height}) is None


@given(a=st.integers(1, 99), b=st.integers(1, 99))
def test_pinning_leaves_the_other_names_open(a, b):
    axis = Axis("2*(a+b)//3")
    assert axis.pinned({"a": a}).names == {"b"}
    assert axis.pinned({"a": a}).size({"b": b}) == 2 * (a + b) // 3
    assert axis.pinned({"a": a, "b": b}) == Axis(str(2 * (a + b) // 3))
    assert axis.pinned({"c": 1}) is axis
    assert Axis("...").pinned({"a": 1}) == Axis("...")


@pytest.mark.parametrize(
    "text", ["a/2", "a**2", "f(a)", "a.b", "'a'", "1.5", "a b", "a<b", "-", "[a]", "True"]
)
def test_nothing_else_is_an_axis(text):
    with pytest.raises(ValueError, match="axis: expected a name, a number"):
        Axis(text)
