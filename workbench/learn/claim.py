"""A sentence with a number that the page itself checks.

A number in prose grows false unnoticed: on another machine, after an update. A claim is run with the lesson. A
reader sees a green or a red line and reads on; a test run fails on a red one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container
from typing import Any

from workbench.learn import panel, session
from workbench.learn.panel import Panel, figure, plain

WORDS = {
    "<": "below",
    "<=": "at most",
    "==": "equal to",
    ">=": "at least",
    ">": "above",
    "~": "close to",
    "in": "in",
}
ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "<": lambda value, bound: value < bound,
    "<=": lambda value, bound: value <= bound,
    "==": lambda value, bound: value == bound,
    ">=": lambda value, bound: value >= bound,
    ">": lambda value, bound: value > bound,
}


class ClaimFailed(AssertionError):
    """A claim of a lesson does not hold here."""


def claim(
    text: str,
    value: Any,
    relation: str,
    bound: Any,
    *,
    tolerance: float = 0.05,
    show: str | Callable[[Any], str] | None = None,
    varies: bool = False,
) -> None:
    """Shows whether `value relation bound` holds; raises ClaimFailed when not, unless a person is reading.

    `relation`: "<", "<=", "==", ">=", ">", "~" (within `tolerance` of the bound, relative; 0.05 is 5%) or "in" (a
    set, list or range holds it; a tuple of two numbers is the closed interval between them). NaN fulfills none.
    `value` may be a tensor or array of one element. `show` is a format such as ".3f" or a function; by default
    fractions get two significant digits. With `varies` the digits are shown to a person only, so that a figure
    which differs between machines leaves the stored text the same.

    Raises ValueError for an unknown relation or bound and TypeError for a value that is not one number or text.
    """
    value, bound = plain(value), bound if relation == "in" else plain(bound)
    holds = _holds(value, relation, bound, tolerance)
    wanted = f"{WORDS[relation]} {_bound_text(bound, relation, tolerance)}"
    if varies and not session.by_person():
        found = "measured on the machine that ran this page"
    else:
        # a failing figure in full: rounded, 1.96 would read "at least 2, found 2"
        found = f"found {_shown(value, show) if holds else repr(value)}"
    verdict = "holds" if holds else "does not hold"
    panel.show(Panel("right" if holds else "wrong", f"{text}: {verdict} (claimed {wanted}, {found})"))
    if not holds and not session.by_person():
        raise ClaimFailed(f"{text}: claimed {wanted}, found {value!r}")


def _holds(value: Any, relation: str, bound: Any, tolerance: float) -> bool:
    if relation not in WORDS:
        raise ValueError(f"relation: expected one of {', '.join(WORDS)}, got {relation!r}")
    if not isinstance(value, (int, float, str)):
        raise TypeError(f"value: expected a number or text, got {type(value).__name__}")
    if isinstance(value, float) and math.isnan(value):
        return False
    if relation == "in":
        return _inside(value, bound)
    if isinstance(value, str) != isinstance(bound, str) or not isinstance(bound, (int, float, str)):
        raise ValueError(f"bound: expected something to compare {value!r} with, got {bound!r}")
    if relation == "~":
        if isinstance(value, str) or isinstance(bound, str):
            raise ValueError(f"relation: '~' compares numbers, got {value!r}")
        return value == bound or abs(value - bound) <= tolerance * abs(bound) < math.inf
    return ORDERS[relation](value, bound)


def _inside(value: Any, bound: Any) -> bool:
    if isinstance(bound, tuple):
        if len(bound) != 2:
            raise ValueError(f"bound: expected (low, high), got {bound!r}")
        low, high = map(plain, bound)
        return bool(low <= value <= high)
    if not isinstance(bound, Container):
        raise ValueError(f"bound: expected a set, list, range or (low, high), got {bound!r}")
    return value in bound


def _bound_text(bound: Any, relation: str, tolerance: float) -> str:
    if relation == "in" and isinstance(bound, tuple):
        return f"{figure(bound[0])} to {figure(bound[1])}"
    if relation == "in":
        members = (
            sorted(bound, key=str) if isinstance(bound, (set, frozenset)) else bound
        )  # a set has no order of its own
        return str(members) if isinstance(members, range) else ", ".join(map(figure, members))
    return f"{figure(bound)} (within {100 * tolerance:g}%)" if relation == "~" else figure(bound)


def _shown(value: Any, form: str | Callable[[Any], str] | None) -> str:
    if callable(form):
        return form(value)
    return format(value, form) if form else figure(value, 2)
