"""The doctor survives every patient: whatever is missing or broken is a line in its report."""

import json
import os
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from workbench import doctor
from workbench.doctor import hardware, software
from workbench.doctor.finding import Finding


def run(*arguments: str, code: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """`python -m workbench doctor` after `code`, in a process of its own."""
    start = f"from workbench.__main__ import main\nsys.exit(main(['doctor', *{list(arguments)!r}]))"
    program = f"import sys; {code}\n{start}"
    return subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **environment},
        check=False,
    )


def find(findings: list[Finding], subject: str) -> Finding:
    return next(finding for finding in findings if finding.subject == subject)


def test_a_machine_that_runs_these_tests_can_run_the_lessons():
    done = run("--seconds", "0.1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "The lessons can run." in done.stdout
    assert len(done.stdout.splitlines()) < 40  # one screen
    for subject in ("Python", "torch", "numba", "data", "cpu speed"):
        assert subject in done.stdout


def test_json_says_the_same():
    done = run("--seconds", "0", "--json")
    findings = [Finding(**entry) for entry in json.loads(done.stdout)]
    assert find(findings, "torch").value.startswith(metadata.version("torch"))
    assert not any("speed" in finding.subject for finding in findings)
    assert all(finding.mend for finding in findings if finding.severity != "ok")


@pytest.mark.parametrize("package", ["torch", "numba"])
def test_a_package_that_cannot_be_imported_is_a_problem(package):
    done = run("--seconds", "0.1", "--json", code=f"sys.modules[{package!r}] = None")
    assert done.returncode == 1, done.stderr
    finding = find([Finding(**entry) for entry in json.loads(done.stdout)], package)
    assert finding.severity == "problem"
    assert f"pip install --force-reinstall {package}" in finding.mend


@pytest.mark.parametrize(
    "package", ["psutil", "numpy", "packaging", "packaging.requirements", "workbench.data.assets"]
)
def test_whatever_is_missing_the_report_comes(package):
    done = run("--seconds", "0.1", "--json", code=f"sys.modules[{package!r}] = None")
    findings = [Finding(**entry) for entry in json.loads(done.stdout)]
    assert any(finding.severity != "ok" for finding in findings)
    assert "Traceback" not in done.stderr


def test_a_missing_package_is_named_with_its_mend(monkeypatch):
    version = metadata.version

    def without(name: str) -> str:
        if name == "safetensors":
            raise metadata.PackageNotFoundError(name)
        return "0.1" if name == "anywidget" else version(name)

    monkeypatch.setattr(metadata, "version", without)
    findings = list(software.check_packages())
    missing, old = find(findings, "safetensors"), find(findings, "anywidget")
    assert (missing.severity, missing.mend) == ("problem", 'pip install "safetensors>=0.5"')
    assert old.severity == "note"
    assert "anywidget>=" in old.mend


def test_a_project_that_is_not_installed_is_a_problem(monkeypatch):
    def none(name: str) -> list[str]:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "requires", none)
    (finding,) = software.check_packages()
    assert finding.severity == "problem"
    assert "make setup" in finding.mend


def test_an_old_python_is_a_problem(monkeypatch):
    monkeypatch.setattr(software, "OLDEST_PYTHON", (99, 0))
    (finding,) = software.check_python()
    assert finding.severity == "problem"
    assert "3.11" in finding.mend


@pytest.mark.parametrize("system", ["Linux", "Darwin", "Windows"])
def test_no_compiler_is_a_note_with_this_systems_mend(monkeypatch, system):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(software.platform, "system", lambda: system)
    (finding,) = software.check_compiler()
    assert finding.severity == "note"
    assert finding.mend == software.COMPILERS[system]


def test_a_damaged_file_is_a_problem(monkeypatch, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    monkeypatch.setenv("WORKBENCH_ASSETS", str(tmp_path))
    assert next(software.check_data()).severity == "problem"  # nothing there at all
    (folder / "SHA256SUMS").write_text("0" * 64 + "  words.txt\n")
    (finding,) = software.check_data()
    assert "1 of 1" in finding.value
    (folder / "words.txt").write_text("changed")
    (finding,) = software.check_data()
    assert finding.severity == "problem"
    assert "words.txt" in finding.mend


def test_a_driver_without_a_toolkit_is_a_note(monkeypatch):
    monkeypatch.setattr(hardware, "driver_version", lambda: 12040)
    monkeypatch.setattr(hardware, "version", lambda package: "")
    monkeypatch.delenv("CUDA_HOME", raising=False)
    findings = list(hardware.check_gpu())
    assert find(findings, "CUDA driver").value == "for CUDA 12.4"
    toolkit = find(findings, "CUDA toolkit")
    assert (toolkit.severity, toolkit.mend) == ("note", 'pip install -e ".[cuda12]"')


def test_a_check_that_crashes_is_a_note(monkeypatch):
    def crashes():
        raise OSError("no such device\nand more")
        yield

    monkeypatch.setattr(doctor, "CHECKS", {"thing": crashes, "Python": software.check_python})
    thing, python = doctor.examine(0)
    assert (thing.severity, thing.value) == ("note", "could not be checked: OSError: no such device")
    assert python.subject == "Python"


def test_the_report_is_aligned_and_counts_problems():
    text = doctor.report(
        [
            Finding("a", "fine"),
            Finding("longer name", "gone", "problem", "bring it back"),
            Finding("b", "meh", "note", "x"),
        ]
    )
    lines = text.splitlines()
    column = lines[0].index("fine")
    assert [
        line.index(word) for line, word in zip(lines, ["fine", "gone", "→", "meh", "→"], strict=False)
    ] == [column] * 5
    assert lines[-1] == "1 to mend before the lessons can run."


def test_importing_the_doctor_needs_nothing_installed():
    code = "import sys; import workbench.doctor; print([m for m in ('torch', 'numpy', 'psutil') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[1]
    )
    assert done.stdout.strip() == "[]", done.stderr
