"""Two towers of blocks and the piece that joins them, drawn as toy blocks cut to fit.

What a block gives upwards has a shape, and the block above must be cut to take it. Features of a picture (square pegs)
and of a name (pointed pegs) differ, so a block that joins *features* is cut for both. Decisions all have one shape
(dovetails: a probability for each class), whoever made them, so a block that joins *decisions* takes any of them.

The three ways to fuse are those of `workbench.mixing`: early, late, and hybrid, which has both paths.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from workbench.drawing.shapes import Point, Polyline, Rect, Shape, Text
from workbench.drawing.style import BLUE, FILLS, GREEN, INK, PAPER, QUIET, VERMILLION, YELLOW

LEFT, MIDDLE, RIGHT = 8.0, 205.0, 402.0
HEIGHT, GAP, PEG = 50.0, 4.0, 12.0
BASE = 292.0  # upper edge of the inputs
SQUARE = ((-14.0, 0.0), (-14.0, PEG), (14.0, PEG), (14.0, 0.0))  # what a picture's features look like
POINT = ((-16.0, 0.0), (0.0, PEG + 3), (16.0, 0.0))  # a name's
DOVETAIL = ((-10.0, 0.0), (-17.0, PEG), (17.0, PEG), (10.0, 0.0))  # a decision, or joined features

Pegs = Sequence[tuple[float, tuple[Point, ...]]]  # where each stands, and its outline above the edge


@dataclass(frozen=True)
class Block:
    """One block: its row (0 stands on the inputs), sides, label, color, pegs it is cut for and pegs it gives."""

    row: int
    left: float
    right: float
    label: str
    color: str
    takes: Pegs
    gives: Pegs = ()
    sees: tuple[str, ...] = ("picture", "name")  # the modalities whose noise reaches it undiluted

    @property
    def bottom(self) -> float:
        return BASE - GAP - self.row * (HEIGHT + GAP)

    def outline(self) -> tuple[Point, ...]:
        """The polygon, clockwise from the upper left corner: pegs along the top, cuts for others along the bottom."""
        top, bottom = self.bottom - HEIGHT, self.bottom
        upper = [(x + dx, top - dy) for x, peg in self.gives for dx, dy in peg]
        # a cut is as high as its peg and wider by the gap, since the block itself lies a gap higher
        lower = [
            (x + dx + math.copysign(GAP, dx) * (dx != 0), bottom - dy)
            for x, peg in self.takes
            for dx, dy in peg
        ]
        return (
            (self.left, top),
            *upper,
            (self.right, top),
            (self.right, bottom),
            *reversed(lower),
            (self.left, bottom),
        )

    def shapes(self, noise: float) -> list[Shape]:
        """The block, flecked by as much noise as reaches it."""
        middle = self.bottom - HEIGHT / 2
        center = (self.left + self.right) / 2
        return [
            Polyline(
                self.outline(), fill=self.color, opacity=0.16, stroke=self.color, stroke_width=2, closed=True
            ),
            *flecks(self, noise),
            Text(center, middle, self.label, anchor="middle", weight="bold"),
        ]


def blocks(fusion: str) -> list[Block]:
    """The blocks of early, late or hybrid fusion; ValueError for another."""
    picture, name = (LEFT + MIDDLE - 5) / 2, (MIDDLE + 5 + RIGHT) / 2  # centers of the two towers
    both, center = [(picture, SQUARE), (name, POINT)], [(MIDDLE, DOVETAIL)]
    average = "average the decisions"
    category = Block(3, 90, 320, "category", INK, center, sees=())
    if fusion == "early":
        return [
            *encoders([picture], [name]),
            Block(1, LEFT, RIGHT, "join the features", VERMILLION, both, center),
            Block(2, 90, 320, "shared trunk", QUIET, center, center),
            category,
        ]
    if fusion == "late":
        return [
            *encoders([picture], [name]),
            Block(1, LEFT, MIDDLE - 5, "classifier", BLUE, [(picture, SQUARE)], [(picture, DOVETAIL)], ("picture",)),
            Block(1, MIDDLE + 5, RIGHT, "classifier", GREEN, [(name, POINT)], [(name, DOVETAIL)], ("name",)),
            Block(2, LEFT, RIGHT, average, VERMILLION, [(picture, DOVETAIL), (name, DOVETAIL)], center, ()),
            category,
        ]  # fmt: skip
    if fusion == "hybrid":
        left, right, inner = 71.0, 339.0, 34.0
        cut = [(MIDDLE - inner, SQUARE), (MIDDLE + inner, POINT)]
        return [
            *encoders([left, MIDDLE - inner], [MIDDLE + inner, right]),
            Block(1, LEFT, 134, "classifier", BLUE, [(left, SQUARE)], [(left, DOVETAIL)], ("picture",)),
            Block(1, 142, 268, "join, trunk", VERMILLION, cut, center),
            Block(1, 276, RIGHT, "classifier", GREEN, [(right, POINT)], [(right, DOVETAIL)], ("name",)),
            Block(2, LEFT, RIGHT, average, VERMILLION, [(left, DOVETAIL), *center, (right, DOVETAIL)], center, ()),
            category,
        ]  # fmt: skip
    raise ValueError(f"fusion must be early, late or hybrid, got {fusion!r}")


def encoders(picture: Sequence[float], name: Sequence[float]) -> list[Block]:
    """The foot of both towers, with pegs at the given places."""
    return [
        Block(0, LEFT, MIDDLE - 5, "picture encoder", BLUE, (), [(x, SQUARE) for x in picture], ("picture",)),
        Block(0, MIDDLE + 5, RIGHT, "name encoder", GREEN, (), [(x, POINT) for x in name], ("name",)),
    ]


def towers(fusion: str, corrupted: str, amount: float) -> list[Shape]:
    """Both inputs and the blocks above them, with noise (0..1) in one input and in every block it reaches."""
    shapes = inputs(corrupted, amount)
    for block in blocks(fusion):
        reached = (
            amount / len(block.sees) if corrupted in block.sees else 0.0
        )  # shared blocks have half of each
        shapes += block.shapes(reached)
    return shapes


def flecks(block: Block, noise: float) -> list[Shape]:
    """Specks on both sides of the label; more noise adds specks and moves none."""
    chance = random.Random(block.row)  # the same specks in every run
    beside = (block.right - block.left - 8 * len(block.label)) / 2 - 8  # a bold letter is about 8 wide
    found: list[Shape] = []
    for _ in range(round(noise * (block.right - block.left) / 7)):
        offset, drop, on_left = (
            chance.uniform(5, min(46, beside)),
            chance.uniform(22, 45),
            chance.random() < 0.5,
        )
        x = block.left + offset if on_left else block.right - offset - 4
        found.append(Rect(x, block.bottom - drop, 4, 4, fill=INK, opacity=0.75))
    return found


def inputs(corrupted: str, amount: float) -> list[Shape]:
    """A picture of 12 × 12 pixels and a name; the corrupted one has that share of its pixels or letters replaced."""
    chance = random.Random(7)
    cell, left, top = 6.0, (LEFT + MIDDLE - 5) / 2 - 36, BASE + 6
    shapes: list[Shape] = [
        Rect(LEFT, BASE, MIDDLE - 5 - LEFT, 84, stroke=BLUE, stroke_width=2),
        Rect(MIDDLE + 5, BASE, RIGHT - MIDDLE - 5, 84, stroke=GREEN, stroke_width=2),
    ]
    for row in range(12):
        for column in range(12):
            spoiled, noise = chance.random(), chance.choice((*FILLS, BLUE, GREEN, INK, PAPER))
            color = noise if corrupted == "picture" and spoiled < amount else smile(row, column)
            # a little too large, so that no seam shows between pixels
            shapes.append(Rect(left + column * cell, top + row * cell, cell + 0.4, cell + 0.4, fill=color))
    letters = [
        (letter, chance.random(), chance.choice("abcdefghijklmnopqrstuvwxyz")) for letter in "grinning face"
    ]
    name = "".join(
        other if corrupted == "name" and spoiled < amount else letter for letter, spoiled, other in letters
    )
    shapes.append(Text((MIDDLE + 5 + RIGHT) / 2, BASE + 48, f"“{name}”", size=17, anchor="middle"))
    return shapes


def smile(row: int, column: int) -> str:
    """A pixel of a smiling face."""
    x, y = column - 5.5, row - 5.5
    if x * x + y * y > 34:
        return PAPER
    eye = row in (3, 4) and column in (3, 8)
    mouth = (row == 8 and 3 < column < 8) or (row == 7 and column in (3, 8))
    return INK if eye or mouth else YELLOW
