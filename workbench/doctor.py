"""`python -m workbench doctor`: what this machine has, and for each thing amiss how to mend it.

A *problem* keeps the lessons from running (exit status 1). A *note* tells of an optional part (exit status 0).
Every check stands alone and imports what it looks at only then, so that a missing or broken package is a line in the
report and never the end of it.
"""

from __future__ import annotations

import argparse
import ctypes
import importlib
import json
import os
import platform
import shutil
import sys
import sysconfig
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

PROJECT = "neuralfabric-workbench"
OLDEST_PYTHON = (3, 11)
LEAST_MEMORY = 4 << 30
LEAST_DISK = 2 << 30
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
COMPILERS = {
    "Linux": "sudo apt install g++ (Debian, Ubuntu) or sudo dnf install gcc-c++ (Fedora)",
    "Darwin": "xcode-select --install",
    "Windows": "install Visual Studio Build Tools with the C++ workload, and start from its Developer Prompt",
}


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    subject: str
    value: str
    severity: str = "ok"  # or "note" or "problem"
    mend: str = ""


def main(argv: list[str] | None = None) -> int:
    """Print the report; return 1 when something keeps the lessons from running, else 0."""
    parser = argparse.ArgumentParser(
        prog="python -m workbench doctor", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    parser.add_argument(
        "--seconds", type=float, default=2.0, help="time to spend on measuring speed; 0 skips it (default 2)"
    )
    options = parser.parse_args(argv)
    findings = examine(options.seconds)
    print(
        json.dumps([asdict(finding) for finding in findings], indent=1) if options.json else report(findings)
    )
    return int(any(finding.severity == "problem" for finding in findings))


def examine(seconds: float = 2.0) -> list[Finding]:
    """Every check's findings, in the order of the report; a check that fails becomes a note of its own."""
    findings = []
    for subject, check in CHECKS.items():
        try:
            findings += list(check(seconds))
        except Exception as error:  # whatever is broken here, the rest of the report must come
            findings.append(Finding(subject, f"could not be checked: {_brief(error)}", "note"))
    return findings


def report(findings: list[Finding]) -> str:
    """The findings as aligned text, each mend below its finding, and a verdict."""
    width = max(len(finding.subject) for finding in findings)
    lines = []
    for finding in findings:
        mark = {"ok": "", "note": "note", "problem": "PROBLEM"}[finding.severity]
        lines.append(f"{mark:>7}  {finding.subject:{width}}  {finding.value}")
        if finding.mend:
            lines.append(f"{'':>7}  {'':{width}}  → {finding.mend}")
    problems = sum(finding.severity == "problem" for finding in findings)
    verdict = f"{problems} to mend before the lessons can run." if problems else "The lessons can run."
    return "\n".join([*lines, "", verdict])


def _python(seconds: float) -> Iterator[Finding]:
    old = sys.version_info < OLDEST_PYTHON
    yield Finding(
        "Python",
        f"{platform.python_version()} ({sys.executable})",
        "problem" if old else "ok",
        "install Python 3.11 or newer, then: make setup PYTHON=python3.12" if old else "",
    )


def _system(seconds: float) -> Iterator[Finding]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = importlib.import_module("psutil").virtual_memory()
    short = memory.available < LEAST_MEMORY // 2 or memory.total < LEAST_MEMORY
    yield Finding(
        "system",
        f"{platform.system()} {platform.machine()}, {cores} cores, memory {memory.total / 2**30:.1f} GiB "
        f"({memory.available / 2**30:.1f} free)",
        "note" if short else "ok",
        "close other programs: lessons need up to 2 GiB" if short else "",
    )


def _disk(seconds: float) -> Iterator[Finding]:
    free = shutil.disk_usage(Path.cwd()).free
    full = free < LEAST_DISK
    mend = "free some space: an update of the packages needs gigabytes" if full else ""
    yield Finding("disk", f"{free / 2**30:.1f} GiB free in {Path.cwd()}", "note" if full else "ok", mend)


def _packages(seconds: float) -> Iterator[Finding]:
    """What pyproject.toml asks for, against what is installed."""
    try:
        asked = metadata.requires(PROJECT) or []
    except metadata.PackageNotFoundError:
        yield Finding(
            "packages",
            f"{PROJECT} is not installed in this Python",
            "problem",
            "make setup, or pip install -e .",
        )
        return
    found = {}
    for requirement in map(_requirement, asked):
        if requirement is None:
            continue
        name, fits, text = requirement
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            yield Finding(name, "missing", "problem", f'pip install "{text}"')
            continue
        if not fits(found[name]):
            yield Finding(name, f"{found[name]} is untested", "note", f'pip install "{text}"')
    named = [f"{name} {found[name]}" for name in ("jupyterlab", "ipywidgets", "anywidget") if name in found]
    yield Finding("packages", f"{len(found)} installed: {', '.join(named)}")


def _requirement(text: str) -> tuple[str, Callable[[str], bool], str] | None:
    """Name, test for a version, and text of a requirement; None where it is not for this machine."""
    requirement = importlib.import_module("packaging.requirements").Requirement(text)
    if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
        return None
    return (
        requirement.name,
        lambda version: requirement.specifier.contains(version, prereleases=True),
        f"{requirement.name}{requirement.specifier}",
    )


def _torch(seconds: float) -> Iterator[Finding]:
    torch, finding = _imported("torch", "torch")
    if torch is not None:
        build = f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU build"
        finding = Finding("torch", f"{torch.__version__}, {build}, {torch.get_num_threads()} threads")
    yield finding


def _numba(seconds: float) -> Iterator[Finding]:
    numba, finding = _imported("numba", "numba")
    if numba is None:
        yield finding
        return
    layer = next((name for name in ("tbb", "omp", "workqueue") if _works(_threading_module(name))), None)
    yield Finding(
        "numba",
        f"{numba.__version__}, threads by {layer or 'none'}, numba-cuda {_version('numba-cuda') or 'none'}",
        "ok" if layer in ("tbb", "omp") else "note",
        ""
        if layer in ("tbb", "omp")
        else "pip install tbb (without it two Python threads cannot share the kernels)",
    )


def _threading_module(layer: str) -> str:
    return f"numba.np.ufunc.{layer}" + ("pool" if layer != "workqueue" else "")


def _compiler(seconds: float) -> Iterator[Finding]:
    """torch.compile writes C++ on the CPU; everything else does without."""
    candidates = [os.environ.get("CXX", ""), *(["cl"] if os.name == "nt" else ["g++", "clang++", "c++"])]
    found = next((path for name in candidates if name and (path := shutil.which(name))), None)
    headers = Path(sysconfig.get_path("include"), "Python.h").exists()
    if found is None:
        mend = COMPILERS.get(platform.system(), "install g++ or clang++")
        yield Finding("C++ compiler", "none: torch.compile is left out", "note", mend)
    elif not headers:
        mend = f"sudo apt install python{sys.version_info.major}.{sys.version_info.minor}-dev, or its like"
        yield Finding("C++ compiler", f"{found}, but no Python.h: torch.compile is left out", "note", mend)
    else:
        yield Finding("C++ compiler", found)


def _gpu(seconds: float) -> Iterator[Finding]:
    """Asked for, never assumed: driver, then torch's and Numba's way to it."""
    driver = _driver_version()
    if driver is None:
        yield Finding("GPU", "no NVIDIA driver: lessons run on the CPU")
        return
    yield Finding("CUDA driver", f"for CUDA {driver // 1000}.{driver % 1000 // 10}")
    extra = "cuda13" if driver >= 13000 else "cuda12"
    toolkit = (
        _version("nvidia-nvvm")
        or _version("nvidia-cuda-nvcc-cu12")
        or os.environ.get("CUDA_HOME")
        or shutil.which("nvcc")
    )
    if toolkit is None:
        yield Finding(
            "CUDA toolkit", "none: our kernels run on the CPU", "note", f"pip install -e .[{extra}]"
        )
    else:
        yield Finding("CUDA toolkit", toolkit)
    torch, finding = _imported("torch", "GPU")
    if torch is None:
        yield finding
    elif not torch.cuda.is_available():
        mend = (
            "install torch's CUDA build: TORCH= make setup"
            if not torch.version.cuda
            else "update the NVIDIA driver"
        )
        yield Finding("GPU", "the driver is there, but torch reaches no GPU", "note", mend)
    else:
        gpu = torch.cuda.get_device_properties(0)
        able = importlib.import_module("numba.cuda").is_available()
        value = f"{gpu.name}, {gpu.total_memory / 2**30:.0f} GiB, compute capability {gpu.major}.{gpu.minor}"
        mend = f"pip install -e .[{extra}]" if not able else ""
        yield Finding(
            "GPU", value + ("" if able else "; Numba cannot reach it"), "ok" if able else "note", mend
        )


def _driver_version() -> int | None:
    """1000·major + 10·minor of the CUDA that the NVIDIA driver speaks; None without one."""
    try:
        driver = ctypes.CDLL("nvcuda.dll" if os.name == "nt" else "libcuda.so.1")
        version = ctypes.c_int()
        return version.value if driver.cuDriverGetVersion(ctypes.byref(version)) == 0 else None
    except (OSError, AttributeError):
        return None


def _kernel_compiler(seconds: float) -> Iterator[Finding]:
    version = _version("nvidia-cuda-nvcc")
    if version and _version("nvidia-nvvm"):
        yield Finding("kernel compiler", f"nvcc {version}: kernels.compiled works without a GPU")
    else:
        yield Finding(
            "kernel compiler", "none: kernels.compiled is left out", "note", "pip install -e .[compiler]"
        )


def _data(seconds: float) -> Iterator[Finding]:
    assets = importlib.import_module("workbench.data.assets")
    damaged, count, size = [], 0, 0
    for table in sorted(assets.assets_folder().glob("*/SHA256SUMS")):
        for line in table.read_text("ascii").splitlines():
            count += 1
            try:
                size += len(assets.read_asset(f"{table.parent.name}/{line.partition('  ')[2]}"))
            except assets.DataError as error:
                damaged.append(str(error))
    if not count:
        mend = "clone the repository and install from there: pip install -e ."
        yield Finding("data", f"none in {assets.assets_folder()}", "problem", mend)
    elif damaged:
        yield Finding("data", f"{len(damaged)} of {count} files missing or damaged", "problem", damaged[0])
    else:
        yield Finding("data", f"{count} files, {size / 1e6:.1f} MB, checksums right")


def _browser(seconds: float) -> Iterator[Finding]:
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    mend = (
        "" if found else "sudo apt install chromium, or any Chrome on the PATH; only the browser tests use it"
    )
    yield Finding("browser", found or "no Chromium for the browser tests", "ok" if found else "note", mend)


def _speed(seconds: float) -> Iterator[Finding]:
    if seconds <= 0:
        return
    machine = importlib.import_module("workbench.profiling.machine").measure(seconds)
    for part in (machine, machine.gpu):
        if part is not None:
            speed = f"copies {part.copy_bandwidth / 1e9:.3g} GB/s, computes {part.flops / 1e9:.3g} GFLOP/s in float32"
            busy = "" if part.trusted else f"; CPU share {part.cpu_share:.2f}, so not to be trusted"
            mend = "" if part.trusted else "close other programs and measure again"
            yield Finding(f"{part.device} speed", speed + busy, "ok" if part.trusted else "note", mend)


CHECKS: dict[str, Callable[[float], Iterator[Finding]]] = {
    "Python": _python,
    "system": _system,
    "disk": _disk,
    "packages": _packages,
    "torch": _torch,
    "numba": _numba,
    "C++ compiler": _compiler,
    "GPU": _gpu,
    "kernel compiler": _kernel_compiler,
    "data": _data,
    "browser": _browser,
    "speed": _speed,
}


def _imported(name: str, subject: str) -> tuple[Any, Finding]:
    """A module, or None and the finding that says why it cannot be imported."""
    try:
        return importlib.import_module(name), Finding(subject, "")
    except Exception as error:  # a broken binary package fails in many ways
        return None, Finding(
            subject,
            f"cannot be imported: {_brief(error)}",
            "problem",
            f"pip install --force-reinstall {name}",
        )


def _works(module: str) -> bool:
    try:
        importlib.import_module(module)
    except ImportError:
        return False
    return True


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _brief(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:100]}" if lines else type(error).__name__


if __name__ == "__main__":
    sys.exit(main())
