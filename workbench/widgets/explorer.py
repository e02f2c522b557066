"""An explorer: one question, at most three knobs, and a picture that Python computes anew at each turn of a knob.

The whole of it is a pure function, `frame(state) -> Scene`. It can be tested without a browser, and gives the still
picture beside the live one. The browser draws the inputs and swaps the picture; it knows nothing of the subject.

Three knobs at most: nobody explores a space of four dimensions by hand, and a picture with more has no single question.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import traitlets

from workbench.drawing.scene import Scene
from workbench.drawing.shapes import Text
from workbench.drawing.style import INK, QUIET
from workbench.widgets.base import HERE, NativeWidget, module
from workbench.widgets.controls import Control

State = dict[str, Any]


class Explorer(NativeWidget):
    """A question, native controls, and the picture `frame` makes of their values.

    title, question: what it is, and what the reader is to find out with it.
    controls: one to three of `Select`, `Range`, `Toggle`, each with its own name.
    frame: pure function from `{control name: value}` to a `Scene`.

    The first frame is drawn at once, and an error in it is raised here. An error in a later one is shown in the
    explorer, above the last good picture. Values that the controls do not accept are refused with a message.

    Raises ValueError for no or more than three controls, equal names, an empty title or question.
    """

    _esm = module(HERE / "explorer.js")

    title = traitlets.Unicode().tag(sync=True)
    question = traitlets.Unicode().tag(sync=True)
    controls: Any = traitlets.List(read_only=True).tag(sync=True)  # what the browser needs of each
    state = traitlets.Dict().tag(sync=True)
    wording = traitlets.Dict(read_only=True).tag(sync=True)  # the values as a reader sees them
    svg = traitlets.Unicode(read_only=True).tag(sync=True)
    alt = traitlets.Unicode(read_only=True).tag(sync=True)
    error = traitlets.Unicode(read_only=True).tag(sync=True)

    def __init__(
        self, title: str, question: str, controls: Sequence[Control], frame: Callable[[State], Scene]
    ) -> None:
        names = [control.name for control in controls]
        if not 1 <= len(names) <= 3:
            raise ValueError(f"controls: an explorer has one to three, got {len(names)}")
        if len(set(names)) < len(names):
            raise ValueError(f"controls: each needs a name of its own, got {', '.join(names)}")
        if not title.strip() or not question.strip():
            raise ValueError(f"title and question must not be empty, got {title!r} and {question!r}")
        self._knobs = {control.name: control for control in controls}
        self._frame = frame
        first = {control.name: control.first for control in controls}
        self._scene = self.figure(**first)
        super().__init__(title=title, question=question, state=first)
        self.set_trait("controls", [control.data() for control in controls])
        self._publish(first)
        self.observe(self._redraw, "state")

    def figure(self, **state: Any) -> Scene:
        """The picture for some values, the controls' first ones for the rest; a notebook shows it as a still figure.

        Raises ValueError for a value a control does not accept, and whatever the frame raises.
        """
        unknown = sorted(set(state) - set(self._knobs))
        if unknown:
            raise ValueError(f"no control named {', '.join(unknown)}; there are {', '.join(self._knobs)}")
        given = {name: knob.checked(state.get(name, knob.first)) for name, knob in self._knobs.items()}
        return self._frame(given)

    def still(self) -> Scene:
        """The present picture, with title, question and the knobs' values written above it."""
        values = " · ".join(f"{knob.label}: {self.wording[name]}" for name, knob in self._knobs.items())
        top = self._scene.top - 72
        heading = (
            Text(4, top + 18, self.title, size=15, weight="bold", fill=INK),
            Text(4, top + 39, self.question, size=13, fill=INK),
            Text(4, top + 60, values, size=12, fill=QUIET),
        )
        return replace(
            self._scene, top=top, height=self._scene.height + 72, shapes=(*heading, *self._scene.shapes)
        )

    def summary(self) -> str:
        return repr(self.title)

    @traitlets.validate("state")
    def _accept(self, proposal: Any) -> State:
        """The proposed values where a control accepts them, else the present ones; refusals are told, not raised."""
        accepted, refusals = {}, []
        for name, knob in self._knobs.items():
            present = self.state.get(name, knob.first)
            try:
                accepted[name] = knob.checked(proposal.value.get(name, present))
            except ValueError as refusal:
                accepted[name] = present
                refusals.append(str(refusal))
        refusals += [f"no control named {name}" for name in proposal.value if name not in self._knobs]
        self.set_trait("error", "; ".join(refusals))
        return accepted

    def _redraw(self, change: Any) -> None:
        """Compute the picture of the new state; an error is shown to the reader, the last good picture stays."""
        try:
            self._scene = self._frame(dict(change.new))
        except (
            Exception
        ) as error:  # whatever a frame raises must reach the reader, not vanish in the kernel's log
            told = [self.error, f"{type(error).__name__}: {error}"]  # beside what was refused just now
            self.set_trait("error", "; ".join(filter(None, told)))
            return
        self._publish(change.new)

    def _publish(self, state: State) -> None:
        with self.hold_sync():
            self.set_trait("svg", self._scene.svg())
            self.set_trait("alt", self._scene.alt)
            self.set_trait("wording", {name: knob.worded(state[name]) for name, knob in self._knobs.items()})
