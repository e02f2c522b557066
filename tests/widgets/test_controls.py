import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.widgets import Range, Select, Toggle

anything = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=4),
    st.lists(st.integers(), max_size=2),
)
KNOBS = [
    Select("way", "Way", {"a": "first", "b": "second"}),
    Range("amount", "Amount", 0, 1, 0.1, unit="%"),
    Range("size", "Size", -5, 7, 4),
    Toggle("on", "On"),
]


@pytest.mark.parametrize("knob", KNOBS, ids=lambda knob: knob.name)
@given(value=anything)
def test_a_control_accepts_a_value_or_names_itself(knob, value):
    try:
        accepted = knob.checked(value)
    except ValueError as caught:
        refusal = str(caught)
    else:
        assert knob.checked(accepted) == accepted
        assert isinstance(knob.worded(accepted), str)
        return
    assert refusal.startswith(knob.name)
    assert repr(value) in refusal


@pytest.mark.parametrize("knob", KNOBS, ids=lambda knob: knob.name)
def test_the_first_value_is_accepted_and_the_data_are_json(knob):
    assert knob.checked(knob.first) == knob.first
    data = json.loads(json.dumps(knob.data()))
    assert data["name"] == knob.name
    assert data["label"] == knob.label


@given(st.floats(0, 1))
def test_a_range_takes_the_nearest_step(value):
    accepted = KNOBS[1].checked(value)
    assert abs(accepted - value) <= 0.05 + 1e-9
    assert accepted * 10 == pytest.approx(round(accepted * 10))


def test_a_range_whose_top_is_no_step_stays_inside():
    assert Range("size", "Size", -5, 7.5, 4).checked(7.5) == 7


@pytest.mark.parametrize("value", [True, "3", None, -0.01, 1.01, float("nan"), float("inf")])
def test_a_range_refuses_what_is_no_number_inside_it(value):
    with pytest.raises(ValueError, match="amount must be a number from 0 to 1"):
        KNOBS[1].checked(value)


def test_a_boolean_is_no_number_and_a_number_no_boolean():
    with pytest.raises(ValueError, match="on must be true or false"):
        KNOBS[3].checked(1)


def test_values_are_worded_for_the_reader():
    assert [knob.worded(knob.first) for knob in KNOBS] == ["first", "0 %", "-5", "off"]
    assert Toggle("f", "Fuse", words=("no", "yes")).worded(True) == "yes"
    assert Select("way", "Way", ("a", "b"), value="b").first == "b"


@pytest.mark.parametrize(
    "make",
    [
        lambda: Select("way", "Way", ()),
        lambda: Select("way", "Way", ("a", "b"), value="c"),
        lambda: Range("r", "R", 1, 1, 1),
        lambda: Range("r", "R", 0, 1, 0),
        lambda: Range("r", "R", 0, 1, 2),
        lambda: Range("r", "R", 0, float("inf"), 1),
        lambda: Range("r", "R", 0, 1, 0.5, value=2),
        lambda: Toggle("t", "T", value="yes"),
    ],
)
def test_impossible_controls_are_refused(make):
    with pytest.raises(ValueError, match=r"way|r|t"):
        make()
