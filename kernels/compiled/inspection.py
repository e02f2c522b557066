"""A kernel compiled for one architecture, and what can be asked of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from types import FunctionType
from typing import TYPE_CHECKING, Any

from numba import types

from kernels import gpus, occupancy
from kernels.compiled import ptx
from kernels.compiled.inlining import Inlined
from kernels.compiled.nvvm import to_ptx
from kernels.compiled.ptxas import assemble
from kernels.occupancy import Occupancy

if TYPE_CHECKING:
    from kernels.simt.hazards import Line


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
    linked: bool = False  # it calls what a GPU's driver links in, a grid barrier say: not in these numbers
    _source: _Source | None = field(default=None, repr=False, compare=False)

    @cached_property
    def lines(self) -> dict[Line, list[str]]:
        """The PTX of each source line: 0 for what belongs to none, "file.py:12" for lines outside the kernel's file.

        Compiled apart, when first asked for: line information may make the compiler give out registers differently.
        """
        return {} if self._source is None else self._source.lines_for(self.arch)

    @property
    def loads(self) -> dict[int, int]:
        """How many load instructions from global memory move how many bytes a lane: {width: count}."""
        return ptx.widths(self.ptx, "ld", "global")

    @property
    def stores(self) -> dict[int, int]:
        """The same for stores to global memory."""
        return ptx.widths(self.ptx, "st", "global")

    @property
    def shared_loads(self) -> dict[int, int]:
        """The same for loads from shared memory."""
        return ptx.widths(self.ptx, "ld", "shared")

    @property
    def shared_stores(self) -> dict[int, int]:
        """The same for stores to shared memory."""
        return ptx.widths(self.ptx, "st", "shared")

    @property
    def float64(self) -> list[str]:
        """The instructions that work in double precision, which most GPUs do at 1/32 or 1/64 of the speed."""
        return ptx.doubles(self.ptx)

    def on(self, gpu: str) -> Compiled:
        """The same kernel for another GPU ("T4") or architecture ("sm_75"), compiled once.

        Raises ValueError for an unknown one.
        """
        arch = gpus.architecture(gpu)
        if arch == self.arch:
            return self
        if self._source is None:
            raise ValueError(f"gpu: {self.name} was compiled for {self.arch} alone, got {gpu!r}")
        return self._source.compiled_for(arch)

    def occupancy(self, block: int, shared_bytes: int = 0, gpu: str | None = None) -> Occupancy:
        """Occupancy in blocks of `block` threads, with so much dynamic shared memory beside what is declared.

        gpu: a GPU ("A100") or an architecture, for which the kernel is compiled anew; None for its own.
        """
        there = self if gpu is None else self.on(gpu)
        return occupancy.occupancy(there.arch, block, there.registers, there.shared_bytes + shared_bytes)

    def occupancies(self, block: int, shared_bytes: int = 0) -> Occupancies:
        """Occupancy on each GPU of `kernels.gpus`, compiled for each one's architecture; prints as a table."""
        found = Occupancies({name: self.occupancy(block, shared_bytes, name) for name in gpus.GPUS})
        found.registers = {name: self.on(name).registers for name in gpus.GPUS}
        return found


class Occupancies(dict[str, Occupancy]):
    """Occupancy by GPU, with the registers a thread takes there."""

    registers: dict[str, int]

    def __repr__(self) -> str:
        width = max(map(len, self), default=3)
        rows = [f"{'GPU':<{width}}  arch   registers  occupancy  threads an SM  limited by"]
        for name, found in self.items():
            rows.append(
                f"{name:<{width}}  {gpus.find(name).arch}  {self.registers[name]:9}  {float(found):9.0%}  "
                f"{found.threads:13}  {found.limit}"
            )
        return "\n".join(rows)


def inspect(
    kernel: Callable[..., Any], signature: Any, arch: str = "sm_90", lineinfo: bool = True
) -> Compiled:
    """Compile a kernel and say what it takes.

    kernel: a function under `@cuda.jit`, or the plain function; device functions that it calls by name are inlined.
    signature: its argument types, as a tuple of Numba types or a string such as "void(float32[:, ::1], int32)", or a
    tuple of example arguments (arrays, tensors, numbers). arch: one of `kernels.occupancy.LIMITS`, or a GPU of
    `kernels.gpus`. lineinfo: whether `.lines` can be asked for; nothing else depends on it.

    Raises TypeError for what is no kernel, ValueError for an unknown architecture, CompilerMissing without the wheels,
    and Numba's own NumbaError where the kernel uses what CUDA does not have.
    """
    arch = gpus.architecture(arch)
    function = getattr(kernel, "py_func", kernel)
    if not isinstance(function, FunctionType):
        raise TypeError(f"kernel: expected a function or a @cuda.jit kernel, got {type(kernel).__name__}")
    options = getattr(kernel, "targetoptions", {})
    return _Source(Inlined(function), _types_of(signature), options, lineinfo).compiled_for(arch)


@dataclass(frozen=True)
class _Source:
    """A kernel and its argument types, to be compiled for one architecture after another, for each once."""

    kernel: Inlined
    signature: Any
    options: dict[str, Any]  # of @cuda.jit
    lineinfo: bool
    found: dict[str, Compiled] = field(default_factory=dict)

    def compiled_for(self, arch: str) -> Compiled:
        if arch not in self.found:
            function = self.kernel.function
            text = to_ptx(function, self.signature, arch, self.options)
            taken = assemble(text, arch, self.options.get("max_registers"))
            self.found[arch] = Compiled(function.__name__, arch, text, _source=self, **vars(taken))
        return self.found[arch]

    def lines_for(self, arch: str) -> dict[Line, list[str]]:
        """The PTX by source line, in order of first use."""
        if not self.lineinfo:
            return {}
        text = to_ptx(self.kernel.function, self.signature, arch, self.options, lineinfo=True)
        lines: defaultdict[Line, list[str]] = defaultdict(list)
        for number, instruction in ptx.instructions(text):
            lines[self.kernel.line(number)].append(instruction)
        return dict(lines)


def _types_of(signature: Any) -> Any:
    """Numba's own ways to write a signature as they are; example arguments as their types."""
    if not isinstance(signature, tuple | list) or all(isinstance(kind, types.Type) for kind in signature):
        return signature
    from kernels.simt.language.typed import type_of  # here, since Numba's own simulator cannot load ours

    return tuple(type_of(f"signature[{place}]", value) for place, value in enumerate(signature))
