"""What `simt.launch` gives back: the record of a launch, and ways to look at it."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

from kernels.simt.hazards import Line
from kernels.simt.record import Record
from kernels.simt.table import Table, extent, table


class Run(Record):
    """A finished launch, or one that a hazard has ended.

    counters, lines: what it cost, in total and by source line. hazards, notes: what is wrong with it, and what only
    looks so. steps: what the warps of its first block did, one after another.
    """

    def table(self) -> Table:
        """The run as text: the cost of each line, the totals, hazards and notes."""
        return table(self)

    def show(self, arch: str | None = None) -> Any:
        """The x-ray: an explorer of the source with its heat, and of each step of a warp.

        arch: with an architecture or a GPU, such as "sm_90" or "H200", the x-ray has the compiler's PTX beside each
        line. Raises CompilerMissing for that where the extra `compiler` is not installed.
        """
        # the one door from here to the workbench, which draws and stands above: opened only when somebody looks
        explorer: Any = importlib.import_module("workbench.widgets.xray").XRay
        return explorer(self, self._ptx(arch) if arch is not None else None)

    def _ptx(self, arch: str) -> Mapping[Line, Sequence[str]]:
        compiled: Any = importlib.import_module("kernels.compiled")
        lines: Mapping[Line, Sequence[str]] = compiled.inspect(self.function, self.kinds, arch).lines
        return lines

    def __repr__(self) -> str:
        found = ", ".join(hazard.kind for hazard in self.hazards) or "no hazards"
        return f"{self.kernel}[{extent(self.grid)}, {extent(self.block)}]: {found}; see .table() and .show()"
