import nbformat
import pytest
from nbclient import NotebookClient

from workbench.widgets import Scene, Text
from workbench.widgets.base import HERE, NativeWidget, module, styles

VIEW = "application/vnd.jupyter.widget-view+json"


class Bare(NativeWidget):
    pass


class Drawn(NativeWidget):
    _esm = module(HERE / "explorer.js")

    def still(self):
        return Scene(40, 20, (Text(2, 12, "hi"),), "the word hi")

    def summary(self):
        return "'greeting'"


def test_the_script_stops_key_presses_and_is_one_module():
    script = module(HERE / "explorer.js")
    assert "stopPropagation" in script
    assert '"keydown"' in script
    assert "native(render)" in script
    assert script.count("export default") == 1
    assert script.index("function native") < script.index("export default")


def test_nothing_is_fetched():
    for file in [*HERE.glob("*.js"), *HERE.glob("*.css")]:
        text = file.read_text("utf-8")
        for way in ("http:", "https:", "//cdn", "@import", "import(", "url(", "fetch("):
            assert way not in text, f"{file.name} uses {way}"


def test_styles_follow_theme_focus_and_reduced_motion():
    css = styles(HERE / "base.css")
    for part in ("--jp-layout-color0", "data-jp-theme-light", ":focus-visible", "prefers-reduced-motion"):
        assert part in css


def test_the_repr_is_the_same_for_every_instance():
    assert repr(Drawn()) == repr(Drawn()) == "Drawn('greeting')"
    assert repr(Bare()) == "Bare()"


def test_the_picture_and_its_words_stand_beside_the_live_view():
    data, metadata = Drawn()._repr_mimebundle_()
    assert set(data) == {"text/plain", "image/png", VIEW}
    assert data["text/plain"] == "Drawn('greeting')"
    assert metadata["image/png"]["alt"] == "the word hi"


def test_a_widget_without_a_picture_still_shows_its_view():
    data, metadata = Bare()._repr_mimebundle_()
    assert set(data) == {"text/plain", VIEW}
    assert "image/png" not in metadata


@pytest.mark.slow
def test_in_a_notebook_without_a_browser_pictures_and_words_are_stored():
    code = """
from workbench.widgets import Explorer, Range, Scene, Text
def frame(state):
    return Scene(90, 40, (Text(2, 12, str(state["n"])),), f"the number {state['n']}")
explorer = Explorer("Numbers", "Which?", [Range("n", "Number", 0, 9, 1, value=3)], frame)
explorer
"""
    still = "explorer.figure(n=5)"
    plot = (
        "from workbench.drawing import style\nstyle.use()\nimport matplotlib.pyplot as plt\n"
        "figure, axes = plt.subplots()\nstyle.show(figure, alt='an empty chart')"
    )
    book = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in (code, still, plot)]
    )
    NotebookClient(book, timeout=120).execute()
    alts = []
    for cell in book.cells:
        (output,) = cell.outputs
        assert output.data["image/png"].startswith("iVBOR")
        alts.append(output.metadata["image/png"]["alt"])
    assert alts == ["the number 3", "the number 5", "an empty chart"]
    assert VIEW in book.cells[0].outputs[0].data
    assert book.cells[0].outputs[0].data["text/plain"] == "Explorer('Numbers')"
