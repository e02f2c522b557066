"""Sets the workbench up: a virtual environment in `.venv`, filled by pip under `constraints.txt`.

A `stamp` in it says what it was made from. While that still fits there is nothing to do, so `make lab` starts in
seconds; after an interruption it does not fit, and the same command goes on. A failure whose cause is known is told
in one line (`explain`).

Only the standard library, and no syntax newer than Python 3.6: an old Python must get as far as saying so.
Two environment variables: `EXTRAS`, names from pyproject.toml to install beside `test`; `TORCH=cpu`, torch's CPU
build where the package index has the CUDA one (on Linux 0.2 GB to download in place of 2.7). Both are remembered.
"""

import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

if sys.version_info < (3, 11):  # noqa: UP036
    sys.exit(
        f"The workbench needs Python 3.11 or newer; {sys.executable} is {platform.python_version()}. "
        "Install a newer one (python.org, or your package manager) or name it: make lab PYTHON=python3.12"
    )

import tomllib
from dataclasses import replace

from workbench.lab import stamp
from workbench.lab.explain import DISK_FULL, NO_VENV, explain

ROOT = Path(__file__).resolve().parents[2]
# what the environment, the downloads and pip's cached copy of them take: measured 3.7 and 12.1
GIGABYTES = {"cpu": 4, "cuda": 12}


class SetupError(Exception):
    """The set-up cannot go on; the message says why and what to do."""


def main(argv: list[str] | None = None) -> int:
    """`python -m workbench setup`: makes or completes `.venv`; returns the exit status."""
    try:
        set_up(ROOT, set(re.findall(r"[^\s,]+", os.environ.get("EXTRAS", ""))), os.environ.get("TORCH", ""))
    except SetupError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted: run the same command again to go on.", file=sys.stderr)
        return 130
    return 0


def set_up(root: Path, extras: set[str], torch: str = "") -> None:
    """Installs the project with `extras` (and always `test`) into `root/.venv`, or finds that this is done.

    `torch` is "cpu" or "" (as before; at first the package index's own build). Raises SetupError.
    """
    check_choices(root, extras, torch)
    before = stamp.read(root)
    wanted = stamp.Stamp(tuple(sorted({"test", *extras, *before.extras})), torch or before.torch)
    if before == replace(wanted, fingerprint=stamp.fingerprint(root)) and environment_python(root).exists():
        return
    print(f"Setting up {root / '.venv'}: the first time this takes some minutes.", flush=True)
    facts = describe(root, wanted.torch)
    try:
        check_folder(root, facts, updating=bool(before.fingerprint))
        make_environment(root, facts)
        stamp.write(root, wanted)
        remove_half_installed(root)
        for command in install_commands(root, wanted):
            run(command, root, facts)
        stamp.write(root, replace(wanted, fingerprint=stamp.fingerprint(root)))
    except OSError as error:
        raise SetupError(explain(str(error), facts) or f"The set-up stopped: {error}") from error


def environment_python(root: Path) -> Path:
    """Where the Python of the virtual environment lies."""
    return root / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def check_choices(root: Path, extras: set[str], torch: str) -> None:
    """Raises SetupError when an extra is not one of pyproject.toml's or `torch` is not a choice."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    known = set(project.get("optional-dependencies", {}))
    if not extras <= known:
        raise SetupError(
            f"EXTRAS: expected some of {', '.join(sorted(known))}; got {', '.join(sorted(extras - known))}"
        )
    if torch not in ("", "cpu"):
        raise SetupError(f"TORCH: expected cpu, or nothing for the package index's own build; got {torch}")


def describe(root: Path, torch: str) -> dict[str, Any]:
    """The facts that `explain` puts into its lines."""
    build = "cpu" if torch == "cpu" or sys.platform != "linux" else "cuda"
    smaller = f", or take torch without CUDA ({GIGABYTES['cpu']} GB): make lab TORCH=cpu"
    return {
        "root": root,
        "temporary": tempfile.gettempdir(),
        "gigabytes": GIGABYTES[build],
        "or_smaller": smaller if build == "cuda" else "",
        "python": sys.executable,
        "version": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
    }


def check_folder(root: Path, facts: dict[str, Any], updating: bool = False) -> None:
    """Raises OSError when `root` cannot be written, SetupError when a first installation would not fit."""
    with tempfile.TemporaryFile(dir=root):
        pass
    held = sum(file.stat().st_size for file in (root / ".venv").rglob("*") if file.is_file())
    if not updating and held + shutil.disk_usage(root).free < facts["gigabytes"] * 10**9:
        raise SetupError(DISK_FULL.format(**facts))


def make_environment(root: Path, facts: dict[str, Any]) -> None:
    """Makes `.venv`, anew where the one that is there has lost its Python or its pip; raises SetupError."""
    python = environment_python(root)
    if python.exists() and subprocess.run([python, "-c", "import pip"], capture_output=True).returncode == 0:
        return
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        raise SetupError(NO_VENV.format(**facts))
    run([sys.executable, "-m", "venv", "--clear", str(root / ".venv")], root, facts)


def remove_half_installed(root: Path) -> None:
    """Forgets packages whose installation was cut short, or pip would take them for installed.

    Installers write the file INSTALLER (PEP 376) once a package's own files are there.
    """
    for record in (root / ".venv").glob("**/site-packages/*.dist-info"):
        if not (record / "INSTALLER").exists():
            shutil.rmtree(record)


def install_commands(root: Path, wanted: stamp.Stamp) -> list[list[str]]:
    """The installers' command lines, in order."""
    python = str(environment_python(root))
    pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "-c", "constraints.txt"]
    project = [*pip, "--progress-bar", "off", "-e", f".[{','.join(wanted.extras)}]"]
    if wanted.torch != "cpu":
        return [project]
    # uv knows where torch keeps its CPU builds; pip would have to be told an address, which may change
    pinned = re.findall(r"^torch==\S+", (root / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)
    uv = [python, "-m", "uv", "pip", "install", "--python", python, "-c", "constraints.txt"]
    return [[*pip, "uv"], [*uv, "--torch-backend=cpu", "--reinstall-package", "torch", *pinned], project]


def run(command: list[str], root: Path, facts: dict[str, Any]) -> None:
    """Runs an installer, showing on a terminal what it is at; raises SetupError saying why it failed."""
    lines = []
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(command, cwd=root, text=True, errors="replace", **pipes) as process:
        for line in process.stdout or ():
            lines.append(line)
            if sys.stdout.isatty() and line.startswith(("Collecting", "Downloading", "Installing")):
                print(f"\r{line.strip()[:100]:100}", end="", flush=True)
    if sys.stdout.isatty():
        print(f"\r{'':100}\r", end="")
    if process.returncode != 0:
        tail = "".join(lines[-15:]).rstrip()
        raise SetupError(explain("".join(lines), facts) or f"{tail}\nThe set-up stopped there: see above.")


if __name__ == "__main__":
    sys.exit(main())
