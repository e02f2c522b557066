"""A kernel with the device functions that it calls folded in, and their lines told apart from its own.

The line table that Numba writes knows one file: the lines of an inlined device function that stands in another file, or
further up in the same one, come out as lines of the kernel. And a function compiled apart from the kernel is not in it.

So we compile a copy of the kernel in which every device function is inline, and number its lines from a million of its
own: line 23 of the first one is 1000023. A GPU's linker inlines device functions as a rule, so little else differs.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kernels.backend import cuda

if TYPE_CHECKING:
    from kernels.simt.hazards import Line

APART = 1_000_000  # more lines than a file has


class Inlined:
    """A kernel's copy to compile (`function`), which knows where the lines of that copy come from."""

    def __init__(self, kernel: Callable[..., Any]) -> None:
        self._files = [kernel.__code__.co_filename]  # of the kernel, then of each device function
        self._copies: dict[Any, Any] = {}  # device function -> its copy
        self.function = self._with_copies(kernel, kernel.__code__)

    def line(self, number: int) -> Line:
        """The source line of a number in the copy's line table: "file.py:23" if it is not in the kernel's file."""
        file, line = divmod(number, APART)
        here = self._files[file]
        return line if here == self._files[0] else f"{Path(here).name}:{line}"

    def _with_copies(self, function: Any, code: types.CodeType) -> Any:
        """`function` with `code`, in which names of device functions mean their copies."""
        cells = function.__closure__ or ()
        named = {name: function.__globals__.get(name) for name in code.co_names}
        copies = {name: self._copy(value) for name, value in named.items() if _is_device_function(value)}
        copy = types.FunctionType(
            code,
            {**function.__globals__, **copies},
            function.__name__,
            function.__defaults__,
            tuple(
                types.CellType(self._copy(cell.cell_contents)) if _holds_device_function(cell) else cell
                for cell in cells
            ),
        )
        copy.__kwdefaults__, copy.__module__ = function.__kwdefaults__, function.__module__
        copy.__qualname__ = function.__qualname__
        return copy

    def _copy(self, device_function: Any) -> Any:
        if device_function not in self._copies:
            self._copies[device_function] = device_function  # where it calls itself it stays as it is
            function = device_function.py_func
            first = function.__code__.co_firstlineno + APART * len(self._files)
            self._files.append(function.__code__.co_filename)
            copy = self._with_copies(function, function.__code__.replace(co_firstlineno=first))
            options = {"fastmath": True} if device_function.targetoptions.get("fastmath") else {}
            self._copies[device_function] = cuda.jit(device=True, inline="always", **options)(copy)
        return self._copies[device_function]


def _is_device_function(value: Any) -> bool:
    return hasattr(value, "py_func") and bool(getattr(value, "targetoptions", {}).get("device"))


def _holds_device_function(cell: types.CellType) -> bool:
    try:
        return _is_device_function(cell.cell_contents)
    except ValueError:  # a name that is not bound yet
        return False
