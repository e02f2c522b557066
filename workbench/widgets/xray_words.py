"""The x-ray in words: what a warp does in a step, and whether that is as good as it could be."""

from __future__ import annotations

from kernels.simt.counters import WARP
from kernels.simt.record import Step
from workbench.drawing.style import GREEN, QUIET, VERMILLION
from workbench.widgets.xray_banks import punched
from workbench.widgets.xray_lanes import lanes_of
from workbench.widgets.xray_memory import fetch

Verdict = tuple[str, str]  # a sentence, and its color
ACTIONS = {"load": "read", "store": "write", "atomic": "update"}
DOINGS = {  # of many lanes, and of one
    "barrier": ("wait at the barrier", "waits at the barrier"),
    "shuffle": ("exchange a value", "exchanges a value"),
    "vote": ("vote", "votes"),
}


def counted(number: int, thing: str) -> str:
    """ "1 lane", "32 lanes"."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def told(step: Step) -> str:
    """What the warp does: "Warp 0, line 12: 32 lanes read 128 bytes of x"."""
    start = f"Warp {step.warp}, line {step.line}"
    active = len(lanes_of(step.active))
    lanes = counted(active, "lane")
    one = active == 1
    if step.kind in ACTIONS:
        verb = ACTIONS[step.kind] + ("s" if one else "")
        where = f"{step.array}{' in shared memory' if step.space == 'shared' else ''}"
        turns = ", atomically" if step.kind == "atomic" else ""
        return f"{start}: {lanes} {verb} {counted(step.size * active, 'byte')} of {where}{turns}"
    if step.kind == "branch":
        taken = len(lanes_of(step.active & step.taken))
        return f"{start}: a test is true for {taken} of {lanes}"
    many, single = DOINGS.get(step.kind, ("compute", "computes"))
    return f"{start}: {lanes} {single if one else many}"


def judged(step: Step) -> Verdict:
    """Whether the step wastes anything."""
    if step.kind in ACTIONS:
        return shared(step) if step.space == "shared" else everywhere(step)
    active = len(lanes_of(step.active))
    if step.kind == "branch":
        taken = len(lanes_of(step.active & step.taken))
        if 0 < taken < active:
            return "Divergent: the warp walks both ways, one after the other.", VERMILLION
        return "Uniform: all lanes go the same way, which costs nothing.", GREEN
    if active < WARP:
        return (
            f"{counted(WARP - active, 'lane')} of the warp {'is' if active == WARP - 1 else 'are'} idle.",
            QUIET,
        )
    return "All lanes of the warp are at work.", GREEN


def everywhere(step: Step) -> Verdict:
    """Of a request to global memory."""
    if (meeting := turns(step)) is not None:
        return meeting
    fetched = fetch(step)
    sectors = counted(len(fetched.sectors), "sector")
    if len(fetched.sectors) <= fetched.least:
        if fetched.used == step.size and len(step.addresses) > 1:
            return f"{sectors}: all lanes ask for the same {counted(step.size, 'byte')}, a broadcast.", GREEN
        return f"{sectors}: coalesced, as few as {counted(fetched.used, 'byte')} can lie in.", GREEN
    share = f"{fetched.used / fetched.fetched:.0%}"
    return f"{sectors} where {fetched.least} would do: {share} of the bytes moved were asked for.", VERMILLION


def shared(step: Step) -> Verdict:
    """Of a request to shared memory."""
    if (meeting := turns(step)) is not None:
        return meeting
    request = punched(step)
    wavefronts, least = request.wavefronts, len(request.groups)
    passes = counted(wavefronts, "wavefront")
    if wavefronts > least:
        highest = request.highest
        bank = max(highest, key=lambda number: highest[number])
        words = f"{highest[bank]} different words lie in bank {bank}"
        return f"{passes} where {least} would do: a bank conflict, for {words}.", VERMILLION
    apart = "" if least == 1 else f", one for every {request.at_once} lanes of {step.size} bytes"
    return f"{passes}{apart}: no bank conflict.", GREEN


def turns(step: Step) -> Verdict | None:
    """Of an atomic access where lanes meet at an address; None where none do."""
    lanes, places = len(step.addresses), len(set(step.addresses))
    if step.kind != "atomic" or lanes == places:
        return None
    met = "one address" if places == 1 else f"{places} addresses"
    return f"{lanes} lanes meet at {met} and take turns.", VERMILLION
