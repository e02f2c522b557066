"""Hints come one at a time, and only when asked for."""

import pytest

from workbench.exercises import find
from workbench.learn import hint, session, store

NAME = "start.bytes_of_add"
NUDGE, PRINCIPLE, WORKED = find(NAME).hints


@pytest.fixture
def buttons(monkeypatch):
    monkeypatch.setattr(session, "has_buttons", lambda: True)


def test_each_call_without_buttons_shows_one_more(shown):
    for _ in range(4):
        hint(NAME)
    texts = [repr(panel) for panel in shown]
    assert [NUDGE in text for text in texts] == [True] * 4
    assert [PRINCIPLE in text for text in texts] == [False, True, True, True]
    assert [WORKED in text for text in texts] == [False, False, True, True]
    assert store.load()["hints"] == {NAME: 3}


def test_the_button_shows_the_next_and_running_the_cell_uses_none(buttons, person, shown):
    hint(NAME)
    (form,) = shown
    assert form.feedback == ""
    assert store.load()["hints"] == {}
    assert NUDGE not in repr(form)
    form.enter("")
    assert form.feedback == f"Nudge: {NUDGE}"
    assert form.button == "Show the principle"
    form.enter("")
    form.enter("")
    assert form.locked
    assert WORKED in form.feedback
    assert store.load()["hints"] == {NAME: 3}


def test_hints_seen_before_are_there_again(buttons, person, shown):
    store.use_hints(NAME, 2)
    hint(NAME)
    assert PRINCIPLE in shown[0].feedback
    assert WORKED not in shown[0].feedback


def test_headless_the_page_is_the_same_whatever_was_used(buttons, shown):
    hint(NAME)
    store.use_hints(NAME, 2)
    hint(NAME)
    assert repr(shown[0]) == repr(shown[1])
    assert shown[1].feedback == ""


def test_a_step_in_code_shows_up_to_it(shown):
    hint(NAME, step=2)
    assert PRINCIPLE in repr(shown[0])
    assert WORKED not in repr(shown[0])
    assert store.load()["hints"] == {NAME: 2}


@pytest.mark.parametrize(
    ("name", "step"), [(NAME, 0), (NAME, 4), ("start.which_limit", None), ("start.nothing", None)]
)
def test_bad_input_is_named(name, step, shown):
    with pytest.raises(ValueError, match=r"^(name|step|exercise):"):
        hint(name, step)
    assert not shown
