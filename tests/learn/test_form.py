"""The form: what the page may send, what is answered, and what a page without a kernel shows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.learn.form import Form, parse_number
from workbench.widgets.base import NativeWidget


@pytest.fixture
def taken():
    return []


@pytest.fixture
def form(taken):
    return Form(
        lambda form, value: taken.append(value),
        prompt="Which <one>?",
        kind="choice",
        options=[["a", "this"], ["b", "that"]],
        button="Check",
    )


def send(form, content):
    """Delivers a message as the front end would."""
    form._handle_custom_msg(content, [])


def test_a_message_of_the_page_is_an_entry(form, taken):
    send(form, {"type": "submit", "value": "b"})
    assert taken == ["b"]
    assert form.value == "b"


@pytest.mark.parametrize("content", [None, "submit", {}, {"type": "other", "value": "b"}, []])
def test_any_other_message_is_none(content, form, taken):
    send(form, content)
    assert taken == []


def test_a_locked_form_takes_nothing(form, taken):
    form.reply("note", "done", locked=True)
    send(form, {"type": "submit", "value": "b"})
    form.enter("b")
    assert taken == []


def test_a_reply_that_says_the_same_again_is_still_a_change(form):
    form.reply("wrong", "no")
    first = form.replies
    form.reply("wrong", "no", "")
    assert (form.replies, form.feedback) == (first + 1, "no")


def test_a_page_without_a_kernel_shows_the_question_and_no_address(form):
    assert isinstance(form, NativeWidget)
    data, _ = form._repr_mimebundle_()
    assert data["text/plain"] == repr(form) == "Which <one>?\n  a) this\n  b) that"
    assert "Which &lt;one&gt;?" in data["text/html"]
    assert "<li>a) this</li>" in data["text/html"]
    assert "application/vnd.jupyter.widget-view+json" in data


def test_what_is_stored_does_not_depend_on_what_was_entered(form):
    before = form._repr_mimebundle_()[0]
    form.value = "b"
    form.reply("right", "yes", locked=True)
    after = form._repr_mimebundle_()[0]
    assert {k: before[k] for k in ("text/plain", "text/html")} == {
        k: after[k] for k in ("text/plain", "text/html")
    }


def test_the_module_holds_the_keyboard_guard_and_native_controls():
    module = Form._esm if isinstance(Form._esm, str) else str(Form._esm)
    for needed in ("stopPropagation", 'type: "radio"', '"legend"', '"label"', 'role: "status"'):
        assert needed in module
    assert "innerHTML" not in module


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_read_as_written(number):
    assert parse_number(f" {number!r} ") == number


@pytest.mark.parametrize(("text", "number"), [("2,5", 2.5), ("-3", -3.0), ("1e3", 1000.0)])
def test_a_comma_is_a_point(text, number):
    assert parse_number(text) == number


@pytest.mark.parametrize("text", ["", "many", "nan", "inf", "1 2"])
def test_what_is_no_number_is_none(text):
    assert parse_number(text) is None
