"""Building a notebook from text: the same every time, clean, and the old one stays when a cell fails."""

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError

from workbench.lab import publish

TEXT = """---
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---

# A title

```{code-cell} ipython3
:tags: [nbval-ignore-output]

print("first")
```

```{code-cell} ipython3
print("first")
```
"""


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "lesson.md"
    path.write_text(TEXT, encoding="utf-8")
    return path


def test_the_same_text_gives_the_same_notebook_with_ids_of_its_own(source):
    one, other = publish.build(source), publish.build(source)
    assert nbformat.writes(one) == nbformat.writes(other)
    ids = [cell.id for cell in one.cells]
    assert len(set(ids)) == len(ids) == 3  # two cells of equal text keep apart
    assert one.cells[1].metadata.tags == ["nbval-ignore-output"]


@pytest.mark.parametrize("name", ["missing.md", "lesson.txt"])
def test_refuses_what_is_not_a_text(tmp_path, name):
    (tmp_path / "lesson.txt").write_text("x")
    with pytest.raises(ValueError, match="source"):
        publish.build(tmp_path / name)


def test_runs_outside_the_project_without_the_readers_progress(source, tmp_path, monkeypatch):
    monkeypatch.setenv("JPY_SESSION_NAME", "reader.ipynb")
    cell = "import os; print(os.listdir(), os.environ['WORKBENCH_DATA'], 'JPY_SESSION_NAME' in os.environ)"
    source.write_text(TEXT.replace('print("first")', cell), encoding="utf-8")
    publish.publish(source, tmp_path / "out" / "lesson.ipynb")
    text = nbformat.read(tmp_path / "out" / "lesson.ipynb", 4).cells[1].outputs[0].text
    assert text.startswith("[] ")
    assert text.strip().endswith("False")


def test_a_failing_cell_keeps_the_old_notebook(source, tmp_path):
    target = tmp_path / "lesson.ipynb"
    target.write_text("old")
    source.write_text(TEXT.replace('print("first")', "1 / 0"), encoding="utf-8")
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        publish.publish(source, target)
    assert target.read_text() == "old"


def test_cleaning_keeps_the_still_picture_and_drops_the_live_view(source):
    notebook = publish.build(source)
    notebook.metadata["widgets"] = {"state": {}}
    cell = notebook.cells[1]
    cell.metadata["execution"] = {"iopub.status.busy": "now"}
    cell.outputs = [
        nbformat.v4.new_output("display_data", {publish.WIDGET_VIEW: {"model_id": "x"}, "image/png": "iVBO"}),
        nbformat.v4.new_output("display_data", {publish.WIDGET_VIEW: {"model_id": "y"}}),
        nbformat.v4.new_output("stream", text="said"),
    ]
    publish.clean(notebook)
    assert "widgets" not in notebook.metadata
    assert "execution" not in cell.metadata
    assert [list(output.get("data", {"said": 0})) for output in cell.outputs] == [["image/png"], ["said"]]
    nbformat.validate(notebook)


def test_an_unknown_lesson_is_named(capsys):
    with pytest.raises(SystemExit):
        publish.main(["9_nowhere/1_easy"])
    assert "9_nowhere/1_easy" in capsys.readouterr().err
