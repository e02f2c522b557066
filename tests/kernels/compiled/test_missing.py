"""What is said where the compiler is missing, or its parts do not fit each other."""

import os
import subprocess
import sys
from importlib import metadata

import pytest
from numba import float32

from kernels.compiled import CompilerMissing, inspect, nvvm, ptxas

needs_compiler = pytest.mark.usefixtures("compiler")


def first(x):
    x[0] = 1


@needs_compiler
def test_a_missing_assembler_names_the_extra(monkeypatch):
    def missing(name: str) -> list[str]:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(ptxas.metadata, "files", missing)
    monkeypatch.setattr(ptxas.shutil, "which", lambda name: None)
    with pytest.raises(CompilerMissing, match=r"pip install .*\[compiler\]"):
        inspect(first, (float32[::1],))
    monkeypatch.setattr(ptxas.shutil, "which", lambda name: "/somewhere/ptxas")
    assert ptxas.find_ptxas() == "/somewhere/ptxas"


@needs_compiler
def test_releases_that_do_not_fit_are_explained(monkeypatch):
    newer = nvvm.to_ptx(first, (float32[::1],), "sm_90", {}).replace(".version ", ".version 9")
    with pytest.raises(CompilerMissing, match=r"nvidia-nvvm|NVVM .* one release"):
        ptxas.assemble(newer, "sm_90")


@needs_compiler
def test_broken_ptx_is_not_taken_for_a_missing_compiler():
    with pytest.raises(RuntimeError, match="ptxas refused the kernel for sm_90"):
        ptxas.assemble(".version 8.0\n.target sm_90\n.address_size 64\nnonsense", "sm_90")


def test_without_nvvm_the_mend_is_named():
    """A process in which NVVM cannot be loaded."""
    program = """
import cuda.pathfinder as pathfinder
load = pathfinder.load_nvidia_dynamic_lib
def missing(name):
    if name in ("nvvm", "nvrtc"):
        raise pathfinder.DynamicLibNotFoundError(f"no {name}")
    return load(name)
pathfinder.load_nvidia_dynamic_lib = missing
from numba import float32
from kernels.compiled import CompilerMissing, inspect
def kernel(x):
    x[0] = 1
try:
    inspect(kernel, (float32[::1],))
except CompilerMissing as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False
    )
    assert "[compiler]" in done.stdout, done.stderr


def test_numbas_simulator_has_no_compiler():
    program = """
from kernels.compiled import CompilerMissing, inspect
from numba import float32
try:
    inspect(lambda x: None, (float32[::1],))
except CompilerMissing as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "NUMBA_ENABLE_CUDASIM": "1"},
        check=False,
    )
    assert "simulator" in done.stdout, done.stderr
