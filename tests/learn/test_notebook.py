"""The face of the workbench in a real kernel without a front end, as tests and `make lessons` run it."""

import os

import nbformat
import pytest
from nbclient import NotebookClient

CELLS = [
    "from workbench.learn import *\nheader('3_fusion/1_easy', 40, ['0_start'])",
    "predict('ratio', 'How many fewer?', unit='×')\npredict('limit', 'What limits?', options=['memory', 'FLOPs'])",
    "reveal('ratio', 4.0, unit='×')",
    "def bytes_of_add(rows, columns, bytes_per_number):\n    ...",
    "check(bytes_of_add, 'start.bytes_of_add')",
    "def bytes_of_add(rows, columns, bytes_per_number):\n    return [1][rows]",
    "check(bytes_of_add, 'start.bytes_of_add')",
    "check(lambda r, c, b: 3 * r * c * b, 'start.bytes_of_add', reference=True)",
    "hint('start.bytes_of_add')",
    "question('start.which_limit')",
    "claim('it is so', 1 / 3, '<', 1)\nclaim('it is so', 1 / 3, '<', 1, varies=True)",
    "progress()",
    "show_source(bytes_of_add)",
]


def run(folder, **variables):
    """The outputs of `CELLS`, cell by cell, from a fresh kernel."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    environment = {name: value for name, value in os.environ.items() if name != "JPY_SESSION_NAME"}
    environment |= {"WORKBENCH_DATA": str(folder / "data"), **variables}
    client = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(folder)}})
    client.execute(env=environment)
    return [cell.outputs for cell in notebook.cells]


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    return run(tmp_path_factory.mktemp("first"))


def texts(outputs):
    return [[output.data["text/plain"] for output in cell] for cell in outputs]


def test_every_cell_shows_only_what_it_means_to(outputs):
    assert [len(cell) for cell in outputs] == [1, 2, 1, 0, 1, 0, 1, 1, 1, 1, 2, 1, 1]
    for cell in outputs:
        for output in cell:
            assert output.output_type == "display_data", (
                "a verdict must not print itself, and nothing goes to stderr"
            )
            assert "text/html" in output.data


def test_a_page_without_a_kernel_can_read_questions_and_verdicts(outputs):
    shown = texts(outputs)
    assert shown[1] == ["How many fewer?", "What limits?\n  memory\n  FLOPs"]
    assert "not attempted" in shown[4][0]
    assert "IndexError: list index out of range (line 2: return [1][rows])" in shown[6][0]
    assert "b) How fast it moves bytes" in shown[9][0]
    assert shown[12][0].startswith("bytes_of_add: this notebook, lines 1–2")


def test_a_second_run_elsewhere_and_with_progress_says_the_same(outputs, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "progress.json").write_text(
        '{"version": 1, "hints": {"start.bytes_of_add": 2}, "guesses": {"3_fusion/1_easy": {"ratio": {"guess": 2}}}}'
    )
    again = run(tmp_path)
    keep = [i for i, cell in enumerate(CELLS) if "progress()" not in cell]
    for kind in ("text/plain", "text/html"):
        first = [[output.data[kind] for output in outputs[i]] for i in keep]
        second = [[output.data[kind] for output in again[i]] for i in keep]
        assert first == second


def test_a_person_gets_the_locked_guess_and_the_digits(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "progress.json").write_text(
        '{"version": 1, "guesses": {"3_fusion/1_easy": {"ratio": {"guess": 2}}}}'
    )
    shown = texts(run(tmp_path, JPY_SESSION_NAME="/x/3_fusion/1_easy.ipynb"))
    assert "Your guess was 2 times too low." in shown[2][0]
    assert shown[2][1] == "I was off because…"
    assert "found 0.33" in shown[10][1]
    assert "1 guess" in shown[11][0]
