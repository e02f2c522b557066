"""The machine itself: cores, memory, disk, GPU, and how fast it is."""

from __future__ import annotations

import ctypes
import importlib
import os
import platform
import shutil
from collections.abc import Iterator
from pathlib import Path

from workbench.doctor.finding import Finding, load, note, version

MEMORY_NEEDED = 2 << 30
DISK_NEEDED = 2 << 30


def check_system() -> Iterator[Finding]:
    """Cores this process may use, and memory."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = importlib.import_module("psutil").virtual_memory()
    free = f"memory {memory.total / 2**30:.1f} GiB, {memory.available / 2**30:.1f} of it free"
    value = f"{platform.system()} {platform.machine()}, {cores} cores, {free}"
    if memory.available < MEMORY_NEEDED:
        yield note("system", value, "close other programs: lessons need up to 2 GiB")
    else:
        yield Finding("system", value)


def check_disk() -> Iterator[Finding]:
    """Space where the lessons lie."""
    free = shutil.disk_usage(Path.cwd()).free
    value = f"{free / 2**30:.1f} GiB free in {Path.cwd()}"
    if free < DISK_NEEDED:
        yield note("disk", value, "free some space: an update of the packages needs gigabytes")
    else:
        yield Finding("disk", value)


def check_gpu() -> Iterator[Finding]:
    """Driver, toolkit, and torch's and Numba's way to a GPU: asked for, never assumed."""
    driver = driver_version()
    if driver is None:
        yield Finding("GPU", "no NVIDIA driver: lessons run on the CPU")
        return
    yield Finding("CUDA driver", f"for CUDA {driver // 1000}.{driver % 1000 // 10}")
    install = f'pip install -e ".[{"cuda13" if driver >= 13000 else "cuda12"}]"'
    toolkit = version("nvidia-nvvm") or version("nvidia-cuda-nvcc-cu12") or os.environ.get("CUDA_HOME")
    if toolkit:
        yield Finding("CUDA toolkit", toolkit)
    else:
        yield note("CUDA toolkit", "none: our kernels run on the CPU", install)
    torch = load("torch")
    if isinstance(torch, Finding):
        return  # told by the check of torch
    if not torch.version.cuda:
        mend = "remove .venv, then make setup without TORCH=cpu"
        yield note("GPU", "there may be one, but torch is its CPU build", mend)
    elif not torch.cuda.is_available():
        yield note("GPU", "torch reaches none", "update the NVIDIA driver; nvidia-smi says whether it works")
    else:
        gpu = torch.cuda.get_device_properties(0)
        value = f"{gpu.name}, {gpu.total_memory / 2**30:.0f} GiB, compute capability {gpu.major}.{gpu.minor}"
        if importlib.import_module("numba.cuda").is_available():
            yield Finding("GPU", value)
        else:
            yield note("GPU", f"{value}; Numba does not reach it", install)


def driver_version() -> int | None:
    """1000·major + 10·minor of the CUDA that the NVIDIA driver speaks; None without one."""
    try:
        driver = ctypes.CDLL("nvcuda.dll" if os.name == "nt" else "libcuda.so.1")
        number = ctypes.c_int()
        return number.value if driver.cuDriverGetVersion(ctypes.byref(number)) == 0 else None
    except (OSError, AttributeError):
        return None


def check_speed(seconds: float) -> Iterator[Finding]:
    """Bandwidth and FLOP/s, measured for about so many seconds."""
    machine = importlib.import_module("workbench.profiling.machine").measure(seconds)
    for part in filter(None, (machine, machine.gpu)):
        subject = f"{part.device} speed"
        value = (
            f"copies {part.copy_bandwidth / 1e9:.3g} GB/s, computes {part.flops / 1e9:.3g} GFLOP/s in float32"
        )
        if part.trusted:
            yield Finding(subject, value)
        else:
            busy = f"{value}; CPU share {part.cpu_share:.2f}, so not to be trusted"
            yield note(subject, busy, "close other programs and measure again")
