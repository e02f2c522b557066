"""Which statements a segment executes: a source line counts once, in however many pieces it runs.

A lazy expression is cut into segments: the second part of `a and b`, each side of `x if c else y`, the store of what
came out. They are one statement, executed by the lanes that began it. Only a way back makes a line run anew: that is
what a loop does to its test.
"""

import dataclasses
from collections.abc import Sequence

from kernels.simt.hazards import Line
from kernels.simt.machine.program import Branch, Jump, Segment, Wait


def leading_to(segments: Sequence[Segment]) -> dict[int, list[int]]:
    """For each segment's number, the numbers of those that lanes may come from."""
    found: dict[int, list[int]] = {}
    for number, segment in enumerate(segments):
        end = segment.end
        if isinstance(end, Branch):
            targets = {end.yes, end.no}
        else:
            targets = {end.target} if isinstance(end, Jump | Wait) else set()
        for target in targets:
            found.setdefault(target, []).append(number)
    return found


def count_once(segments: Sequence[Segment]) -> None:
    """Take from each segment the line that all lanes were already executing when they came to it."""
    before = leading_to(segments)
    last: dict[int, Line | None] = {}  # the line that lanes are executing when they leave a segment
    for number, segment in enumerate(segments):
        came_from = before.get(number, [])
        lines = {last[earlier] if earlier < number else None for earlier in came_from}
        going_on = lines.pop() if len(lines) == 1 else None
        last[number] = segment.lines[-1] if segment.lines else going_on
        if segment.lines and segment.lines[0] == going_on:
            del segment.lines[0]


def chain_tests(segments: Sequence[Segment]) -> None:
    """Tie the branches that one test makes (`a and b`) together, so that they count as one."""
    before = leading_to(segments)
    for number, segment in enumerate(segments):
        end = segment.end
        if not isinstance(end, Branch):
            continue
        chain, came_from = number, before.get(number, [])
        if len(came_from) == 1 and end.kind == "if" and came_from[0] < number:
            earlier = segments[came_from[0]].end
            if isinstance(earlier, Branch) and earlier.kind == "if" and earlier.line == end.line:
                chain = earlier.chain
                segments[came_from[0]].end = dataclasses.replace(earlier, last=False)
        segment.end = dataclasses.replace(end, chain=chain)
