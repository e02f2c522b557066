"""A request to global memory: the warp's lanes above, the 32-byte sectors they touch below, and what of them is used.

Memory moves in whole sectors, four of them to a 128-byte line, so what a lane asks for brings its neighborhood along.
Only lines that are touched are drawn, in the order of their addresses. The rule: `kernels/simt/instruments/traffic.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

from kernels.simt.instruments.traffic import SECTOR, SECTORS_OF_LINE, sectors_of
from kernels.simt.record import Step
from workbench.drawing.ink_png import text_width
from workbench.drawing.shapes import Line, Rect, Shape, Text
from workbench.drawing.style import BLUE, EDGE, ORANGE, PAPER, QUIET
from workbench.widgets.xray_lanes import LEFT, RIGHT, SMALL, TOP, WIDTH, center, lanes_of, titled
from workbench.widgets.xray_text import cut

LINE = SECTOR * SECTORS_OF_LINE  # bytes
STRIP, HEIGHT, USE = 244.0, 28.0, 330.0  # top of the memory strip, its height; top of the bar of use


@dataclass(frozen=True)
class Fetch:
    """What one request brings: its sectors, and the runs of bytes in them that lanes asked for."""

    sectors: tuple[int, ...]
    runs: tuple[tuple[int, int], ...]  # first byte, byte behind the last; ascending and apart

    @property
    def fetched(self) -> int:
        """Bytes moved."""
        return SECTOR * len(self.sectors)

    @property
    def used(self) -> int:
        """Distinct bytes that a lane asked for."""
        return sum(end - start for start, end in self.runs)

    @property
    def least(self) -> int:
        """The fewest sectors that as many bytes could lie in."""
        return -(-self.used // SECTOR)


def fetch(step: Step) -> Fetch:
    """The sectors and bytes of a request."""
    runs: list[tuple[int, int]] = []
    for address in sorted(set(step.addresses)):
        if runs and address <= runs[-1][1]:
            runs[-1] = (runs[-1][0], max(runs[-1][1], address + step.size))
        else:
            runs.append((address, address + step.size))
    return Fetch(tuple(sorted(sectors_of(step.addresses, step.size))), tuple(runs))


@dataclass(frozen=True)
class Strip:
    """Where the touched lines stand in the picture."""

    lines: tuple[int, ...]

    @property
    def pitch(self) -> float:
        return WIDTH / len(self.lines)

    @property
    def width(self) -> float:
        """Of a line, less the gap to the next."""
        return WIDTH if len(self.lines) == 1 else self.pitch - min(4.0, 0.16 * self.pitch)

    def place(self, byte: float, line: int | None = None) -> float:
        """The x of a byte of memory; `line` decides for the end of one, which is the start of the next."""
        line = int(byte // LINE) if line is None else line
        return LEFT + self.lines.index(line) * self.pitch + (byte - line * LINE) / LINE * self.width


def request(step: Step) -> list[Shape]:
    """Lanes, their paths, the sectors, and a bar of the bytes used among those fetched."""
    fetched = fetch(step)
    lines = tuple(dict.fromkeys(sector // SECTORS_OF_LINE for sector in fetched.sectors))
    strip = Strip(lines)
    lanes = lanes_of(step.active)
    drawn = titled(f"Lanes of warp {step.warp}", lanes)
    for lane, address in zip(lanes, step.addresses, strict=True):
        end = strip.place(address + min(step.size, LINE - address % LINE) / 2, address // LINE)
        drawn.append(Line(center(lane), TOP + 42, end, STRIP - 2, stroke=BLUE, stroke_width=0.9))
    drawn += sectors(strip, fetched)
    drawn += labels(strip)
    name = "line" if len(lines) == 1 else "lines"
    told = f"{cut(step.array or 'memory', 20)}: {len(lines)} {name} of 128 bytes, each four sectors; numbers are bytes"
    drawn.append(Text(LEFT, STRIP + HEIGHT + 36, told, size=SMALL, fill=QUIET))
    return drawn + use(fetched)


def sectors(strip: Strip, fetched: Fetch) -> list[Shape]:
    """Every sector of the touched lines: fetched ones orange, and blue over it where a lane wanted the bytes."""
    drawn: list[Shape] = []
    for line in strip.lines:
        for sector in range(line * SECTORS_OF_LINE, (line + 1) * SECTORS_OF_LINE):
            left, right = strip.place(sector * SECTOR, line), strip.place((sector + 1) * SECTOR, line)
            if sector in fetched.sectors:
                drawn.append(Rect(left, STRIP, right - left, HEIGHT, fill=ORANGE))
    for start, end in fetched.runs:
        for line in strip.lines:
            low, high = max(start, line * LINE), min(end, (line + 1) * LINE)
            if low < high:
                left, right = strip.place(low, line), strip.place(high, line)
                drawn.append(Rect(left, STRIP, right - left, HEIGHT, fill=BLUE))
    for line in strip.lines:
        left, sector_width = strip.place(line * LINE, line), strip.width / SECTORS_OF_LINE
        if sector_width > 4:  # narrower ones would be nothing but their edges
            for x in (left + part * sector_width for part in range(1, SECTORS_OF_LINE)):
                drawn.append(Line(x, STRIP, x, STRIP + HEIGHT, stroke=PAPER, stroke_width=2))
                drawn.append(Line(x, STRIP, x, STRIP + HEIGHT, stroke=EDGE, stroke_width=0.8))
        drawn.append(Rect(left, STRIP, strip.width, HEIGHT, stroke=QUIET, stroke_width=0.8))
    return drawn


def labels(strip: Strip) -> list[Shape]:
    """The address of each line's first byte, as far as there is room; first and last at least."""
    texts = [f"{line * LINE:,}" for line in strip.lines]
    widest = max(text_width(text, SMALL) for text in texts) + 8
    every = max(1, -(-int(widest) // max(1, int(strip.pitch))))
    y = STRIP + HEIGHT + 16
    return [
        Text(strip.place(line * LINE, line), y, text, size=SMALL)
        for place, (line, text) in enumerate(zip(strip.lines, texts, strict=True))
        if place % every == 0 and strip.place(line * LINE, line) + widest <= RIGHT + 8
    ]


def use(fetched: Fetch) -> list[Shape]:
    """A bar as long as what was fetched, blue as far as it was used."""
    share = fetched.used / fetched.fetched
    return [
        Rect(LEFT, USE, WIDTH, 12, fill=ORANGE),
        Rect(LEFT, USE, WIDTH * share, 12, fill=BLUE),
        Rect(LEFT, USE, WIDTH, 12, stroke=EDGE, stroke_width=0.8),
        Text(LEFT, USE + 28, f"{fetched.used:,} of {fetched.fetched:,} bytes moved were asked for", size=12),
    ]
