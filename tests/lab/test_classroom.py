"""The lessons as an nbgrader course: what is written, and that nbgrader itself releases and grades it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from workbench.lab import classroom
from workbench.lab.classroom import assignment, main, write

STUB = "def bytes_of_add(rows, columns, bytes_per_number):\n    ...  # put your answer here"
RIGHT = "def bytes_of_add(rows, columns, bytes_per_number):\n    return 3 * rows * columns * bytes_per_number"
WRONG = RIGHT.replace("3", "2")
ANSWER = 'answer_which_limit = ...  # your letter in quotes, one of "a", "b", "c", "d"'


def marked(source, tag, **nbgrader):
    base = {"schema_version": 3, "grade": False, "solution": False, "locked": False, "task": False}
    return new_code_cell(
        source, metadata={"tags": [tag], **({"nbgrader": base | nbgrader} if nbgrader else {})}
    )


def lesson():
    """A small lesson in the form the real ones have."""
    cells = [
        new_markdown_cell("# Start"),
        new_code_cell("from workbench.learn import check, claim, hint, question"),
        new_code_cell('claim("two is more than one", 2, ">", 1)\nquestion("start.which_limit")'),
        marked(STUB, "exercise", solution=True, grade_id="start-bytes-of-add"),
        marked(
            'check(bytes_of_add, "start.bytes_of_add")',
            "check",
            grade=True,
            locked=True,
            grade_id="start-bytes-of-add-check",
            points=2,
        ),
        marked(f"# A solution: read a, read b, write c\n{RIGHT}", "solution"),
        new_code_cell('hint("start.bytes_of_add")'),
    ]
    notebook = new_notebook(cells=cells)
    notebook.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"
    return notebook


@pytest.fixture
def lessons(tmp_path):
    folder = tmp_path / "lessons"
    (folder / "3_fusion").mkdir(parents=True)
    nbformat.write(lesson(), folder / "0_start.ipynb")
    nbformat.write(lesson(), folder / "3_fusion" / "1_easy.ipynb")
    return folder


def sources(notebook):
    return [cell.source for cell in notebook.cells]


def test_solutions_go_stubs_get_a_region_and_questions_become_gradable():
    given = lesson()
    made = assignment(given, "0_start")
    text = "\n".join(sources(made))
    assert "A solution" not in text
    assert "return 3" not in text
    assert "    ### BEGIN SOLUTION\n    ...  # put your answer here\n    ### END SOLUTION" in text
    assert 'from workbench.learn import check\n\ncheck(bytes_of_add, "start.bytes_of_add")' in text
    assert 'claim("two is more than one", 2, ">", 1)' in sources(made)
    assert ANSWER in sources(made)
    points = {
        cell.metadata.nbgrader.grade_id: cell.metadata.nbgrader.points
        for cell in made.cells
        if cell.metadata.get("nbgrader", {}).get("grade")
    }
    assert points == {"start-which_limit-check": 1, "start-bytes-of-add-check": 2}
    assert given == lesson(), "the lesson itself is not changed"


def test_the_same_lesson_gives_the_same_file():
    assert nbformat.writes(assignment(lesson(), "x")) == nbformat.writes(assignment(lesson(), "x"))
    nbformat.validate(assignment(lesson(), "x"))


def test_outputs_are_left_out():
    given = lesson()
    given.cells[1].outputs = [nbformat.v4.new_output("stream", text="my machine")]
    given.cells[1].execution_count = 7
    made = assignment(given, "x")
    assert "my machine" not in nbformat.writes(made)
    assert all(cell.get("execution_count") is None for cell in made.cells)


@pytest.mark.parametrize(
    ("number", "change", "named"),
    [
        (3, {"source": "def bytes_of_add(rows, columns, bytes_per_number):\n    pass"}, "only `...`"),
        (3, {"metadata": {"tags": ["exercise"]}}, "nbgrader metadata"),
        (4, {"metadata": {"tags": ["check"]}}, "nbgrader metadata"),
        (2, {"source": 'question("start.bytes_of_add")'}, "is an exercise"),
        (2, {"source": 'question("start.no_such")'}, "no exercise or question"),
    ],
)
def test_a_lesson_that_could_not_be_graded_is_refused(number, change, named):
    given = lesson()
    given.cells[number].update(nbformat.from_dict(change))
    with pytest.raises(ValueError, match=named):
        assignment(given, "0_start")


def test_a_check_without_points_is_refused():
    given = lesson()
    del given.cells[4].metadata["nbgrader"]["points"]
    with pytest.raises(ValueError, match="0_start, cell 4: a check needs points"):
        assignment(given, "0_start")


def test_writes_a_course_and_says_what_it_did(lessons, tmp_path, capsys):
    target = tmp_path / "classroom"
    assert main([str(target), "--lessons", str(lessons)]) == 0
    assert {path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()} == {
        "nbgrader_config.py",
        "source/0_start/0_start.ipynb",
        "source/3_fusion-1_easy/1_easy.ipynb",
        classroom.RECORD,
    }
    assert "written    source/0_start/0_start.ipynb" in capsys.readouterr().out
    compile((target / "nbgrader_config.py").read_text(), "nbgrader_config.py", "exec")


def test_an_empty_folder_of_lessons_is_refused(tmp_path, capsys):
    assert main([str(tmp_path / "classroom"), "--lessons", str(tmp_path)]) == 1
    assert "no notebook" in capsys.readouterr().out
    assert not (tmp_path / "classroom").exists()


def test_an_instructors_edit_is_kept_and_the_update_laid_apart(lessons, tmp_path):
    target = tmp_path / "classroom"
    write(lessons, target)
    edited = target / "source/0_start/0_start.ipynb"
    edited.write_text("mine")
    (lessons / "0_start.ipynb").write_text(nbformat.writes(lesson()).replace("# Start", "# Start anew"))
    (lessons / "3_fusion/1_easy.ipynb").write_text(
        nbformat.writes(lesson()).replace("# Start", "# Start anew")
    )
    told = "\n".join(write(lessons, target))
    assert edited.read_text() == "mine"
    assert "Start anew" in (target / "updates/source/0_start/0_start.ipynb").read_text()
    assert "Start anew" in (target / "source/3_fusion-1_easy/1_easy.ipynb").read_text()
    assert "kept yours source/0_start/0_start.ipynb" in told
    assert "refreshed  source/3_fusion-1_easy/1_easy.ipynb" in told
    assert "unchanged  nbgrader_config.py" in told


def test_a_file_of_the_instructors_in_our_place_is_never_overwritten(lessons, tmp_path):
    target = tmp_path / "classroom"
    target.mkdir()
    (target / "nbgrader_config.py").write_text("c = 'mine'")
    write(lessons, target)
    assert (target / "nbgrader_config.py").read_text() == "c = 'mine'"
    assert (target / "updates/nbgrader_config.py").read_text() == classroom.CONFIG


def nbgrader(course, *arguments):
    """Runs nbgrader as an instructor would, in the course's folder."""
    environment = {name: value for name, value in os.environ.items() if name != "JPY_SESSION_NAME"}
    # nbgrader calls `alembic` by name, which an activated environment provides
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment.get("PATH", "")])
    environment |= {"WORKBENCH_DATA": str(course / "data"), "OMP_NUM_THREADS": "1"}
    environment |= {name: str(course.parent / "home") for name in ("HOME", "JUPYTER_DATA_DIR", "IPYTHONDIR")}
    done = subprocess.run(
        [sys.executable, "-m", "nbgrader", *arguments],
        cwd=course,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def submit(course, student, **replaced):
    """A student's copy of the released assignment, with some cells replaced."""
    released = (course / "release/0_start/0_start.ipynb").read_text()
    notebook = nbformat.reads(released, as_version=4)
    for cell in notebook.cells:
        for old, new in replaced.values():
            cell.source = new if cell.source == old else cell.source
    folder = course / "submitted" / student / "0_start"
    folder.mkdir(parents=True)
    nbformat.write(notebook, folder / "0_start.ipynb")
    return folder / "0_start.ipynb"


@pytest.mark.slow
def test_nbgrader_releases_validates_and_grades_it(lessons, tmp_path):
    api = pytest.importorskip("nbgrader.api")
    course = tmp_path / "classroom"
    write(lessons, course)
    (tmp_path / "home").mkdir()
    nbgrader(course, "generate_assignment", "0_start")
    released = nbformat.read(course / "release/0_start/0_start.ipynb", as_version=4)
    stub = STUB.replace("put your", "your")
    assert stub in sources(released), "the stub is released with its signature"
    assert ANSWER in sources(released)
    assert "return 3" not in nbformat.writes(released)

    submit(course, "untouched")
    right = submit(course, "right", code=(stub, RIGHT), letter=(ANSWER, 'answer_which_limit = "b"'))
    # it also takes the checks' names: nbgrader restores the locked cells, which import them anew
    shadowing = f"{WRONG}\n\ncheck = question = print"
    wrong = submit(course, "wrong", code=(stub, shadowing), letter=(ANSWER, 'answer_which_limit = "a"'))

    assert "Success! Your notebook passes all the tests." in nbgrader(course, "validate", str(right))
    assert "VALIDATION FAILED ON 2 CELL(S)" in nbgrader(course, "validate", str(wrong))

    nbgrader(course, "autograde", "0_start", "--create")
    with api.Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        submissions = gradebook.assignment_submissions("0_start")
        scores = {submission.student.id: submission.score for submission in submissions}
        assert {submission.max_score for submission in submissions} == {3}
    assert scores == {"untouched": 0, "right": 3, "wrong": 0}
    assert not (course / "data").exists(), "a grader leaves no progress"
    assert json.loads((course / classroom.RECORD).read_text())
