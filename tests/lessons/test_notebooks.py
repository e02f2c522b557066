"""What every committed notebook must be: in step with its text, run, clean, readable without a kernel.

nbval runs the notebooks (the same pytest call collects them); these tests look at what is stored in them.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import nbformat
import pytest

from workbench import exercises
from workbench.lab.publish import ROOT, WIDGET_VIEW, build, notebook_of, sources

LESSONS = ROOT / "lessons"
SOURCES = {source.relative_to(LESSONS / "source").with_suffix("").as_posix(): source for source in sources()}
MACHINE_PATH = re.compile(r"(?:/(?:root|home|Users|tmp|work|var|opt)/\w|[A-Z]:\\\\)")


@pytest.fixture(params=SOURCES, scope="module")
def name(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def notebook(name):
    return nbformat.read(notebook_of(SOURCES[name]), as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def outputs(notebook):
    return [output for cell in code_cells(notebook) for output in cell.outputs]


def code(notebook) -> str:
    return "\n".join(cell.source for cell in code_cells(notebook))


def test_no_notebook_without_a_text():
    stored = {path for path in LESSONS.rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts}
    assert stored == {notebook_of(source) for source in SOURCES.values()}


def test_notebook_is_in_step_with_its_text(name, notebook):
    """`make lessons` was run after the last edit: same cells, same metadata, same ids."""
    expected = build(SOURCES[name])

    def shape(book):
        return [(cell.cell_type, cell.id, cell.source, dict(cell.metadata)) for cell in book.cells]

    assert shape(notebook) == shape(expected)


def test_is_valid_and_every_cell_was_run(notebook):
    nbformat.validate(notebook)
    counts = [cell.execution_count for cell in code_cells(notebook)]
    assert counts == list(range(1, len(counts) + 1))
    assert outputs(notebook), (
        "a notebook without outputs reads empty where no kernel runs, and nbval checks nothing"
    )


def test_holds_no_error_no_widget_state_no_path(notebook):
    assert "widgets" not in notebook.metadata
    assert not [output for output in outputs(notebook) if output.output_type == "error"]
    assert not [output for output in outputs(notebook) if WIDGET_VIEW in output.get("data", {})]
    assert not [output for output in outputs(notebook) if output.get("name") == "stderr"]
    found = MACHINE_PATH.search(nbformat.writes(notebook))
    assert found is None, f"a path of one machine: {found}"


def test_every_picture_has_alt_text(notebook):
    pictures = [output for output in outputs(notebook) if "image/png" in output.get("data", {})]
    assert pictures, "a lesson shows at least one picture"
    for output in pictures:
        alt = output.metadata.get("image/png", {}).get("alt", "")
        assert len(alt) > 30, f"alt text says what the picture shows, got {alt!r}"


def test_no_claim_is_false_and_every_claim_is_shown(notebook):
    said = [str(output.data.get("text/plain", "")) for output in outputs(notebook) if "data" in output]
    assert not [line for line in said if ": does not hold (claimed" in line]
    assert sum(": holds (claimed" in line for line in said) >= len(re.findall(r"\bclaim\(", code(notebook)))


def test_has_the_rhythm_of_a_lesson(name, notebook):
    text = code(notebook)
    predictions, claims = len(re.findall(r"\bpredict\(", text)), len(re.findall(r"\bclaim\(", text))
    assert predictions >= (1 if name == "0_start" else 2)
    assert claims >= (2 if name == "0_start" else 4)
    run_of_prose = 0
    for cell in notebook.cells:
        run_of_prose = run_of_prose + 1 if cell.cell_type == "markdown" else 0
        assert run_of_prose <= 2, f"more than two prose cells in a row at: {cell.source[:60]!r}"


def test_exercise_cells_carry_the_metadata_of_nbgrader(name, notebook):
    """A stub cell to fill in, a locked check cell with points, the hints, and a hidden solution cell."""
    cells = code_cells(notebook)
    for position, cell in enumerate(cells):
        tags = cell.metadata.get("tags", [])
        if "exercise" not in tags:
            continue
        check, hint, solution = cells[position + 1 : position + 4]
        exercise = exercises.find(re.search(r'check\(.*"([\w.]+)"\)', check.source).group(1))
        assert "check" in check.metadata.tags
        assert hint.source == f'hint("{exercise.name}")', "hints come before the solution"
        assert "solution" in solution.metadata.tags
        assert cell.metadata.nbgrader.solution
        assert not cell.metadata.nbgrader.locked
        assert check.metadata.nbgrader.grade
        assert check.metadata.nbgrader.locked
        assert check.metadata.nbgrader.points > 0
        assert solution.metadata.jupyter.source_hidden
        assert solution.source.startswith("#"), "the first line of a hidden cell stays visible"
        assert exercise.lesson == name
        assert "not attempted" in str(check.outputs).lower()
        # running the notebook raises unless the solution is right
        assert f'"{exercise.name}", reference=True)' in solution.source


def test_no_other_cell_needs_a_solution(notebook):
    """A class gets its notebooks without the solution cells, and they must run."""
    made: set[str] = set()
    solved: set[str] = set()
    for cell in code_cells(notebook):
        tree = ast.parse(cell.source)
        read = {
            node.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
        }
        if "solution" in cell.metadata.get("tags", []):
            solved |= top_level_names(tree)
        else:
            made |= top_level_names(tree)
            assert not (read & solved) - made, "made in a solution cell, and needed after it"


def top_level_names(tree: ast.Module) -> set[str]:
    """What a cell leaves behind for those after it."""
    names: set[str] = set()
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            names.add(statement.name)
            continue
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names.add(node.id)
            elif isinstance(node, ast.Import | ast.ImportFrom):
                names |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
    return names


def test_every_exercise_of_a_lesson_is_in_its_notebook(name, notebook):
    for exercise in exercises.for_lesson(name):
        assert f'"{exercise.name}"' in code(notebook)


def test_a_lesson_whose_exercises_name_a_fresh_task_imports_what_opens_it(name, notebook):
    """`check` and the last hint tell the reader to call `again`."""
    if any(getattr(task, "again", None) for task in exercises.for_lesson(name)):
        assert re.search(r"^from workbench\.learn import again,", code(notebook), re.M)


def test_glossary_has_every_term_that_a_lesson_links_to(notebook):
    glossary = (LESSONS / "glossary.md").read_text(encoding="utf-8")
    anchors = {
        re.sub(r"[^\w\- ]", "", title).strip().replace(" ", "-")
        for title in re.findall(r"^## (.+)$", glossary, re.M)
    }
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    linked = set(re.findall(r"glossary\.md#([\w-]+)", prose))
    assert linked, "terms are defined at first use and linked"
    assert linked <= {anchor.lower() for anchor in anchors} | anchors


def test_links_between_lessons_lead_somewhere(name, notebook):
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", prose):
        if "://" not in link:
            assert (notebook_of(SOURCES[name]).parent / Path(link)).exists(), link
