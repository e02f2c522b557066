"""The set-up: done once, taken up again after an interruption, and each failure told in a line that helps.

A project with a stand-in for pip: `.venv/bin/python` is a script that notes how it is called and ends as told.
"""

import ast
import errno
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import namedtuple
from pathlib import Path

import pytest

from workbench.lab import install, stamp
from workbench.lab.explain import explain
from workbench.lab.install import SetupError, set_up

ROOT = Path(__file__).resolve().parents[2]
BEFORE_SETUP = ["workbench/__init__.py", "workbench/lab/__init__.py", "workbench/lab/install.py"]
STAND_IN = """#!/bin/sh
echo "$@" >> calls
case "$*" in *"import pip"*) exit 0;; esac
cat output
exit $(cat status)
"""
OFFLINE = (  # pip 24, shortened
    "WARNING: Retrying (Retry(total=0, connect=None)) after connection broken by 'NewConnectionError('<pip._vendor."
    "urllib3.connection.HTTPSConnection object at 0x7f42>: Failed to establish a new connection: [Errno -3] "
    "Temporary failure in name resolution')': /simple/setuptools/\n"
    "ERROR: Could not find a version that satisfies the requirement setuptools>=77 (from versions: none)\n"
    "ERROR: No matching distribution found for setuptools>=77\n"
)
OFFLINE_UV = (  # uv 0.13
    "error: Request failed after 3 retries in 8.7s\n  cause: Failed to fetch\n  cause: client error (Connect)\n"
    "  cause: dns error\n  cause: failed to lookup address information: Temporary failure in name resolution\n"
)
OS_ERROR = "ERROR: Could not install packages due to an OSError: "
FULL = OS_ERROR + "[Errno 28] No space left on device\n"
FULL_WINDOWS = OS_ERROR + "[WinError 112] There is not enough space on the disk\n"
READ_ONLY = OS_ERROR + "[Errno 30] Read-only file system: '/srv/x'\n"
NO_TORCH = (
    "ERROR: Could not find a version that satisfies the requirement torch>=2.11 (from versions: none)\n"
    "ERROR: No matching distribution found for torch>=2.11\n"
)
NO_ENSUREPIP = (
    "The virtual environment was not created successfully because ensurepip is not\navailable.  On Debian/Ubuntu "
    "systems, you need to install the python3-venv\npackage using the following command.\n"
)
KNOWN = [
    (OFFLINE, "No network"),
    (OFFLINE_UV, "No network"),
    (FULL, "The disk is full: the set-up needs about"),
    (FULL_WINDOWS, "The disk is full: the set-up needs about"),
    (OFFLINE + FULL, "The disk is full: the set-up needs about"),
    (READ_ONLY, "cannot be written: clone the project into a folder of your own"),
    (NO_TORCH, "torch has no build for Python 3"),
]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose `.venv/bin/python` is the stand-in, and nothing is installed yet."""
    shutil.copytree(ROOT / "workbench" / "lab", tmp_path / "workbench" / "lab")
    for name in ("workbench/__init__.py", "Makefile"):
        shutil.copy(ROOT / name, tmp_path / name)
    extras = (
        '[project]\nname = "p"\n[project.optional-dependencies]\ntest = []\ncompiler = []\nclassroom = []\n'
    )
    (tmp_path / "pyproject.toml").write_text(extras)
    (tmp_path / "constraints.txt").write_text("numpy==2.4.6\ntorch==2.13.0\n")
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(STAND_IN)
    python.chmod(0o755)
    ends(tmp_path)
    return tmp_path


def ends(project: Path, status: int = 0, output: str = "") -> None:
    """How the stand-in for pip ends from now on."""
    (project / "status").write_text(str(status))
    (project / "output").write_text(output)


def calls(project: Path) -> list[str]:
    """How the installers were called since the last time this was asked."""
    file = project / "calls"
    lines = file.read_text().splitlines() if file.exists() else []
    file.write_text("")
    return [line for line in lines if "install" in line]


def setup(project: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if name not in ("EXTRAS", "TORCH")}
    command = [sys.executable, "-m", "workbench.lab.install"]
    return subprocess.run(command, cwd=project, env=clean | environment, capture_output=True, text=True)


posix = pytest.mark.skipif(os.name == "nt", reason="the stand-in is a shell script")


@posix
def test_done_once_and_again_when_something_changed(project: Path) -> None:
    assert setup(project).returncode == 0
    (call,) = calls(project)
    assert "install -c constraints.txt" in call
    assert call.endswith("-e .[test]")
    again = setup(project)
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert calls(project) == []
    for name in ("pyproject.toml", "constraints.txt", ".venv/pyvenv.cfg"):
        with (project / name).open("a") as file:
            file.write("# changed\n")
        assert setup(project).returncode == 0
        assert len(calls(project)) == 1, name
    (project / stamp.FILE).write_text('{"extras": [')
    setup(project)
    assert len(calls(project)) == 1


@posix
def test_extras_add_up_and_are_remembered(project: Path) -> None:
    setup(project, EXTRAS="compiler")
    assert calls(project)[0].endswith(".[compiler,test]")
    assert setup(project).returncode == 0
    assert calls(project) == []
    setup(project, EXTRAS="classroom, compiler")
    assert calls(project)[0].endswith(".[classroom,compiler,test]")


@posix
def test_the_cpu_build_of_torch_comes_first_and_is_remembered(project: Path) -> None:
    setup(project, TORCH="cpu")
    uv, torch, rest = calls(project)
    assert uv.endswith("install -c constraints.txt uv")
    assert "--torch-backend=cpu" in torch
    assert torch.endswith("torch==2.13.0")
    assert rest.endswith("-e .[test]")
    with (project / "constraints.txt").open("a") as file:
        file.write("six==1.17.0\n")
    setup(project)
    assert len(calls(project)) == 3


@posix
@pytest.mark.parametrize(("variable", "value", "told"), [
    ("EXTRAS", "compilers", "EXTRAS: expected some of classroom, compiler, test; got compilers"),
    ("TORCH", "cuda", "TORCH: expected cpu, or nothing"),
])  # fmt: skip
def test_choices_that_do_not_exist(project: Path, variable: str, value: str, told: str) -> None:
    run = setup(project, **{variable: value})
    assert run.returncode == 1
    assert told in run.stderr
    assert calls(project) == []


@posix
@pytest.mark.parametrize(("output", "told"), KNOWN)
def test_a_known_failure_is_one_line_and_the_same_command_goes_on(
    project: Path, output: str, told: str
) -> None:
    ends(project, 1, "Collecting numpy\n" + output)
    run = setup(project)
    assert run.returncode == 1
    assert told in run.stderr
    assert len(run.stderr.splitlines()) == 1
    assert "{" not in run.stderr  # every fact was filled in
    calls(project)
    ends(project)
    assert setup(project).returncode == 0
    assert len(calls(project)) == 1


@posix
def test_an_unknown_failure_shows_the_installers_own_last_lines(project: Path) -> None:
    ends(project, 1, "".join(f"line {number}\n" for number in range(40)) + "ERROR: ResolutionImpossible\n")
    run = setup(project)
    assert run.returncode == 1
    assert "ERROR: ResolutionImpossible" in run.stderr
    assert "line 39" in run.stderr
    assert "line 3\n" not in run.stderr
    assert "Traceback" not in run.stderr


@posix
def test_an_interrupted_installation_goes_on(project: Path) -> None:
    half, whole = (
        project / ".venv/lib/python3.11/site-packages" / f"{name}-1.dist-info" for name in ("a", "b")
    )
    (project / ".venv" / "bin" / "python").write_text(STAND_IN.replace("cat output", "sleep 20"))
    process = subprocess.Popen(
        [sys.executable, "-m", "workbench.lab.install"],
        cwd=project, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    while not calls(project):
        time.sleep(0.05)
    half.mkdir(parents=True)
    whole.mkdir(parents=True)
    (whole / "INSTALLER").write_text("pip\n")
    os.killpg(process.pid, signal.SIGINT)
    assert "run the same command again" in process.communicate(timeout=10)[1]
    assert process.returncode == 130
    (project / ".venv" / "bin" / "python").write_text(STAND_IN)
    assert setup(project).returncode == 0
    assert len(calls(project)) == 1
    assert whole.exists()
    assert not half.exists()  # or pip would take the half-installed package for installed


@posix
def test_a_half_made_environment_is_made_anew(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / ".venv" / "bin" / "python").unlink()  # a dangling link after Python was updated looks the same
    (project / ".venv" / "leftover").touch()
    install.make_environment(project, install.describe(project, ""))
    python = install.environment_python(project)
    assert subprocess.run([python, "-c", "import pip"]).returncode == 0
    assert not (project / ".venv" / "leftover").exists()


@pytest.mark.parametrize(
    ("torch", "platform", "gigabytes"), [("cpu", "linux", 4), ("", "linux", 12), ("", "darwin", 4)]
)
def test_too_little_space_is_told_before_anything_is_installed(
    project: Path, monkeypatch: pytest.MonkeyPatch, torch: str, platform: str, gigabytes: int
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**12, 0, gigabytes * 10**9 - 10**6))
    with pytest.raises(SetupError, match=f"disk is full: the set-up needs about {gigabytes} GB") as told:
        set_up(project, set(), torch)
    assert str(project) in str(told.value)
    assert ("make lab TORCH=cpu" in str(told.value)) == (gigabytes == 12)
    assert calls(project) == []
    # an update needs little: it is not refused
    install.check_folder(project, install.describe(project, torch), updating=True)


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_a_folder_that_cannot_be_written(project: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refuse(**where: object) -> None:
        raise OSError(number, os.strerror(number), str(project))

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    with pytest.raises(SetupError, match="cannot be written: clone the project"):
        set_up(project, set())
    assert calls(project) == []


@pytest.mark.parametrize("missing", ["venv", "ensurepip"])
def test_a_python_without_venv(project: Path, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    shutil.rmtree(project / ".venv")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: namedtuple("usage", "free")(10**12))
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == missing else real(name))
    with pytest.raises(SetupError, match="sudo apt install python3-venv"):
        set_up(project, set())
    assert not (project / ".venv").exists()
    assert explain(NO_ENSUREPIP, install.describe(project, "")) is not None


def test_success_is_no_known_failure() -> None:
    assert explain("Successfully installed numpy-2.4.6", install.describe(ROOT, "")) is None


def test_an_environment_that_was_moved_is_set_up_again(
    project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    moved = tmp_path_factory.mktemp("elsewhere") / "project"
    shutil.copytree(project, moved)
    assert stamp.fingerprint(moved) != stamp.fingerprint(project)


@pytest.mark.parametrize("damage", ["", "null", "[]", '{"extras": 3}', '{"extras": [], "torch": ""}'])
def test_a_damaged_stamp_reads_as_none(project: Path, damage: str) -> None:
    written = stamp.Stamp(("compiler", "test"), "cpu", "abc")
    stamp.write(project, written)
    assert stamp.read(project) == written
    (project / stamp.FILE).write_text(damage)
    assert stamp.read(project) == stamp.Stamp()


@pytest.mark.parametrize("name", BEFORE_SETUP)
def test_an_old_python_can_read_what_tells_it_so(name: str) -> None:
    ast.parse((ROOT / name).read_text(encoding="utf-8"), feature_version=(3, 6))


def old_pythons() -> list[str]:
    """Pythons before 3.11 that this machine happens to have."""
    places = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep)]
    places += sorted(
        (Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions").glob("3.*/bin")
    )
    found = [place / f"python3.{minor}" for place in places for minor in range(6, 11)]
    return [str(path) for path in found if path.exists() and "shims" not in path.parts]


@pytest.mark.parametrize("python", old_pythons() or ["pretended"])
def test_an_old_python_is_told_so(python: str) -> None:
    command = [python, "-m", "workbench.lab.install"]
    if python == "pretended":
        command = [sys.executable, "-c", PRETENDED]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 1
    assert run.stderr.startswith("The workbench needs Python 3.11 or newer")
    assert len(run.stderr.splitlines()) == 1


PRETENDED = """
import runpy, sys
sys.version_info = (3, 9, 2, "final", 0)
runpy.run_module("workbench.lab.install", run_name="__main__")
"""
needs_make = pytest.mark.skipif(os.name == "nt" or not shutil.which("make"), reason="there is no make")


def make(project: Path, pythons: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """`make setup` where the Pythons to be found are scripts, by name."""
    tools = project / "tools"
    tools.mkdir()
    for tool in ("sh", "make", "cat", "sed", "expand"):
        (tools / tool).symlink_to(shutil.which(tool) or "missing")
    for name, script in pythons.items():
        (tools / name).write_text(f"#!/bin/sh\n{script}\n")
        (tools / name).chmod(0o755)
    environment = {"PATH": str(tools)}
    return subprocess.run(
        [tools / "make", "setup", *arguments], cwd=project, env=environment, capture_output=True, text=True
    )


def old_python() -> str:
    return f"case \"$1\" in -c) exit 1;; esac\nexec {sys.executable} -c '{PRETENDED}'"


@needs_make
def test_make_without_any_python(project: Path) -> None:
    run = make(project, {})
    assert run.returncode == 2
    told, makes_own = run.stderr.splitlines()
    assert told.startswith("No Python here: install Python 3.11 or newer")
    assert "make lab PYTHON=" in told
    assert makes_own.startswith("make: ***")


@needs_make
def test_make_with_a_python_that_is_not_there(project: Path) -> None:
    run = make(project, {}, "PYTHON=python3.99")
    assert run.stderr.startswith("No Python here by the name python3.99: install")


@needs_make
def test_make_with_only_an_old_python(project: Path) -> None:
    run = make(project, {"python3": old_python()})
    assert run.stderr.startswith("The workbench needs Python 3.11 or newer")


@needs_make
def test_make_finds_the_newer_python_beside_an_old_one(project: Path) -> None:
    run = make(project, {"python3": old_python(), "python3.12": f'exec {sys.executable} "$@"'})
    assert run.returncode == 0, run.stderr
    assert len(calls(project)) == 1
    assert json.loads((project / stamp.FILE).read_text())["fingerprint"]
