"""From PTX to one architecture's machine code, with ptxas, which says what the code takes.

Source: NVIDIA, CUDA Compiler Driver NVCC, "ptxas options": --verbose, --maxrregcount, --compile-only.
"""

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from kernels.compiled.missing import MEND, CompilerMissing

WHEELS = ("nvidia-cuda-nvcc", "nvidia-cuda-nvcc-cu12")


@dataclass(frozen=True)
class Taken:
    """What a kernel takes of the machine."""

    registers: int  # a thread
    spill_bytes: int  # a thread, stored and loaded again
    stack_bytes: int  # a thread: local arrays, and spills
    shared_bytes: int  # a block, declared in the kernel
    linked: bool  # it calls what only a GPU's driver links in, such as a grid barrier: not in these numbers


def assemble(ptx: str, arch: str, max_registers: int | None = None) -> Taken:
    """Assembles PTX for an architecture and reads off what that takes.

    Raises CompilerMissing without ptxas or with one that is older than the PTX, RuntimeError with ptxas's own words for
    anything else that it refuses.
    """
    options = [f"--gpu-name={arch}", *([f"--maxrregcount={max_registers}"] if max_registers else [])]
    code, said = _run(ptx, options)
    if linked := "Unresolved extern function" in said:
        code, said = _run(ptx, [*options, "--compile-only"])
    if code:
        raise RuntimeError(f"ptxas refused the kernel for {arch}:\n{said.strip()}")
    spills = re.findall(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", said)
    return Taken(
        registers=max(map(int, re.findall(r"Used (\d+) registers", said))),
        spill_bytes=sum(int(stored) + int(loaded) for _, stored, loaded in spills),
        stack_bytes=max(int(stack) for stack, _, _ in spills),
        shared_bytes=sum(map(int, re.findall(r"(\d+) bytes smem", said))),
        linked=linked,
    )


def _run(ptx: str, options: list[str]) -> tuple[int, str]:
    """The exit status of ptxas, and what it says about its work, one line a fact."""
    ptxas = find_ptxas()
    with tempfile.TemporaryDirectory() as folder:
        source, code = Path(folder, "kernel.ptx"), Path(folder, "kernel.cubin")
        source.write_text(ptx, encoding="utf-8")
        command = [ptxas, "--verbose", *options, f"--output-file={code}", str(source)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    if "Unsupported .version" in said:
        raise CompilerMissing(
            f"NVVM {_version('nvidia-nvvm')} writes newer PTX than {ptxas} (nvidia-cuda-nvcc "
            f"{_version('nvidia-cuda-nvcc')}) reads: both must be of one release. To mend it: {MEND}"
        )
    return done.returncode, said


def find_ptxas() -> str:
    """The wheel's ptxas, which fits the wheel's NVVM; one on the PATH only where there is no wheel."""
    for wheel in WHEELS:
        try:
            files = metadata.files(wheel) or []
        except metadata.PackageNotFoundError:
            continue
        for file in files:
            if file.name in ("ptxas", "ptxas.exe"):
                return str(file.locate())
    found = shutil.which("ptxas")
    if found is None:
        raise CompilerMissing(f"ptxas, NVIDIA's assembler, is not installed. To mend it: {MEND}")
    return found


def _version(wheel: str) -> str:
    try:
        return metadata.version(wheel)
    except metadata.PackageNotFoundError:
        return "(not installed)"
