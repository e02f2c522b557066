import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.widgets import Explorer, Range, Scene, Select, Text, Toggle

KNOBS = (
    Select("way", "Way", ("early", "late")),
    Range("amount", "Amount", 0, 100, 10, value=20, unit="%"),
    Toggle("on", "Switch"),
)


def frame(state):
    if state["amount"] == 90:
        raise ZeroDivisionError("ninety cannot be drawn")
    words = f"{state['way']} {state['amount']} {state['on']}"
    return Scene(400, 120, (Text(10, 50, words),), words)


@pytest.fixture
def explorer():
    return Explorer("Ways", "Which way?", KNOBS, frame)


def test_the_first_frame_is_there_at_once(explorer):
    assert explorer.state == {"way": "early", "amount": 20, "on": False}
    assert explorer.alt == "early 20 False"
    assert ">early 20 False</text>" in explorer.svg
    assert explorer.error == ""
    assert explorer.wording == {"way": "early", "amount": "20 %", "on": "off"}


def test_a_new_value_changes_the_picture(explorer):
    explorer.state = {**explorer.state, "amount": 70, "on": True}
    assert explorer.alt == "early 70 True"
    assert explorer.svg == explorer.figure(amount=70, on=True).svg()
    assert explorer.wording["amount"] == "70 %"


value = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 105), st.floats(), st.sampled_from(["early", "late", "x"])
)
states = st.dictionaries(st.sampled_from(["way", "amount", "on", "other"]), value)


@settings(max_examples=80, deadline=None)
@given(st.lists(states, max_size=4))
def test_whatever_a_browser_sends_the_state_stays_valid(sent):
    explorer = Explorer("Ways", "Which way?", KNOBS, frame)
    for state in sent:
        explorer.state = state
        assert set(explorer.state) == {"way", "amount", "on"}
        for knob in KNOBS:
            assert knob.checked(explorer.state[knob.name]) == explorer.state[knob.name]
        if "other" in state:
            assert "no control named other" in explorer.error
        assert explorer.svg.startswith("<svg")


def test_a_refused_value_is_told_and_forgotten_with_the_next_good_one(explorer):
    explorer.state = {**explorer.state, "amount": 1000}
    assert explorer.error == "amount must be a number from 0 to 100, got 1000"
    assert explorer.alt == "early 20 False"
    explorer.state = {**explorer.state, "amount": 30}
    assert explorer.error == ""
    assert explorer.alt == "early 30 False"


def test_an_error_of_the_frame_is_shown_over_the_last_good_picture(explorer):
    explorer.state = {**explorer.state, "amount": 90}
    assert explorer.error == "ZeroDivisionError: ninety cannot be drawn"
    assert explorer.alt == "early 20 False"
    explorer.state = {**explorer.state, "amount": 80}
    assert explorer.error == ""
    assert explorer.alt == "early 80 False"


def test_an_error_of_the_first_frame_is_raised():
    with pytest.raises(ZeroDivisionError):
        Explorer("Ways", "Which?", [KNOBS[0], Range("amount", "A", 0, 100, 10, value=90), KNOBS[2]], frame)


def test_the_still_picture_says_what_the_page_says_around_the_live_one(explorer, texts, readable):
    scene = explorer.still()
    assert texts(scene)[:3] == ["Ways", "Which way?", "Way: early · Amount: 20 % · Switch: off"]
    assert scene.alt == explorer.alt
    readable(scene)


def test_the_figure_refuses_what_no_control_accepts(explorer):
    with pytest.raises(ValueError, match="no control named speed; there are way, amount, on"):
        explorer.figure(speed=3)
    with pytest.raises(ValueError, match="way must be one of early, late, got 'x'"):
        explorer.figure(way="x")


@pytest.mark.parametrize(
    ("title", "question", "knobs", "word"),
    [
        ("T", "Q?", (), "one to three"),
        ("T", "Q?", (*KNOBS, Toggle("more", "More")), "one to three"),
        ("T", "Q?", (KNOBS[0], KNOBS[0]), "name of its own"),
        (" ", "Q?", KNOBS, "title and question"),
        ("T", "", KNOBS, "title and question"),
    ],
)
def test_an_explorer_has_one_question_and_at_most_three_knobs(title, question, knobs, word):
    with pytest.raises(ValueError, match=word):
        Explorer(title, question, knobs, frame)


def test_the_repr_is_stable(explorer):
    assert repr(explorer) == "Explorer('Ways')"
