"""A small form of the browser's own controls: a question, an input, a button, and a place for the reply.

`predict`, `question`, `arrange`, `reveal` and `hint` are all this one form. Nothing is decided in the browser: it
sends what was entered, Python answers by changing traits, and the page follows them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path
from typing import Any

import traitlets

from workbench.widgets.base import NativeWidget, module, styles

HERE = Path(__file__).parent
# radio buttons, number input, text input, lines to be put in order, only a button
KINDS = ("choice", "number", "text", "order", "none")


class Form(NativeWidget):
    """A form whose `submit(value)` is called with what the reader entered, until it is `locked`.

    `kind` is one of `KINDS`; `options` are pairs of key and text, for "choice" and "order"; `label` names the input,
    `unit` follows it; `above` and `below` are code around lines to be put in order. `reply` fills the lines below;
    its `tone` is "right", "wrong" or "note".
    """

    _esm = module(HERE / "form.js")
    _css = styles(HERE / "form.css")

    prompt = traitlets.Unicode().tag(sync=True)
    kind = traitlets.Enum(KINDS, "none").tag(sync=True)
    options: Any = traitlets.List().tag(sync=True)
    label = traitlets.Unicode().tag(sync=True)
    unit = traitlets.Unicode().tag(sync=True)
    above = traitlets.Unicode().tag(sync=True)
    below = traitlets.Unicode().tag(sync=True)
    button = traitlets.Unicode().tag(sync=True)
    value = traitlets.Unicode().tag(sync=True)
    locked = traitlets.Bool().tag(sync=True)
    tone = traitlets.Unicode().tag(sync=True)
    feedback = traitlets.Unicode().tag(sync=True)
    replies = traitlets.Int().tag(sync=True)  # counts, so that the page sees a reply that says the same again

    def __init__(self, submit: Callable[[Form, str], None], **traits: Any) -> None:
        super().__init__(**traits)
        self._submit = submit
        self.on_msg(self._receive)

    def reply(self, tone: str, *lines: str, locked: bool = False) -> None:
        """Answers the reader: sets the lines below the form, and locks it if asked to."""
        with self.hold_sync():
            self.tone, self.feedback, self.locked = tone, "\n".join(line for line in lines if line), locked
            self.replies += 1

    def enter(self, value: str) -> None:
        """Does what the button does; a locked form takes nothing."""
        if not self.locked:
            self.value = value
            self._submit(self, value)

    def _receive(self, _widget: Any, content: Any, _buffers: Any) -> None:
        if isinstance(content, Mapping) and content.get("type") == "submit":
            self.enter(str(content.get("value", "")))

    def lines(self) -> list[str]:
        """The options as they are read: with their letter where they have one."""
        return [text if key == text else f"{key}) {text}" for key, text in self.options]

    def __repr__(self) -> str:
        lines = [*self.above.splitlines(), *self.lines(), *self.below.splitlines()]
        return "\n".join([self.prompt or self.label, *(f"  {line}" for line in lines)])

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """The live form, and beside it what it asks, for pages where no kernel runs; the same in every run."""
        data, metadata = super()._repr_mimebundle_(**kwargs)
        items = "".join(f"<li>{escape(line)}</li>" for line in self.lines())
        listed = f'<ul style="list-style:none;padding-left:1em">{items}</ul>' if items else ""
        if self.kind == "order":
            code = "\n".join(filter(None, [self.above, *self.lines(), self.below]))
            listed = f"<pre>{escape(code)}</pre>"
        data["text/plain"] = repr(self)
        data["text/html"] = f"<div><strong>{escape(self.prompt or self.label)}</strong>{listed}</div>"
        return data, metadata


def parse_number(text: str) -> float | None:
    """The finite number a reader wrote, with a point or a comma; None when it is none."""
    try:
        number = float(text.strip().replace(",", "."))
    except ValueError:
        return None
    return number if abs(number) < float("inf") else None
