"""A guess locks once, is kept, and meets the result."""

import numpy as np
import pytest
import torch

from workbench.learn import predict, reveal, store
from workbench.learn.predict import gap


def test_headless_none_is_taken_and_the_lesson_goes_on(shown):
    predict("ratio", "How many times?", unit="×")
    reveal("ratio", 4.0, unit="×")
    form, panel = shown
    assert repr(form) == "How many times?"
    assert not form.locked
    assert repr(panel) == "• The result (no guess was locked)\n  Result  4 ×"
    assert store.load()["guesses"] == {}


def test_a_number_locks_and_stays_locked(person, shown):
    predict("ratio", "How many times?", unit="×")
    shown[0].enter("2,5")
    assert shown[0].locked
    assert store.guess_of("3_fusion/1_easy", "ratio")["guess"] == 2.5
    shown[0].enter("9")
    predict("ratio", "How many times?", unit="×")
    assert shown[1].locked
    assert shown[1].value == "2.5"
    assert "you guessed 2.5 ×" in shown[1].feedback
    shown[1].enter("9")
    assert store.guess_of("3_fusion/1_easy", "ratio")["guess"] == 2.5


@pytest.mark.parametrize("entered", ["", "many", "nan", "inf"])
def test_what_is_no_number_is_asked_again(entered, person, shown):
    predict("ratio", "How many times?")
    shown[0].enter(entered)
    assert not shown[0].locked
    assert (shown[0].tone, shown[0].feedback) == ("wrong", "Please enter a number.")
    assert store.load()["guesses"] == {}


def test_an_option_is_chosen(person, shown):
    predict("limit", "What limits it?", options=["memory", "arithmetic"])
    shown[0].enter("")
    assert not shown[0].locked
    shown[0].enter("memory")
    assert shown[0].locked
    reveal("limit", "memory")
    assert "That is what you guessed." in repr(shown[1])


def test_lessons_and_copies_keep_their_own_guesses(person, shown, monkeypatch):
    predict("ratio", "How many?")
    shown[0].enter("2")
    monkeypatch.setenv("JPY_SESSION_NAME", "/x/3_fusion/1_easy-Copy1.ipynb")
    predict("ratio", "How many?")
    assert not shown[1].locked


def test_guess_and_result_side_by_side_and_the_reason_kept(person, shown):
    predict("ratio", "How many times?", unit="×")
    shown[0].enter("2")
    reveal("ratio", torch.tensor(8.0), unit="×", text="Fusing saves six passes of eight.")
    panel, line = shown[1:]
    assert repr(panel).splitlines() == [
        "• Your guess beside the result",
        "  Your guess  2 ×",
        "  Result      8 ×",
        "  Your guess was 4 times too low.",
        "  Fusing saves six passes of eight.",
    ]
    line.enter("  I forgot the writes ")
    assert store.guess_of("3_fusion/1_easy", "ratio")["because"] == "I forgot the writes"
    reveal("ratio", 8.0)
    assert shown[-1].value == "I forgot the writes"


def test_a_guess_that_could_not_be_stored_says_so(person, shown, monkeypatch):
    monkeypatch.setattr(
        store, "write_atomically", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left"))
    )
    predict("ratio", "How many?")
    shown[0].enter("2")
    assert "could not be saved: No space left" in shown[0].feedback


@pytest.mark.parametrize(
    ("guess", "measured", "said"),
    [
        (4.0, 4, "Exactly"),
        (4.0, 4.2, "within 10%"),
        (2.0, 8, "4 times too low"),
        (8.0, 2, "4 times too high"),
        (1.0, 0, "1 too high"),
        (-3.0, 5, "8 too low"),
        ("memory", "memory", "what you guessed"),
        ("memory", "arithmetic", "something else"),
        (3.0, "arithmetic", "something else"),
    ],
)
def test_gap_in_words(guess, measured, said):
    assert said in gap(guess, measured)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [(("", "q"), "name"), (("n", "q", ["one"]), "options"), (("n", "q", ["a", "a"]), "options")],
)
def test_bad_input_is_named(arguments, named, shown):
    with pytest.raises(ValueError, match=f"^{named}:"):
        predict(*arguments)
    assert not shown


def test_a_result_of_many_numbers_is_refused(shown):
    with pytest.raises(TypeError, match=r"shape \(3,\)"):
        reveal("ratio", np.zeros(3))
