"""What every widget of the workbench shares: the browser's own controls, made safe inside a notebook.

A widget here is an anywidget (https://anywidget.dev): a Python object whose traits the browser sees, and an
ES module that draws it. Four things go wrong when one simply puts an `<input>` into a notebook page, and
this class mends them once:

1. JupyterLab hears every key. An arrow pressed in a slider would move between cells, and `x` would *cut* one.
   `base.js` stops key presses at the widget's edge.
2. A saved notebook, a code host or an HTML export has no kernel. `_repr_mimebundle_` puts a still picture
   with its alternative text beside the live view.
3. The default `repr` holds an address, which differs in every run; ours does not.
4. Themes. `base.css` takes its colors from JupyterLab's variables, light or dark.

A subclass sets `_esm = module(path_of_its_javascript)`, and may set `_css = styles(path_of_its_css)`.
Nothing is fetched: scripts and styles travel with the widget.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anywidget

from workbench.drawing.scene import Scene

HERE = Path(__file__).parent


def module(path: Path) -> str:
    """The ES module of a widget: `base.js`, then the widget's own file, which may call what `base.js` defines.

    They are joined as text because the browser gets the module without an address of its own, from which
    it could import a neighbor.
    """
    return f"{(HERE / 'base.js').read_text('utf-8')}\n{path.read_text('utf-8')}"


def styles(path: Path) -> str:
    """The style sheet of a widget: `base.css`, then the widget's own file."""
    return f"{(HERE / 'base.css').read_text('utf-8')}\n{path.read_text('utf-8')}"


class NativeWidget(anywidget.AnyWidget):
    """An anywidget with native controls, a keyboard guard, a stable repr and a still picture of itself."""

    _esm = "export default { render: () => {} }"
    _css = (HERE / "base.css").read_text("utf-8")

    def still(self) -> Scene | None:
        """The widget as a still picture, for pages where no kernel runs; None leaves only the text."""
        return None

    def summary(self) -> str:
        """What the widget is, in a few words that are the same in every run."""
        return ""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.summary()})"

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """The live view, and beside it the still picture with its alternative text."""
        data, metadata = super()._repr_mimebundle_(**kwargs) or ({"text/plain": repr(self)}, {})
        scene = self.still()
        if scene is None:
            return data, metadata
        # the front end shows the richest form it can: the widget where there is a kernel, else the picture
        picture, words = scene._repr_mimebundle_()
        return picture | data, words | metadata
