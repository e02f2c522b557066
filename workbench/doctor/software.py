"""What is installed: Python, packages, compilers, data, a browser."""

from __future__ import annotations

import importlib
import os
import platform
import shutil
import sys
import sysconfig
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

from workbench.doctor.finding import Finding, load, note, problem, version

PROJECT = "neuralfabric-workbench"
OLDEST_PYTHON = (3, 11)
THREADING_LAYERS = {
    "tbb": "tbbpool",
    "omp": "omppool",
    "workqueue": "workqueue",
}  # in the order Numba tries them
COMPILERS = {
    "Linux": "sudo apt install g++ (Debian, Ubuntu) or sudo dnf install gcc-c++ (Fedora)",
    "Darwin": "xcode-select --install",
    "Windows": "install Visual Studio Build Tools with the C++ workload, and start from its Developer Prompt",
}
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")


def check_python() -> Iterator[Finding]:
    """Its version, and which one is running."""
    value = f"{platform.python_version()} ({sys.executable})"
    if sys.version_info < OLDEST_PYTHON:
        yield problem("Python", value, "install Python 3.11 or newer, then: make setup PYTHON=python3.12")
    else:
        yield Finding("Python", value)


def check_packages() -> Iterator[Finding]:
    """What pyproject.toml asks for, against what is installed."""
    try:
        asked = metadata.requires(PROJECT) or []
    except metadata.PackageNotFoundError:
        yield problem(
            "packages", f"{PROJECT} is not installed in this Python", "make setup, or pip install -e ."
        )
        return
    found = {}
    for name, fits, text in filter(None, map(_requirement, asked)):
        found[name] = version(name)
        if not found[name]:
            yield problem(name, "missing", f'pip install "{text}"')
        elif not fits(found[name]):
            yield note(name, f"{found[name]} is not a version this was made for", f'pip install "{text}"')
    shown = ", ".join(f"{name} {found.get(name)}" for name in ("jupyterlab", "ipywidgets", "anywidget"))
    yield Finding("packages", f"{sum(map(bool, found.values()))} of {len(found)}: {shown}")


def _requirement(text: str) -> tuple[str, Callable[[str], bool], str] | None:
    """Name, test for a version, and text of a requirement; None where it is not for this machine."""
    requirement = importlib.import_module("packaging.requirements").Requirement(text)
    if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
        return None

    def fits(installed: str) -> bool:
        return requirement.specifier.contains(installed, prereleases=True)

    return requirement.name, fits, f"{requirement.name}{requirement.specifier}"


def check_torch() -> Iterator[Finding]:
    """That it can be imported, and for what it was built."""
    torch = load("torch")
    if isinstance(torch, Finding):
        yield torch
    else:
        build = f"for CUDA {torch.version.cuda}" if torch.version.cuda else "CPU build"
        yield Finding("torch", f"{torch.__version__}, {build}, {torch.get_num_threads()} threads")


def check_numba() -> Iterator[Finding]:
    """That it can be imported, and what its threads run on."""
    numba = load("numba")
    if isinstance(numba, Finding):
        yield numba
        return
    usable = (
        layer
        for layer, module in THREADING_LAYERS.items()
        if not isinstance(load(f"numba.np.ufunc.{module}"), Finding)
    )
    layer = next(usable, "none")
    yield Finding(
        "numba", f"{numba.__version__}, threads by {layer}, numba-cuda {version('numba-cuda') or 'none'}"
    )


def check_compiler() -> Iterator[Finding]:
    """torch.compile writes C++ on the CPU; everything else does without."""
    names = [os.environ.get("CXX", ""), *(["cl"] if os.name == "nt" else ["g++", "clang++", "c++"])]
    found = next((path for name in names if name and (path := shutil.which(name))), None)
    if found is None:
        mend = COMPILERS.get(platform.system(), "install g++ or clang++")
        yield note("C++ compiler", "none: torch.compile is left out", mend)
    elif not Path(sysconfig.get_path("include"), "Python.h").exists():
        mend = f"sudo apt install python{sys.version_info.major}.{sys.version_info.minor}-dev, or its like"
        yield note("C++ compiler", f"{found}, but no Python.h: torch.compile is left out", mend)
    else:
        yield Finding("C++ compiler", found)


def check_kernel_compiler() -> Iterator[Finding]:
    """NVIDIA's compiler wheels, which need no GPU."""
    compiler = version("nvidia-cuda-nvcc")
    if compiler and version("nvidia-nvvm"):
        yield Finding("kernel compiler", f"nvcc {compiler}: kernels.compiled works, with or without a GPU")
    else:
        yield note("kernel compiler", "none: kernels.compiled is left out", 'pip install -e ".[compiler]"')


def check_data() -> Iterator[Finding]:
    """Every asset against its checksum."""
    assets = importlib.import_module("workbench.data.assets")
    sizes, damaged = [], []
    for table in sorted(assets.assets_folder().glob("*/SHA256SUMS")):
        for line in table.read_text("ascii").splitlines():
            try:
                sizes.append(len(assets.read_asset(f"{table.parent.name}/{line.partition('  ')[2]}")))
            except assets.DataError as error:
                damaged.append(str(error))
    if damaged:
        yield problem(
            "data", f"{len(damaged)} of {len(sizes) + len(damaged)} files missing or damaged", damaged[0]
        )
    elif not sizes:
        mend = "clone the repository and install from there: pip install -e ."
        yield problem("data", f"none in {assets.assets_folder()}", mend)
    else:
        yield Finding("data", f"{len(sizes)} files, {sum(sizes) / 1e6:.1f} MB, checksums right")


def check_browser() -> Iterator[Finding]:
    """A Chromium for the browser tests."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found:
        yield Finding("browser", found)
    else:
        yield note(
            "browser",
            "no Chromium for the browser tests",
            "sudo apt install chromium, or any Chrome on the PATH",
        )
