"""A request to shared memory as a punch card: a row for each lane, a column for each of the 32 banks.

A bank serves one 4-byte word at a time, to all lanes that ask for it. Holes below each other are harmless as long as
they are one word, a broadcast; different words pile up at their bank, and the highest pile is the number of passes,
the wavefronts. Wide accesses go by groups of lanes, one after the other. The rule is in
`kernels/simt/instruments/traffic.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

from kernels.simt.counters import WARP
from kernels.simt.instruments.traffic import BANKS, bank_words, lanes_at_once
from kernels.simt.record import Step
from workbench.drawing.shapes import Line, Rect, Shape, Text
from workbench.drawing.style import BLUE, EDGE, QUIET, VERMILLION
from workbench.widgets.xray_lanes import LEFT, RIGHT, SMALL, TOP, lanes_of

CARD, UPPER, HOLE = LEFT + 26, 106.0, 7.8  # left and upper edge of the card; height of a row
BANK = (RIGHT - CARD) / BANKS  # width of a column
PILES, TALLEST = 424.0, 40.0  # where the piles stand, and how high they may be


@dataclass(frozen=True)
class Punched:
    """Which lane asks which bank for which word, by groups of lanes that are served together."""

    holes: tuple[tuple[int, int, int], ...]  # (lane, bank, word)
    at_once: int  # lanes of a group

    def piles(self, group: int) -> dict[int, int]:
        """The number of distinct words that a group of lanes asks of each bank."""
        asked = {(bank, word) for lane, bank, word in self.holes if lane // self.at_once == group}
        return {bank: sum(b == bank for b, _ in asked) for bank, _ in asked}

    @property
    def groups(self) -> list[int]:
        """The groups with an active lane."""
        return sorted({lane // self.at_once for lane, _, _ in self.holes})

    @property
    def wavefronts(self) -> int:
        """Passes in all: the highest pile of each group."""
        return sum(max(self.piles(group).values()) for group in self.groups)

    @property
    def highest(self) -> dict[int, int]:
        """The highest pile of each bank over all groups."""
        piles = [self.piles(group) for group in self.groups]
        return {bank: max(pile.get(bank, 0) for pile in piles) for bank in range(BANKS)}


def punched(step: Step) -> Punched:
    """The holes of a request."""
    asked = zip(lanes_of(step.active), bank_words(step.addresses, step.size), strict=True)
    holes = tuple((lane, bank, word) for lane, words in asked for bank, word in words)
    return Punched(holes, lanes_at_once(step.size))


def card(step: Step) -> list[Shape]:
    """The punch card of a request, and under it the piles."""
    request = punched(step)
    return [*frame(request), *holes(request), *piles(request)]


def frame(request: Punched) -> list[Shape]:
    """The card's edge and numbers; a line between groups of lanes that are served apart."""
    bottom = UPPER + WARP * HOLE
    drawn: list[Shape] = [
        Text(CARD, TOP, "Lanes (down) and banks (across)", size=12, weight="bold"),
        Rect(CARD, UPPER, RIGHT - CARD, bottom - UPPER, stroke=QUIET, stroke_width=0.8),
    ]
    for number in (0, 8, 16, 24, 31):
        x, y = CARD + (number + 0.5) * BANK, UPPER + (number + 0.5) * HOLE
        drawn.append(Text(x, UPPER - 5, str(number), size=SMALL, fill=QUIET, anchor="middle"))
        drawn.append(Text(CARD - 6, y + 4, str(number), size=SMALL, fill=QUIET, anchor="end"))
    for number in range(4, BANKS, 4):
        x, y = CARD + number * BANK, UPPER + number * HOLE
        drawn.append(Line(x, UPPER, x, bottom, stroke=EDGE, stroke_width=0.6))
        apart = number % request.at_once == 0
        color, width = (QUIET, 1.4) if apart else (EDGE, 0.6)
        drawn.append(Line(CARD, y, RIGHT, y, stroke=color, stroke_width=width))
    return drawn


def holes(request: Punched) -> list[Shape]:
    """A hole for each word that a lane asks for; where its bank has others to serve too, it is ringed in red."""
    piles = {group: request.piles(group) for group in request.groups}
    drawn: list[Shape] = []
    for lane, bank, _ in dict.fromkeys(request.holes):
        conflict = piles[lane // request.at_once][bank] > 1
        box = (CARD + bank * BANK + 1, UPPER + lane * HOLE + 0.8, BANK - 2, HOLE - 1.6)
        if conflict:
            drawn.append(Rect(*box, fill=VERMILLION, stroke=VERMILLION, stroke_width=0.8))
        else:
            drawn.append(Rect(*box, fill=BLUE))
    return drawn


def piles(request: Punched) -> list[Shape]:
    """How many words wait at each bank, upright bars with the highest one's number."""
    highest = request.highest
    most = max(highest.values())
    unit = TALLEST / max(most, 8)
    drawn: list[Shape] = [Line(CARD, PILES, RIGHT, PILES, stroke=QUIET, stroke_width=0.8)]
    for bank, words in highest.items():
        if words:
            color = VERMILLION if words > 1 else BLUE
            drawn.append(
                Rect(CARD + bank * BANK + 1, PILES - words * unit, BANK - 2, words * unit, fill=color)
            )
    told = "words asked of each bank" if most == 1 else f"words asked of each bank: up to {most}"
    drawn.append(Text(CARD, PILES + 16, told, size=SMALL, fill=QUIET))
    return drawn
