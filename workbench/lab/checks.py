"""Runs every test, one notebook as a test, or the linters, each in the same surroundings wherever it is called.

A notebook is a test: nbval runs its cells in a fresh kernel and compares what they print with what is stored. What
tests write goes to a temporary folder or to `artifacts/`, which git ignores; the person's own progress and Jupyter
settings are out of their reach.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ARTIFACTS = ROOT / "artifacts"
# whoever has a notebook open, or grades one, sets these; a test is neither
NOT_FOR_TESTS = ("JPY_SESSION_NAME", "NBGRADER_EXECUTION")
CAPS = ["--nbval-current-env", "--nbval-cell-timeout=300"]
COMPARED = ["--nbval", "--nbval-sanitize-with=tests/lessons/sanitize.cfg", *CAPS]


def surroundings(folder: Path, environment: Mapping[str, str], processes: int = 1) -> dict[str, str]:
    """The environment of a test run: data, settings and history in `folder`, a fair share of the cores.

    `processes` test processes run at once, and each would take all cores for itself.
    """
    own = {"WORKBENCH_DATA": "progress", "IPYTHONDIR": "ipython"}
    own |= {"JUPYTER_CONFIG_DIR": "jupyter/config", "JUPYTER_DATA_DIR": "jupyter/data"}
    caches = {"COVERAGE_FILE": "coverage/data", "HYPOTHESIS_STORAGE_DIRECTORY": "hypothesis"}
    return {
        "OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // processes)),
        **{name: value for name, value in environment.items() if name not in NOT_FOR_TESTS},
        **{name: str(folder / place) for name, place in own.items()},
        **{name: str(ARTIFACTS / place) for name, place in caches.items()},
        "JUPYTER_PREFER_ENV_PATH": "1",  # notebooks run on this Python, not on a kernel of the person's
    }


def all_tests(processes: int) -> list[str]:
    """pytest's arguments for everything there is: unit, lesson and browser tests, coverage of them all."""
    reports = ["--cov-report=term:skip-covered", f"--cov-report=html:{ARTIFACTS / 'coverage' / 'html'}"]
    coverage = ["--cov=workbench", "--cov=kernels", "--cov-config=pyproject.toml", *reports]
    # a notebook's cells, and the browser's tests, share what is costly to start: keep a file in one process
    parallel = [f"--numprocesses={processes}", "--dist=loadfile"]
    return [*COMPARED, *coverage, *parallel, "tests", "lessons"]


def one_notebook(path: Path) -> list[str]:
    """pytest's arguments for one notebook. The project's own must print what is stored in it; a learner's, whose
    stored outputs may be half an hour old, has to run, with its claims true."""
    ours = path.is_relative_to(ROOT / "lessons")
    return [*(COMPARED if ours else ["--nbval-lax", *CAPS]), str(path)]


def find_notebook(lesson: str) -> Path:
    """The notebook meant by a path, or by a lesson's name (`3_fusion/1_easy`).

    Raises ValueError naming the lessons there are when there is no such file.
    """
    for folder in (Path.cwd(), ROOT, ROOT / "lessons"):
        for name in (lesson, f"{lesson}.ipynb"):
            if (folder / name).suffix == ".ipynb" and (folder / name).is_file():
                return (folder / name).resolve()
    known = sorted(path.relative_to(ROOT) for path in (ROOT / "lessons").rglob("[!.]*.ipynb"))
    raise ValueError(f"LESSON: no notebook at {lesson}; there are: {', '.join(map(str, known))}")


def missing_tools() -> str:
    """What to do where the tests' packages are not installed, as after a plain `pip install -e .`; "" otherwise."""
    missing = [
        name for name in ("pytest", "nbval", "xdist", "pytest_cov", "ruff", "mypy") if not find_spec(name)
    ]
    return f"{', '.join(missing)} not installed: python -m pip install -e '.[test]'" if missing else ""


def run_tests(argv: list[str] | None = None) -> int:
    """`python -m workbench test [LESSON]`: every test, or one notebook (a learner's own too)."""
    parser = argparse.ArgumentParser(prog="python -m workbench test", description=run_tests.__doc__)
    parser.add_argument(
        "lesson", nargs="?", metavar="LESSON", help="such as my_lessons/3_fusion/1_easy.ipynb"
    )
    lesson = parser.parse_args(argv).lesson
    processes = 1 if lesson else min(4, os.cpu_count() or 1)
    try:
        if missing := missing_tools():
            raise ValueError(missing)
        chosen = one_notebook(find_notebook(lesson)) if lesson else all_tests(processes)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    (ARTIFACTS / "coverage").mkdir(parents=True, exist_ok=True)
    settings = [
        f"--config-file={ROOT / 'pyproject.toml'}",
        f"--override-ini=cache_dir={ARTIFACTS / 'pytest'}",
    ]
    with tempfile.TemporaryDirectory(prefix="workbench-", ignore_cleanup_errors=True) as folder:
        environment = surroundings(Path(folder), os.environ, processes)
        return subprocess.call(
            [sys.executable, "-m", "pytest", *settings, *chosen], cwd=ROOT, env=environment
        )


def run_linters(argv: list[str] | None = None) -> int:
    """`python -m workbench lint`: style (ruff) and types (mypy); runs all three and fails if one does."""
    argparse.ArgumentParser(prog="python -m workbench lint", description=run_linters.__doc__).parse_args(argv)
    if missing := missing_tools():
        print(missing, file=sys.stderr)
        return 2
    caches = {"RUFF_CACHE_DIR": str(ARTIFACTS / "ruff"), "MYPY_CACHE_DIR": str(ARTIFACTS / "mypy")}
    tools = (["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"])
    environment = {**os.environ, **caches}
    return max(subprocess.call([sys.executable, "-m", *tool], cwd=ROOT, env=environment) for tool in tools)
