"""Guess first, then look: a prediction that is locked before anything runs, and its meeting with the result.

Trying to answer before being told makes the answer stick, also when the try fails (Kornell, Hays and Bjork, Journal
of Experimental Psychology: Learning, Memory, and Cognition 35(4), 2009). A guess that may still change is none, so
it locks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from workbench.learn import session, store
from workbench.learn.form import Form, parse_number
from workbench.learn.panel import Panel, figure, plain, show


def predict(name: str, question: str, options: Sequence[str] | None = None, unit: str = "") -> None:
    """Asks for a guess: one of `options`, or a number in `unit`; once locked it stays.

    The guess is kept under the lesson and `name`, where `reveal` finds it. Where nobody sits before the page, none
    is taken and the lesson goes on. Raises ValueError for an empty name or fewer than two different options.
    """
    if not name:
        raise ValueError(f"name: expected a name for the guess, got {name!r}")
    if options is not None and len(set(options)) < 2:
        raise ValueError(f"options: expected at least two different ones, got {list(options)!r}")
    lesson = session.lesson()

    def lock(form: Form, entered: str) -> None:
        guess = entered if options is not None else parse_number(entered)
        if guess in ("", None):
            form.reply("wrong", "Choose one first." if options is not None else "Please enter a number.")
            return
        trouble = store.lock_guess(lesson, name, guess)
        form.reply("note", f"{_locked(guess, unit)} Read on to see what comes out.", trouble, locked=True)

    form = Form(
        lock,
        prompt=question,
        kind="number" if options is None else "choice",
        options=[[option, option] for option in options or ()],
        label="Your guess",
        unit=unit,
        button="Lock my guess",
    )
    if stored := store.guess_of(lesson, name):
        form.value = _text(stored["guess"])
        form.reply("note", _locked(stored["guess"], unit), locked=True)
    show(form)


def reveal(name: str, measured: Any, unit: str = "", text: str | None = None) -> None:
    """Sets the locked guess beside what was measured, and asks a person why they were off.

    `measured` is a number or a text (the right option); `text` is a sentence to add. Without a guess only the
    result is shown. Raises TypeError when `measured` is not one number or text.
    """
    measured = plain(measured)
    lesson = session.lesson()
    stored = store.guess_of(lesson, name)
    result = ("Result", _with_unit(_text(measured), unit))
    added = (text,) if text else ()
    if stored is None:
        show(Panel("note", "The result (no guess was locked)", (result,), added))
        return
    guess = stored["guess"]
    rows = (("Your guess", _with_unit(_text(guess), unit)), result)
    show(Panel("note", "Your guess beside the result", rows, (gap(guess, measured), *added)))
    if not session.by_person():
        return

    def keep(form: Form, entered: str) -> None:
        trouble = store.explain_guess(lesson, name, entered.strip())
        form.reply("note", trouble or "Kept with your guess.")

    show(Form(keep, kind="text", label="I was off because…", button="Keep", value=stored.get("because", "")))


def gap(guess: Any, measured: Any) -> str:
    """How far a guess is from the result, in words: a factor for two positive numbers."""
    if isinstance(guess, str) or isinstance(measured, str):
        return "That is what you guessed." if guess == measured else "You guessed something else."
    if guess == measured:
        return "Exactly as you guessed."
    if guess > 0 and measured > 0:
        factor = max(guess, measured) / min(guess, measured)
        if factor < 1.1:
            return "Your guess was within 10%."
        return f"Your guess was {figure(factor, 2)} times too {'high' if guess > measured else 'low'}."
    return f"Your guess was {figure(abs(guess - measured))} too {'high' if guess > measured else 'low'}."


def _locked(guess: Any, unit: str) -> str:
    return f"Locked: you guessed {_with_unit(_text(guess), unit)}."


def _text(value: Any) -> str:
    return value if isinstance(value, str) else figure(value).replace(",", "")


def _with_unit(value: str, unit: str) -> str:
    return f"{value} {unit}".strip()
