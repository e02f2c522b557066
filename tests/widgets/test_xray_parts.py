"""The parts of the x-ray, held to the simulator's own counting and to cases worked out by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.simt.counters import Counters
from kernels.simt.instruments.traffic import global_traffic, shared_traffic
from kernels.simt.record import Step
from workbench.drawing.shapes import Line, Rect
from workbench.drawing.style import BLUE, GREEN, ORANGE, VERMILLION
from workbench.widgets import Scene
from workbench.widgets.xray_banks import card, punched
from workbench.widgets.xray_heat import HEATS, shown
from workbench.widgets.xray_lanes import LANE, barrier, branch, center, lanes_of, others
from workbench.widgets.xray_memory import HEIGHT, STRIP, fetch, request
from workbench.widgets.xray_source import gaps, window
from workbench.widgets.xray_words import judged, told

ALL = (1 << 32) - 1
masks = st.one_of(st.just(ALL), st.integers(1, ALL))
sizes = st.sampled_from([1, 2, 4, 8, 16])


def access(addresses, size=4, active=ALL, space="global", kind="load"):
    return Step(0, 7, kind, active, space, "x", size, tuple(addresses))


@st.composite
def accesses(draw, space):
    """A request with aligned addresses: side by side, strided or scattered."""
    active, size = draw(masks), draw(sizes)
    lanes = lanes_of(active)
    if draw(st.booleans()):
        start, stride = draw(st.integers(0, 40)), draw(st.integers(0, 70))
        places = [start + stride * lane for lane in lanes]
    else:
        places = draw(st.lists(st.integers(0, 3000), min_size=len(lanes), max_size=len(lanes)))
    return access([size * place for place in places], size, active, space)


def inside(shapes):
    return Scene(900, 452, tuple(shapes), "shapes of a panel")


@settings(max_examples=60, deadline=None)
@given(accesses("global"))
def test_a_request_has_the_sectors_that_the_simulator_counts(step):
    addresses, lanes = np.array(step.addresses), np.array(lanes_of(step.active))
    _, sectors, _ = global_traffic(addresses, lanes, step.size)
    found = fetch(step)
    assert len(found.sectors) == sectors
    touched = {address + byte for address in step.addresses for byte in range(step.size)}
    assert found.used == len(touched)
    assert found.fetched >= found.used
    assert {byte for start, end in found.runs for byte in range(start, end)} == touched
    assert found.least <= sectors


@settings(max_examples=60, deadline=None)
@given(accesses("shared"))
def test_a_punch_card_has_the_wavefronts_that_the_simulator_counts(step):
    addresses, lanes = np.array(step.addresses), np.array(lanes_of(step.active))
    _, wavefronts, least = shared_traffic(addresses, lanes, step.size)
    assert (punched(step).wavefronts, len(punched(step).groups)) == (wavefronts, least)


@settings(max_examples=60, deadline=None)
@given(accesses("global"))
def test_any_request_gives_a_readable_picture(readable, step):
    shapes = request(step)
    readable(inside(shapes))
    assert_within(shapes)
    assert sum(isinstance(s, Line) and s.stroke == BLUE for s in shapes) == len(step.addresses)


@settings(max_examples=60, deadline=None)
@given(accesses("shared"))
def test_any_punch_card_is_readable(readable, step):
    shapes = card(step)
    readable(inside(shapes))
    assert_within(shapes)


@settings(max_examples=60, deadline=None)
@given(masks, masks)
def test_lanes_at_a_test_or_a_barrier_are_readable(readable, active, taken):
    for shapes in (
        branch(Step(0, 7, "branch", active, taken=taken & active)),
        barrier(Step(0, 7, "barrier", active)),
        others(Step(0, 7, "vote", active)),
    ):
        readable(inside(shapes))
        assert_within(shapes)


def assert_within(shapes):
    for shape in shapes:
        if isinstance(shape, Rect):
            assert 500 < shape.x <= shape.x + shape.width < 893
            assert 0 < shape.y <= shape.y + shape.height < 452
        if isinstance(shape, Line):
            assert 500 < min(shape.x1, shape.x2) <= max(shape.x1, shape.x2) < 893


def test_side_by_side_lanes_go_straight_down():
    for line in request(access(range(0, 128, 4))):
        if isinstance(line, Line) and line.stroke == BLUE:
            assert line.x1 == pytest.approx(line.x2)


def test_lanes_lead_to_their_own_bytes():
    """A stride of two words: two lines, every other word blue on orange, half of what is fetched."""
    shapes = request(access(range(0, 256, 8)))
    paths = [s for s in shapes if isinstance(s, Line) and s.stroke == BLUE]
    used = [
        s for s in shapes if isinstance(s, Rect) and s.fill == BLUE and (s.y, s.height) == (STRIP, HEIGHT)
    ]
    fetched = [s for s in shapes if isinstance(s, Rect) and s.fill == ORANGE and s.y == STRIP]
    assert len(paths) == len(used) == 32
    assert len(fetched) == 8
    for path, word in zip(paths, used, strict=True):
        assert word.x < path.x2 < word.x + word.width
        assert word.width == pytest.approx(fetched[0].width / 8)  # 4 of 32 bytes
        assert sum(box.x <= path.x2 <= box.x + box.width for box in fetched) == 1


def test_a_conflict_is_red_and_a_broadcast_is_not():
    def colors(addresses):
        return {s.fill for s in card(access(addresses, space="shared")) if isinstance(s, Rect)} - {"none"}

    assert colors([128 * lane for lane in range(32)]) == {VERMILLION}
    assert colors([64] * 32) == {BLUE}
    assert colors([4 * (lane % 16) for lane in range(32)]) == {BLUE}
    assert colors([8 * lane for lane in range(32)]) == {VERMILLION}
    assert colors([132 * lane for lane in range(32)]) == {BLUE}  # a tile padded to 33 columns


def test_idle_lanes_ask_for_nothing():
    step = access([0, 128], active=0b101, space="shared")
    assert punched(step).holes == ((0, 0, 0), (2, 0, 32))
    line = next(
        s for s in request(access([0, 128], active=0b101)) if isinstance(s, Line) and s.stroke == BLUE
    )
    assert line.x1 == center(0)
    boxes = [s for s in branch(Step(0, 7, "branch", 0b101)) if isinstance(s, Rect) and s.fill == BLUE]
    assert len(boxes) == 2 + 2  # at the test, and on the way that both take
    assert boxes[1].x - boxes[0].x == pytest.approx(2 * LANE)


@pytest.mark.parametrize(
    ("step", "verdict", "color"),
    [
        (access(range(0, 128, 4)), "4 sectors: coalesced, as few as 128 bytes can lie in.", GREEN),
        (access(range(124, -4, -4)), "4 sectors: coalesced, as few as 128 bytes can lie in.", GREEN),
        (access(range(4, 132, 4)), "5 sectors where 4 would do: 80% of the bytes moved", VERMILLION),
        (access(range(0, 4096, 128)), "32 sectors where 4 would do: 12% of the bytes moved", VERMILLION),
        (access([64] * 32), "1 sector: all lanes ask for the same 4 bytes, a broadcast.", GREEN),
        (access(range(0, 256, 8), 8), "8 sectors: coalesced, as few as 256 bytes can lie in.", GREEN),
        (access([0], active=1), "1 sector: coalesced, as few as 4 bytes can lie in.", GREEN),
        (access([0] * 32, kind="atomic"), "32 lanes meet at one address and take turns.", VERMILLION),
        (access([4 * (i % 2) for i in range(32)], kind="atomic"), "32 lanes meet at 2 addresses", VERMILLION),
        (access(range(0, 128, 4), kind="atomic"), "4 sectors: coalesced", GREEN),
        (access(range(0, 128, 4), space="shared"), "1 wavefront: no bank conflict.", GREEN),
        (
            access(range(0, 256, 8), space="shared"),
            "2 wavefronts where 1 would do: a bank conflict",
            VERMILLION,
        ),
        (access(range(0, 4096, 128), space="shared"), "for 32 different words lie in bank 0.", VERMILLION),
        (
            access(range(0, 256, 8), 8, space="shared"),
            "2 wavefronts, one for every 16 lanes of 8 bytes",
            GREEN,
        ),
        (Step(0, 7, "branch", ALL, taken=0x55555555), "Divergent: the warp walks both ways", VERMILLION),
        (Step(0, 7, "branch", 0xFFFF, taken=0xFFFF), "Uniform: all lanes go the same way", GREEN),
        (Step(0, 7, "branch", ALL), "Uniform: all lanes go the same way", GREEN),
        (Step(0, 7, "barrier", ALL >> 1), "1 lane of the warp is idle.", None),
        (Step(0, 7, "compute", 1), "31 lanes of the warp are idle.", None),
        (Step(0, 7, "shuffle", ALL), "All lanes of the warp are at work.", GREEN),
    ],
)
def test_the_verdict_says_what_a_step_wastes(step, verdict, color):
    text, ink = judged(step)
    assert verdict in text
    assert color in (None, ink)


@pytest.mark.parametrize(
    ("step", "text"),
    [
        (access(range(0, 128, 4)), "Warp 0, line 7: 32 lanes read 128 bytes of x"),
        (access([0], 1, 1, "shared", "store"), "Warp 0, line 7: 1 lane writes 1 byte of x in shared memory"),
        (access([0, 0], 4, 3, kind="atomic"), "Warp 0, line 7: 2 lanes update 8 bytes of x, atomically"),
        (Step(3, "lanes.py:40", "barrier", 1), "Warp 3, line lanes.py:40: 1 lane waits at the barrier"),
        (Step(0, 7, "branch", 0b111, taken=0b1), "Warp 0, line 7: a test is true for 1 of 3 lanes"),
        (Step(0, 7, "shuffle", ALL), "Warp 0, line 7: 32 lanes exchange a value"),
        (Step(0, 7, "vote", 1), "Warp 0, line 7: 1 lane votes"),
        (Step(0, 7, "compute", ALL), "Warp 0, line 7: 32 lanes compute"),
    ],
)
def test_a_step_is_told_in_a_sentence(step, text):
    assert told(step) == text


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 80), st.lists(st.integers(0, 79), max_size=3), st.integers(4, 20))
def test_a_window_shows_what_it_is_about(count, focus, room):
    focus = [row for row in focus if row < count]
    shown_rows = window(count, focus, room)
    assert shown_rows == sorted(set(shown_rows))
    assert len(shown_rows) + len(gaps(count, shown_rows)) <= room or count <= room
    assert len(shown_rows) >= min(count, room - len(set(focus)) - 2)
    if len(set(focus)) == 1:
        assert focus[0] in shown_rows
    assert sum(size for _, size in gaps(count, shown_rows)) == count - len(shown_rows)


def test_two_rows_far_apart_are_both_in_the_window():
    rows = window(60, [2, 50], 18)
    assert {2, 50} <= set(rows)
    assert 25 not in rows


def test_heat_reads_the_counters():
    line = Counters(
        global_load_requests=2, global_load_sectors=36, global_bytes_useful=256, shared_load_requests=4,
        shared_load_wavefronts=10, shared_bank_conflicts=6, statements=8, lanes=128,
    )  # fmt: skip
    assert {name: heat.read(line) for name, heat in HEATS.items()} == {
        "sectors": 18.0, "conflicts": 1.5, "lanes": 16.0, "statements": 8.0,
    }  # fmt: skip
    assert [name for name, heat in HEATS.items() if heat.wasteful(line)] == ["sectors", "conflicts", "lanes"]
    alone = Counters(global_load_requests=1, global_load_sectors=1, global_bytes_useful=4)
    assert not HEATS["sectors"].wasteful(alone)  # one lane cannot do with less than a sector
    for heat in HEATS.values():
        assert heat.read(Counters()) is None
        assert not heat.wasteful(Counters())


@settings(max_examples=60, deadline=None)
@given(st.floats(0, 1e12))
def test_a_reading_is_short(value):
    assert len(shown(value)) <= 6
