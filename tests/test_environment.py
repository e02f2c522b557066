"""The ways to install the project agree: pyproject.toml, constraints.txt, environment.yml, make and the workflows."""

import importlib.util
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import rattler
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from workbench.__main__ import COMMANDS, main

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CONDA = yaml.safe_load((ROOT / "environment.yml").read_text())
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def constraints() -> list[Requirement]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def conda_packages() -> list[str]:
    return [item for item in CONDA["dependencies"] if isinstance(item, str)]


def test_conda_gets_python_and_pip_in_strict_match_specs():
    specs = [rattler.MatchSpec(package, strict=True) for package in conda_packages()]
    assert [spec.name.normalized for spec in specs] == ["python", "pip"]


@pytest.mark.parametrize("wrong", ["python => 3.11", "python >=3.11 ==", "py thon >=3.11 x y"])
def test_the_strict_check_can_fail(wrong: str):
    with pytest.raises(Exception, match=r"."):
        rattler.MatchSpec(wrong, strict=True)


def test_conda_is_in_step_with_pyproject():
    python = conda_packages()[0].removeprefix("python ")
    assert SpecifierSet(python) == SpecifierSet(PROJECT["requires-python"])
    (pip,) = [item["pip"] for item in CONDA["dependencies"] if isinstance(item, dict)]
    assert pip == ["-c constraints.txt", "-e .[test]"]
    assert (ROOT / "constraints.txt").exists()
    assert "test" in PROJECT["optional-dependencies"]
    assert CONDA["name"] == PROJECT["name"]


def test_constraints_are_exact_and_from_the_index():
    pins = constraints()
    for pin in pins:
        assert re.fullmatch(r"==[\w.]+", str(pin.specifier)), pin  # no ranges, no +cpu
        assert pin.url is None
    names = [canonicalize_name(pin.name) for pin in pins]
    assert len(set(names)) == len(names)
    assert not [name for name in names if name.startswith("nvidia-")]  # see the file's first lines


def test_torch_is_pinned_to_the_version_the_lessons_were_made_with():
    assert [str(pin) for pin in constraints() if pin.name == "torch"] == ["torch==2.13.0"]


@pytest.mark.parametrize("extra", ["", "test", "classroom"])
def test_every_direct_dependency_is_pinned_within_its_range(extra: str):
    pinned = {canonicalize_name(pin.name): str(pin.specifier).removeprefix("==") for pin in constraints()}
    asked = PROJECT["optional-dependencies"][extra] if extra else PROJECT["dependencies"]
    for requirement in map(Requirement, asked):
        assert requirement.specifier.contains(pinned[canonicalize_name(requirement.name)]), requirement


def test_no_file_of_the_set_up_names_an_index():
    files = ["Makefile", "constraints.txt", "environment.yml", ".ci/run", "workbench/lab/install.py"]
    paths = [ROOT / name for name in files] + WORKFLOWS
    assert not [path for path in paths if re.search(r"index-url|https?://", path.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_only_read_and_run_supported_pythons(path: Path):
    text = path.read_text()
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] == {"contents": "read"}
    assert "secrets." not in text
    allowed = SpecifierSet(PROJECT["requires-python"])
    for job in workflow["jobs"].values():
        assert "permissions" not in job
        versions = job["strategy"]["matrix"].get("python", ["3.12"])
        assert all(allowed.contains(Version(version)) for version in versions)
        assert job["timeout-minutes"] <= 60


def test_ci_is_valid_bash_and_ends_with_the_tests():
    script = ROOT / ".ci" / "run"
    bash = shutil.which("bash")
    if bash:
        assert subprocess.run([bash, "-n", script]).returncode == 0
    assert script.read_text().strip().splitlines()[-1] == "make test"  # pytest's closing line is the last
    assert "bash .ci/run" in (ROOT / ".github" / "workflows" / "test.yml").read_text()


def test_make_and_the_module_have_the_same_commands():
    makefile = (ROOT / "Makefile").read_text()
    targets = re.findall(r"^(\w+):.*## (.+)$", makefile, re.MULTILINE)
    phony = re.search(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    assert phony is not None
    assert set(phony.group(1).split()) == {name for name, _ in targets}
    assert {name for name, _ in targets} - {"help"} == set(COMMANDS) - {"reset"}


@pytest.mark.skipif(not shutil.which("make"), reason="there is no make")
def test_make_help_has_a_line_for_every_target():
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in set(COMMANDS) - {"reset"}:
        assert re.search(rf"^{name} {{2,}}\S", listed, re.MULTILINE), name


def test_every_command_has_a_module():
    for module, _, _ in COMMANDS.values():
        assert importlib.util.find_spec(module), module


def test_unknown_commands_are_told_what_there_is(capsys: pytest.CaptureFixture[str]):
    assert main(["nonesuch"]) == 2
    error = capsys.readouterr().err
    assert "no command nonesuch" in error
    assert all(f"  {name} " in error for name in COMMANDS)
    assert main([]) == 0
