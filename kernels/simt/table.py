"""A run as text: what each line of the kernel cost, the totals, and what was found wrong.

    line  code                    requests  sectors/request  wavefronts  conflicts  active
      12      tile[t] = x[i]             4                4           2          0    100%

requests: a warp's accesses, to global and shared memory, atomics among them. sectors/request: of global loads and
stores, 4 at best for 32 lanes of 4 bytes. wavefronts, conflicts: of shared memory, a conflict being a wavefront beyond
the fewest possible. active: lanes at work when a warp executes the line, as a share of 32. Which metric of Nsight
Compute each of them is stands in `counters.py`.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, zip_longest

from kernels.simt.counters import Counters
from kernels.simt.hazards import Hazard, Line
from kernels.simt.record import Record, SourceLine

WIDTH = 110  # letters of a line
HEADINGS = ("requests", "sectors/request", "wavefronts", "conflicts", "active")


class Table(str):
    """A text that shows itself as it is where an ordinary string would show quotes and escapes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


@dataclass(frozen=True)
class Row:
    """A row of a listing: a line of source, or with `line` None the name of the file that follows."""

    line: Line | None
    text: str

    @property
    def number(self) -> str:
        """The number of the line in its file."""
        return "" if self.line is None else str(self.line).rpartition(":")[2]


def rows_of(source: Sequence[SourceLine]) -> list[Row]:
    """The kernel's lines, then those of its device functions, each function without its outer indentation."""
    rows: list[Row] = []
    for (file, function), group in groupby(source, key=lambda line: (file_of(line.line), line.function)):
        lines = list(group)
        if rows:
            rows.append(Row(None, f"{function}, in {file or 'the same file'}:"))
        texts = textwrap.dedent("\n".join(line.text.expandtabs(4) for line in lines)).split("\n")
        rows += [Row(line.line, text.rstrip()) for line, text in zip(lines, texts, strict=True)]
    return rows


def file_of(line: Line) -> str:
    """The file of an inlined device function; nothing for the kernel's own."""
    return line.rpartition(":")[0] if isinstance(line, str) else ""


def table(run: Record) -> Table:
    """The run as text of at most 110 letters a line; equal runs give equal texts."""
    rows: list[tuple[str, str, tuple[str, ...]]] = [("line", "code", HEADINGS)]
    for row in rows_of(run.source):
        counters = run.lines.get(row.line) if row.line is not None else None
        rows.append((row.number, row.text, cells(counters) if counters else ()))
    rows.append(("", "whole launch", cells(run.counters)))
    parts = [title(run), "", *aligned(rows), "", *found("Hazards", run.hazards)]
    return Table("\n".join([*parts, *(found("Notes", run.notes) if run.notes else ())]))


def aligned(rows: Sequence[tuple[str, str, tuple[str, ...]]]) -> Iterator[str]:
    """Rows of a number, code and figures as lines: figures as wide as they need, code cut to what is left."""
    widths = [max(map(len, column)) for column in zip_longest(*(row[2] for row in rows), fillvalue="")]
    room = WIDTH - 7 - sum(width + 2 for width in widths)
    for number, text, values in rows:
        code = text if len(text) <= room else f"{text[: room - 1]}…"
        figures = "".join(f"  {value:>{width}}" for value, width in zip(values, widths, strict=False))
        yield f"{number:>5}  {code:<{room}}{figures}".rstrip()


def title(run: Record) -> str:
    """What was launched: "reverse[4, 64]: 8 warps, 256 bytes of shared memory a block"."""
    warps = f"{run.warps:,} warp{'' if run.warps == 1 else 's'}"
    shared = f", {run.shared_bytes:,} bytes of shared memory a block" if run.shared_bytes else ""
    return f"{run.kernel}[{extent(run.grid)}, {extent(run.block)}]: {warps}{shared}"


def extent(sizes: tuple[int, ...]) -> str:
    """A grid's or a block's sizes as a launch has them: "4", "(4, 2)"."""
    return str(sizes[0]) if len(sizes) == 1 else str(tuple(sizes))


def cells(line: Counters) -> tuple[str, ...]:
    """The figures of a line; empty where it does nothing of the kind."""
    in_global = line.global_load_requests + line.global_store_requests
    in_shared = line.shared_load_requests + line.shared_store_requests
    requests = in_global + in_shared + line.atomics
    return (
        f"{requests:,}" if requests else "",
        f"{line.sectors_per_request:.3g}" if in_global else "",
        f"{line.shared_load_wavefronts + line.shared_store_wavefronts:,}" if in_shared else "",
        f"{line.shared_bank_conflicts:,}" if in_shared else "",
        f"{line.warp_efficiency:.0%}" if line.statements else "",
    )


def found(heading: str, hazards: Sequence[Hazard]) -> Iterator[str]:
    """Hazards or notes, one a paragraph, with its block."""
    if not hazards:
        yield f"{heading}: none"
        return
    yield f"{heading}: {len(hazards)}"
    for hazard in hazards:
        told = f"{hazard.kind}, line {hazard.line}, block {hazard.block}: {hazard.message}"
        yield textwrap.fill(told, WIDTH, initial_indent="  ", subsequent_indent="    ")
