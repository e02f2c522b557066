"""Block tower: two towers of different widths, one joint, one block on top, and whether it fits.

A block of a network has two faces: what goes in and what comes out. Like toy blocks, two of them can be stacked only if
the faces at the joint match. The explorer lets a reader cut the towers; whether the stack holds is not decided by the
drawing but by PyTorch, which really runs the stack, and in whose words the refusal is shown.
"""

from __future__ import annotations

import torch
from torch import nn

from workbench.drawing.scene import Scene
from workbench.drawing.shapes import Rect, Shape, Text
from workbench.drawing.style import BLUE, GREEN, INK, ORANGE, PAPER, QUIET, SKY, VERMILLION
from workbench.widgets.controls import Range, Select
from workbench.widgets.explorer import Explorer, State

UNIT = 5.0  # drawn width of one number, in scene units
MIDDLE, TOP_FACE, JOINT_FACE, BASE = 380.0, 105.0, 188.0, 304.0
TRUNK_WIDTH, CLASSES = 64, 8
GAP = 60.0
JOINTS = {"concatenate": "put side by side (concatenate)", "add": "add number by number"}


def block_tower() -> Explorer:
    """The explorer: cut two towers to a width, choose the joint, and see whether the top block fits."""
    return Explorer(
        title="Block tower",
        question=f"Which cuts let the top block, which takes {TRUNK_WIDTH} numbers, stand on both towers?",
        controls=[
            Range("picture", "Picture tower is cut to", 8, 64, 8, value=32),
            Range("name", "Name tower is cut to", 8, 64, 8, value=16),
            Select("joint", "The joint", JOINTS),
        ],
        frame=frame,
    )


def stack(picture: int, name: int, joint: str) -> str:
    """Runs the joint and the top block; "" when they fit, else PyTorch's own words."""
    seen, read = torch.zeros(1, picture), torch.zeros(1, name)
    top = nn.Linear(TRUNK_WIDTH, CLASSES)
    try:
        joined = seen + read if joint == "add" else torch.cat([seen, read], dim=1)  # (1, joined width)
        top(joined)
    except RuntimeError as error:
        return str(error).splitlines()[0]
    return ""


def frame(state: State) -> Scene:
    """The towers drawn to scale, the block on top, and the verdict in words."""
    picture, name, joint = int(state["picture"]), int(state["name"]), str(state["joint"])
    refusal = stack(picture, name, joint)
    fits = not refusal
    verdict = "It fits." if fits else "It does not fit. PyTorch says:"
    sign = "+" if joint == "add" else "beside"
    alt = f"A tower {picture} wide and one {name} wide ({sign}) under a block that takes {TRUNK_WIDTH}. " + (
        "The faces match." if fits else f"They do not match: {refusal}"
    )

    width = TRUNK_WIDTH * UNIT
    trunk_left = MIDDLE - width / 2
    shapes: list[Shape] = [
        Rect(trunk_left, TOP_FACE - 62, width, 62, fill=BLUE if fits else PAPER, stroke=BLUE, stroke_width=2,
             dash=() if fits else (6.0, 4.0), radius=4),
        Text(MIDDLE, TOP_FACE - 36, "decides among 8 categories", anchor="middle", weight="bold",
             fill=PAPER if fits else BLUE),
        Text(MIDDLE, TOP_FACE - 16, f"takes {TRUNK_WIDTH} numbers", anchor="middle", size=12,
             fill=PAPER if fits else BLUE),
    ]  # fmt: skip
    # towers stand GAP apart, so that their labels do; the joint closes the gap
    whole = (picture + name) * UNIT + GAP
    lefts = (MIDDLE - whole / 2, MIDDLE + whole / 2 - name * UNIT)
    if joint == "add":
        # number by number: only what both have adds up, the rest has no partner
        common, rest = min(picture, name), abs(picture - name)
        left = MIDDLE - max(picture, name) * UNIT / 2
        faces = [(left, common, GREEN), *([(left + common * UNIT, rest, VERMILLION)] if rest else [])]
    else:
        left = MIDDLE - (picture + name) * UNIT / 2
        faces = [(left, picture, ORANGE), (left + picture * UNIT, name, SKY)]
    arrive = "" if joint == "add" and picture != name else f"{sum(cut for _, cut, _ in faces)} arrive"
    shapes += joint_faces(faces, arrive or f"{rest} without a partner", fits)
    for left, cut, label, fill in (
        (lefts[0], picture, "sees the picture", ORANGE),
        (lefts[1], name, "reads the name", SKY),
    ):
        shapes += tower(left, cut, label, fill)
    shapes.append(
        Text(MIDDLE, 16, verdict, anchor="middle", size=14, weight="bold", fill=GREEN if fits else VERMILLION)
    )
    if refusal:
        shapes.append(Text(MIDDLE, 34, refusal, anchor="middle", size=12, fill=QUIET))
    return Scene(760, BASE + 62, tuple(shapes), alt)


def tower(left: float, cut: int, label: str, fill: str) -> list[Shape]:
    """One tower: three courses that narrow or widen to the cut, its label and the width of its face."""
    width = cut * UNIT
    courses: list[Shape] = [
        Rect(left, JOINT_FACE + course * 38 + 6, width, 34, fill=fill, stroke=INK, stroke_width=1, radius=3)
        for course in range(3)
    ]
    center = left + width / 2
    return [
        *courses,
        Text(center, BASE + 24, label, anchor="middle", weight="bold"),
        Text(center, BASE + 42, f"{cut} numbers", anchor="middle", size=12, fill=QUIET),
    ]


def joint_faces(faces: list[tuple[float, int, str]], words: str, fits: bool) -> list[Shape]:
    """What the joint hands up, outlined against the face of the top block, and what arrives there in words."""
    y = TOP_FACE + 26
    shapes: list[Shape] = []
    for left, cut, fill in faces:
        shapes.append(Rect(left, y, cut * UNIT, 26, fill=fill, stroke=INK, stroke_width=1))
        shapes.append(Text(left + cut * UNIT / 2, y + 18, str(cut), anchor="middle", size=12, weight="bold"))
    total = sum(cut for _, cut, _ in faces)
    edge = GREEN if fits else VERMILLION
    return [
        *shapes,
        Rect(faces[0][0], y - 5, total * UNIT, 36, stroke=edge, stroke_width=2.5),
        Text(MIDDLE, y + 48, words, fill=edge, weight="bold", anchor="middle"),
    ]
