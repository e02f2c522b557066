"""A notebook is a test: a learner's own must run with its claims true, the project's must print what is stored."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat import v4

from workbench.lab import checks
from workbench.lab.checks import find_notebook, one_notebook, surroundings


def notebook(path: Path, *cells: tuple[str, str]) -> Path:
    """A notebook of code cells, each with what it printed when it was stored."""
    made = v4.new_notebook()
    for number, (source, printed) in enumerate(cells, 1):
        outputs = [v4.new_output("stream", text=printed)] if printed else []
        made.cells.append(v4.new_code_cell(source, outputs=outputs, execution_count=number))
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(made, path)
    return path


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "workbench", "test", *arguments]
    return subprocess.run(
        command, cwd=checks.ROOT, env=os.environ | environment, capture_output=True, text=True
    )


def test_a_learners_notebook_passes_when_it_runs_whatever_it_printed_before(tmp_path: Path) -> None:
    path = notebook(tmp_path / "mine.ipynb", ("print('new')", "old\n"), ("x = 1", ""))
    result = run(str(path))
    assert result.returncode == 0, result.stdout
    assert result.stdout.splitlines()[-1].startswith("2 passed")


def test_a_learners_notebook_fails_where_a_cell_does(tmp_path: Path) -> None:
    result = run(str(notebook(tmp_path / "mine.ipynb", ("x = 1", ""), ("assert x == 2, 'false claim'", ""))))
    assert result.returncode == 1
    assert "false claim" in result.stdout
    assert result.stdout.splitlines()[-1].startswith("1 failed, 1 passed")


def test_a_notebook_is_run_as_by_nobody_and_with_its_own_data(tmp_path: Path) -> None:
    """As from a terminal inside JupyterLab, where a person has a notebook open."""
    source = """
from os import environ
assert 'JPY_SESSION_NAME' not in environ
assert 'theirs' not in environ['WORKBENCH_DATA']"""
    path = notebook(tmp_path / "mine.ipynb", (source, ""))
    result = run(str(path), JPY_SESSION_NAME="my_lessons/0_start.ipynb", WORKBENCH_DATA="theirs")
    assert result.returncode == 0, result.stdout


def test_the_projects_notebooks_must_print_what_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "ROOT", tmp_path)
    ours, theirs = (
        one_notebook(tmp_path / "lessons" / "a.ipynb"),
        one_notebook(tmp_path / "my_lessons" / "a.ipynb"),
    )
    assert "--nbval" in ours
    assert any(argument.startswith("--nbval-sanitize-with") for argument in ours)
    assert "--nbval" not in theirs
    assert "--nbval-lax" in theirs


def test_a_notebook_is_found_by_path_or_by_its_lessons_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "ROOT", tmp_path)
    monkeypatch.chdir(tmp_path)
    ours = notebook(tmp_path / "lessons" / "3_fusion" / "1_easy.ipynb")
    theirs = notebook(tmp_path / "my_lessons" / "3_fusion" / "1_easy.ipynb")
    for lesson in ("3_fusion/1_easy", "3_fusion/1_easy.ipynb", "lessons/3_fusion/1_easy.ipynb", str(ours)):
        assert find_notebook(lesson) == ours
    assert find_notebook("my_lessons/3_fusion/1_easy.ipynb") == theirs
    assert find_notebook("my_lessons/3_fusion/1_easy") == theirs
    monkeypatch.chdir(theirs.parent)
    assert find_notebook("1_easy.ipynb") == theirs
    for wrong in ("3_fusion/9_none", "3_fusion", "", "."):
        with pytest.raises(ValueError, match=r"no notebook at .*; there are: lessons.3_fusion.1_easy.ipynb"):
            find_notebook(wrong)


def test_a_missing_notebook_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert checks.run_tests(["my_lessons/9_none.ipynb"]) == 2
    assert capsys.readouterr().err.startswith("LESSON: no notebook at my_lessons/9_none.ipynb; there are: ")


def test_surroundings_share_the_cores_and_keep_what_was_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    assert surroundings(tmp_path, {}, processes=4)["OMP_NUM_THREADS"] == "2"
    assert surroundings(tmp_path, {}, processes=16)["OMP_NUM_THREADS"] == "1"
    assert surroundings(tmp_path, {"OMP_NUM_THREADS": "3", "HOME": "/h"}, 4)["OMP_NUM_THREADS"] == "3"
    assert surroundings(tmp_path, {"HOME": "/h"})["HOME"] == "/h"
    assert "NBGRADER_EXECUTION" not in surroundings(tmp_path, {"NBGRADER_EXECUTION": "check"})


def test_these_tests_have_surroundings_of_their_own() -> None:
    for name in ("WORKBENCH_DATA", "JUPYTER_CONFIG_DIR", "IPYTHONDIR"):
        assert "workbench-" in os.environ[name]


def test_everything_is_run_in_one_call() -> None:
    arguments = checks.all_tests(2)
    assert arguments[-2:] == ["tests", "lessons"]
    assert "--nbval" in arguments
    assert {"--cov=workbench", "--cov=kernels", "--numprocesses=2", "--dist=loadfile"} <= set(arguments)
    (sanitized,) = [argument for argument in arguments if argument.startswith("--nbval-sanitize-with=")]
    assert (checks.ROOT / sanitized.partition("=")[2]).is_file()


@pytest.mark.parametrize("command", [checks.run_tests, checks.run_linters])
def test_missing_packages_are_told(command, monkeypatch, capsys: pytest.CaptureFixture[str]) -> None:
    """After a plain `pip install -e .`, which is all that reading the lessons needs."""
    monkeypatch.setattr(checks, "find_spec", lambda name: None if name == "nbval" else object())
    monkeypatch.setattr(subprocess, "call", lambda *arguments, **options: pytest.fail("ran all the same"))
    assert command([]) == 2
    assert capsys.readouterr().err == "nbval not installed: python -m pip install -e '.[test]'\n"
