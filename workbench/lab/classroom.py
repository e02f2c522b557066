"""`make classroom`: the lessons as an nbgrader course, without solutions, with points.

For instructors (https://nbgrader.readthedocs.io; `pip install -e .[classroom]`):

    make classroom                                  # writes classroom/: a course with one assignment a lesson
    source .venv/bin/activate && cd classroom       # nbgrader needs its environment activated
    nbgrader generate_assignment 0_start            # the students' version, in release/0_start
    nbgrader autograde 0_start --create             # after submissions lie in submitted/STUDENT/0_start
    nbgrader export                                 # the scores as a table

Students need the workbench installed, as for the lessons; `nbgrader validate` tells them beforehand whether they
would get full points. Calling `make classroom` again refreshes what you have not edited. Where you have, your file
stays and the new version is laid in classroom/updates/.

What is changed on the way from a lesson to an assignment:

* cells tagged `solution` are left out, and so are stored outputs;
* in a stub, the `...` becomes a solution region, so that nbgrader releases the stub as it is, with its signature,
  instead of an empty cell;
* a question, which a reader answers by clicking, becomes a letter to write and a graded cell worth one point;
* graded cells import `check` and `question` anew, in case an earlier cell has used the name for something else.

The solutions are part of the library that students have installed. This is for practice with feedback and points,
not for examinations.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import re
from pathlib import Path
from typing import Any

from workbench.atomic import write_atomically
from workbench.exercises import Question, find

ROOT = Path(__file__).resolve().parents[2]
RECORD = ".written.json"  # what was written last, by hash: a file that differs from it has been edited
BLANK = re.compile(r"(?P<indent>[ \t]*)(return\s+)?\.\.\.\s*(#.*)?")
CONFIG = '''"""nbgrader's settings for this course, see https://nbgrader.readthedocs.io."""

c = get_config()  # noqa: F821  (nbgrader provides it)
c.CourseDirectory.course_id = "neuralfabric-workbench"
c.ClearSolutions.code_stub = {"python": "...  # your answer here"}
c.Execute.timeout = 300  # seconds a cell; lessons measure and train
'''


def assignment(notebook: Any, lesson: str) -> Any:
    """A lesson's notebook as the source of an assignment; the one given is not changed.

    Raises ValueError naming lesson and cell where a stub or check lacks nbgrader's metadata or a blank to fill.
    """
    import nbformat

    copy = nbformat.from_dict(json.loads(json.dumps(notebook)))
    cells = []
    for number, cell in enumerate(copy.cells):
        where = f"{lesson}, cell {number}"
        tags = cell.metadata.get("tags", [])
        if "solution" in tags:
            continue
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        if "exercise" in tags:
            _demand(cell, {"solution": True, "grade": False}, where)
            cell.source = _with_region(cell.source, where)
        if "check" in tags:
            _demand(cell, {"solution": False, "grade": True, "locked": True}, where)
            cell.source = f"from workbench.learn import check\n\n{cell.source}"
        asked = _questions(cell.source) if cell.cell_type == "code" and "check" not in tags else []
        for node, _name in reversed(asked):
            lines = cell.source.split("\n")
            cell.source = "\n".join(lines[: node.lineno - 1] + lines[node.end_lineno :]).strip("\n")
        if cell.source or not asked:
            cells.append(cell)
        cells += [written for _node, name in asked for written in _as_task(name)]
    copy.cells = cells
    return copy


def write(lessons: Path, target: Path) -> list[str]:
    """Writes the course into `target` and returns what happened to each file, one line each.

    Raises ValueError when `lessons` holds no notebook.
    """
    import nbformat

    found = sorted([*lessons.glob("*.ipynb"), *lessons.glob("[0-9]*_*/*.ipynb")])
    if not found:
        raise ValueError(f"lessons: no notebook lies in {lessons}")
    files = {"nbgrader_config.py": CONFIG.encode()}
    for path in found:
        lesson = path.relative_to(lessons).with_suffix("").as_posix()
        source = assignment(nbformat.read(path, as_version=4), lesson)
        nbformat.validate(source)
        name = lesson.replace("/", "-")
        files[f"source/{name}/{path.name}"] = (nbformat.writes(source) + "\n").encode()
    record = target / RECORD
    written: dict[str, str] = json.loads(record.read_text("utf-8")) if record.is_file() else {}
    told = [_place(target, name, content, written) for name, content in files.items()]
    write_atomically(record, json.dumps(written, indent=1, sort_keys=True).encode())
    return told


def main(argv: list[str] | None = None) -> int:
    """`python -m workbench classroom [TARGET]`: writes the lessons as an nbgrader course."""
    parser = argparse.ArgumentParser(prog="python -m workbench classroom", description=main.__doc__)
    parser.add_argument("target", nargs="?", type=Path, default=ROOT / "classroom", help="folder to write")
    parser.add_argument("--lessons", type=Path, default=ROOT / "lessons", help="folder of the notebooks")
    chosen = parser.parse_args(argv)
    try:
        told = write(chosen.lessons, chosen.target)
    except (OSError, ValueError) as error:
        print(f"classroom: {error}")
        return 1
    print("\n".join(told))
    print(f"\nNext: cd {chosen.target} && nbgrader generate_assignment NAME   (NAME is a folder of source/)")
    return 0


def _place(target: Path, name: str, content: bytes, written: dict[str, str]) -> str:
    """Writes one file unless the instructor has edited it; then the new version goes to updates/."""
    path, digest = target / name, hashlib.sha256(content).hexdigest()
    present = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
    if present == digest:
        written[name] = digest
        return f"unchanged  {name}"
    if present is not None and present != written.get(name):
        if (
            written.get(f"updates/{name}") != digest
        ):  # an update once laid there is the instructor's to delete
            write_atomically(target / "updates" / name, content)
            written[f"updates/{name}"] = digest
        return f"kept yours {name} (the new version: updates/{name})"
    write_atomically(path, content)
    written[name] = digest
    return f"{'refreshed ' if present else 'written   '} {name}"


def _demand(cell: Any, wanted: dict[str, bool], where: str) -> None:
    metadata = cell.metadata.get("nbgrader", {})
    wrong = {key: metadata.get(key) for key, value in wanted.items() if metadata.get(key) is not value}
    if wrong or not metadata.get("grade_id"):
        raise ValueError(f"{where}: nbgrader metadata needs a grade_id and {wanted}, got {dict(metadata)}")
    if wanted["grade"] and not metadata.get("points"):
        raise ValueError(f"{where}: a check needs points, got {dict(metadata)}")


def _with_region(source: str, where: str) -> str:
    lines, blanks = [], 0
    for line in source.split("\n"):
        if blank := BLANK.fullmatch(line):
            indent, blanks = blank["indent"], blanks + 1
            lines += [f"{indent}### BEGIN SOLUTION", line, f"{indent}### END SOLUTION"]
        else:
            lines.append(line)
    if not blanks:
        raise ValueError(f"{where}: a stub needs a line with only `...` for the reader to replace")
    return "\n".join(lines)


def _questions(source: str) -> list[tuple[ast.stmt, str]]:
    """The statements `question("name")` of a cell, with their names; a cell with magics in it has none."""
    try:
        statements = ast.parse(source).body
    except SyntaxError:
        return []
    found: list[tuple[ast.stmt, str]] = []
    for node in statements:
        match node:
            case ast.Expr(ast.Call(ast.Name("question"), [ast.Constant(str(name))], [])):
                found.append((node, name))
    return found


def _as_task(name: str) -> list[Any]:
    """A question as three cells: its text, a letter to write, and a graded check."""
    from nbformat.v4 import new_code_cell, new_markdown_cell

    task = find(name)
    if not isinstance(task, Question):
        raise ValueError(f"question: {name!r} is an exercise")
    variable = f"answer_{name.partition('.')[2]}"
    letters = ", ".join(f'"{key}"' for key in task.options)
    options = "\n".join(f"- {key}) {text}" for key, text in task.options.items())
    graded: dict[str, Any] = {
        "schema_version": 3,
        "grade": True,
        "solution": False,
        "locked": True,
        "task": False,
    }
    graded |= {"grade_id": f"{name.replace('.', '-')}-check", "points": 1}
    asked = new_markdown_cell(f"**Question.** {task.prompt}\n\n{options}")
    answer = new_code_cell(f"{variable} = ...  # your letter in quotes, one of {letters}")
    check = new_code_cell(f'from workbench.learn import question\n\nquestion("{name}", answer={variable})')
    check.metadata["nbgrader"] = graded
    for part, cell in (("text", asked), ("answer", answer), ("check", check)):
        cell["id"] = hashlib.sha256(f"{name} {part}".encode()).hexdigest()[:12]  # the same in every run
    return [asked, answer, check]
