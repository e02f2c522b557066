"""What NVIDIA's compiler makes of a kernel, on any machine: no GPU is needed to read machine code.

Two compilers stand between a Python kernel and a GPU. Numba with *NVVM* writes **PTX**, an assembly language with
any number of registers; *ptxas* turns it into the code of one architecture and says what that takes: registers a
thread (too many, and fewer warps live on a multiprocessor), bytes *spilled* to memory because registers ran out, and
shared memory a block. The width of the loads is in the PTX: 16 bytes a lane (`ld.global.v4.f32`) keep memory busier
than 4.

Both come as Python wheels, 600 MB: the extra `compiler`. Without them `inspect` raises `CompilerMissing`.
"""

import re
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from kernels.backend import cuda
from kernels.occupancy import Occupancy, limits, occupancy

MEND = 'pip install "neuralfabric-workbench[compiler]", in a clone: pip install -e ".[compiler]"'
STATE_SPACES = {"const", "local", "param", "shared", "tex"}  # those that are not global memory


class CompilerMissing(RuntimeError):
    """NVIDIA's compiler wheels are not installed, or do not fit each other; the message says what to install."""


@dataclass(frozen=True)
class Compiled:
    """A kernel compiled for one architecture."""

    name: str
    arch: str
    ptx: str = field(repr=False)
    registers: int  # a thread
    spill_bytes: int  # a thread, stored and loaded again
    stack_bytes: int  # a thread: local arrays, and spills
    shared_bytes: int  # a block, declared in the kernel

    @property
    def loads(self) -> dict[int, int]:
        """How many load instructions from global memory move how many bytes a lane: {width: count}."""
        return _accesses(self.ptx, "ld")

    @property
    def stores(self) -> dict[int, int]:
        """The same for stores to global memory."""
        return _accesses(self.ptx, "st")

    @property
    def float64(self) -> list[str]:
        """The instructions that work in double precision, which most GPUs do at 1/32 or 1/64 of the speed."""
        return [
            line.strip()
            for line in self.ptx.splitlines()
            if re.match(r"\s*(@!?%p\d+\s+)?[a-z][\w.]*\.f64\b", line)
        ]

    def occupancy(self, block: int, shared_bytes: int = 0) -> Occupancy:
        """Occupancy in blocks of `block` threads, with so much dynamic shared memory beside what is declared."""
        return occupancy(self.arch, block, self.registers, self.shared_bytes + shared_bytes)


def inspect(kernel: Callable[..., Any], signature: Any, arch: str = "sm_90") -> Compiled:
    """Compile a kernel and say what it takes.

    `kernel`: a function under `@cuda.jit`, or the plain function. `signature`: its argument types, as a tuple of Numba
    types or a string such as "void(float32[:, ::1], int32)". `arch`: one of `kernels.occupancy.LIMITS`.

    Raises TypeError for what is no kernel, ValueError for an unknown architecture, CompilerMissing without the wheels,
    and Numba's own NumbaError where the kernel uses what CUDA does not have.
    """
    limits(arch)
    function = getattr(kernel, "py_func", kernel)
    if not callable(function) or isinstance(kernel, type):
        raise TypeError(f"kernel: expected a function or a @cuda.jit kernel, got {type(kernel).__name__}")
    options = getattr(kernel, "targetoptions", {})
    ptx = _ptx(function, signature, arch, options)
    said = _assemble(ptx, arch, options.get("max_registers"))
    spills = re.findall(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", said)
    return Compiled(
        name=function.__name__,
        arch=arch,
        ptx=ptx,
        registers=max(map(int, re.findall(r"Used (\d+) registers", said))),
        spill_bytes=sum(int(stored) + int(loaded) for _, stored, loaded in spills),
        stack_bytes=max(int(stack) for stack, _, _ in spills),
        shared_bytes=sum(map(int, re.findall(r"(\d+) bytes smem", said))),
    )


def _ptx(function: Callable[..., Any], signature: Any, arch: str, options: dict[str, Any]) -> str:
    if getattr(cuda, "compile", None) is None:
        raise CompilerMissing(
            "Numba's CUDA simulator is on (NUMBA_ENABLE_CUDASIM) or numba-cuda is missing: no compiler"
        )
    kept = {name: options[name] for name in ("fastmath", "lineinfo", "launch_bounds") if options.get(name)}
    major, minor = divmod(int(arch.removeprefix("sm_")), 10)
    try:
        ptx, _ = cuda.compile(
            function, signature, cc=(major, minor), device=False, abi="numba", output="ptx", **kept
        )
    except Exception as error:
        if type(error).__name__ in ("NvvmSupportError", "DynamicLibNotFoundError"):
            why = str(error).partition("\n")[0]
            raise CompilerMissing(
                f"NVIDIA's compiler libraries are missing ({why}). To mend it: {MEND}"
            ) from error
        if type(error).__name__ == "CudaSupportError":
            raise ValueError(
                f"kernel: {function.__name__} calls a device function that is compiled apart, for which Numba wants a "
                'GPU; declare it with @cuda.jit(device=True, inline="always") or kernels.backend.device_function'
            ) from error
        raise
    return ptx


def _assemble(ptx: str, arch: str, max_registers: int | None) -> str:
    """What ptxas says about its work, one line a fact."""
    ptxas = _find_ptxas()
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "kernel.ptx")
        source.write_text(ptx, encoding="utf-8")
        command = [
            ptxas,
            "--verbose",
            f"--gpu-name={arch}",
            f"--output-file={Path(folder, 'kernel.cubin')}",
            str(source),
        ]
        command += [f"--maxrregcount={max_registers}"] if max_registers else []
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    if "Unsupported .version" in said:
        raise CompilerMissing(
            f"NVVM {_version('nvidia-nvvm')} writes newer PTX than {ptxas} (nvidia-cuda-nvcc "
            f"{_version('nvidia-cuda-nvcc')}) reads: both must be of one release. To mend it: {MEND}"
        )
    if done.returncode:
        raise RuntimeError(f"ptxas refused the kernel for {arch}:\n{said.strip()}")
    return said


def _find_ptxas() -> str:
    """The wheel's ptxas, which fits the wheel's NVVM; one on the PATH only where there is no wheel."""
    for wheel in ("nvidia-cuda-nvcc", "nvidia-cuda-nvcc-cu12"):
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


def _accesses(ptx: str, instruction: str) -> dict[int, int]:
    """Bytes a lane of every global (or generic) access, counted: `ld.global.nc.v4.f32` is 16."""
    widths: Counter[int] = Counter()
    for modifiers in re.findall(rf"(?m)^\s*(?:@!?%p\d+\s+)?{instruction}\.([\w.:]+)\s", ptx):
        parts = modifiers.replace("::", ":").split(".")
        if not any(part.partition(":")[0] in STATE_SPACES for part in parts):
            lanes = next((int(part[1:]) for part in parts if re.fullmatch(r"v\d", part)), 1)
            widths[lanes * int(parts[-1][1:]) // 8] += 1
    return dict(sorted(widths.items()))
