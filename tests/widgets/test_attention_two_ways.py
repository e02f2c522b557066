"""The explorer's bytes are those that attention really holds, and its tile stands where the sweep is."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import kernels
from workbench.drawing.shapes import Circle, Line, Polyline, Rect
from workbench.drawing.style import INK, VERMILLION
from workbench.widgets.attention_two_ways import attention_two_ways, compare, frame
from workbench.widgets.attention_two_ways_kit import (
    HEADS,
    INPUTS,
    LENGTHS,
    NAIVE,
    STREAMING,
    WAYS,
    WIDTH,
    Peaks,
    held,
    measure_attention,
    naive_attention,
    tiles,
)
from workbench.widgets.attention_two_ways_matrix import FIRST, ROW, SECOND, SIDE

PEAKS = Peaks({(way, n): sum(held(way, n).values()) for way in WAYS for n in (128, 1024, 4096)}, 16 << 30)
BETWEEN_BLOCKS = (
    HEADS * 128 * (WIDTH + 2) * 4
)  # a block of queries' sums, m and l while the next one's are made


def state(length=4096, way=NAIVE, sweep=50):
    return {"length": str(length), "way": way, "sweep": sweep}


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("peaks", [PEAKS, None])
def test_every_picture_is_readable(readable, length, way, peaks):
    for sweep in (0, 35, 50, 100):
        readable(frame(state(length, way, sweep), peaks))


@settings(max_examples=30, deadline=None)
@given(length=st.sampled_from(LENGTHS), way=st.sampled_from(list(WAYS)), sweep=st.floats(0, 100))
def test_nothing_is_drawn_outside_the_matrix(length, way, sweep):
    scene = frame(state(length, way, sweep), PEAKS)
    for shape in scene.shapes:
        if isinstance(shape, Rect):
            assert shape.width >= -1e-9
            assert shape.height >= -1e-9
        if isinstance(shape, Rect) and shape.x >= FIRST and ROW <= shape.y < ROW + SIDE:
            assert shape.y + shape.height <= ROW + SIDE + 1e-6
            assert shape.x + shape.width <= (FIRST if shape.x < SECOND - 1 else 500) + SIDE + 1e-6


def test_measured_peaks_are_the_formulas():
    lengths = (7, 128, 300, 1024)
    peaks = measure_attention(lengths)
    for length in lengths:
        assert peaks.bytes[NAIVE, length] == sum(held(NAIVE, length).values())
        least = sum(held(STREAMING, length).values())
        assert least <= peaks.bytes[STREAMING, length] <= least + BETWEEN_BLOCKS
    assert peaks.memory > 1 << 28


def test_both_ways_give_the_same():
    q, k, v = torch.randn(3, 2, 3, 77, 16, dtype=torch.float64).unbind()
    torch.testing.assert_close(naive_attention(q, k, v), kernels.attention(q, k, v))


def test_scores_and_weights_equal_everything_else_at_twice_a_heads_width():
    for length in LENGTHS:
        parts = held(NAIVE, length)
        matrices = parts["scores"] + parts["weights"]
        assert matrices / parts[INPUTS] == length / (2 * WIDTH)


def test_what_streaming_adds_hardly_grows():
    added = [sum(held(STREAMING, n).values()) - held(STREAMING, n)[INPUTS] for n in (512, 32768)]
    assert added[1] / added[0] < 1.5  # one number a query is left of its running ones
    assert sum(held(NAIVE, 32768).values()) > 250 * sum(held(STREAMING, 32768).values())


def test_the_tile_sweeps_row_by_row_from_corner_to_corner(texts):
    def tile(sweep):
        scene = frame(state(2048, STREAMING, sweep), None)
        return next(s for s in scene.shapes if isinstance(s, Rect) and s.fill == VERMILLION), texts(scene)

    down, across = tiles(2048)
    assert (down, across) == (16, 4)
    first, words = tile(0)
    assert (first.x, first.y) == (FIRST, ROW)
    assert first.width / SIDE == pytest.approx(1 / across)
    assert first.height / SIDE == pytest.approx(1 / down)
    assert "Tile 1 of 64; the next one is written over it." in words
    last, words = tile(100)
    assert (last.x + last.width, last.y + last.height) == (
        pytest.approx(FIRST + SIDE),
        pytest.approx(ROW + SIDE),
    )
    assert "Tile 64 of 64." in words
    second, _ = tile(100 / 63)
    assert (second.x, second.y) == (pytest.approx(FIRST + SIDE / across), ROW)


def test_naive_fills_scores_then_weights():
    def filled(sweep):
        scene = frame(state(sweep=sweep), None)
        return [
            s.height / SIDE for s in scene.shapes
            if isinstance(s, Rect) and s.fill == VERMILLION and s.x in (FIRST, SECOND) and s.width == SIDE
        ]  # fmt: skip

    assert filled(0) == [0, 0]
    assert filled(20) == [pytest.approx(0.6), 0]
    assert filled(50) == [1, pytest.approx(0.5)]
    assert filled(100) == [1, 1]


def test_measured_points_are_marked_and_the_chosen_length_ringed():
    bare, marked = (frame(state(1024), peaks) for peaks in (None, PEAKS))

    def markers(scene):
        return [
            s for s in scene.shapes if isinstance(s, Circle | Polyline) and s.fill in ("#0072b2", VERMILLION)
        ]

    assert len(markers(marked)) - len(markers(bare)) == 6
    rings = [s for s in marked.shapes if isinstance(s, Circle) and s.stroke == INK]
    assert len(rings) == 2
    cursor = [s for s in marked.shapes if isinstance(s, Line) and s.x1 == s.x2 == rings[0].x]
    assert cursor


def test_the_outcome_follows_the_length():
    assert "smaller than q" in compare(64, None)
    assert "as large as q" in compare(128, None)
    assert "32× q, k, v and the output: 537 MB, where streaming holds 1.38 MB" in compare(4096, None)
    assert "34.5 GB do not fit into this machine's 17.2 GB" in compare(32768, PEAKS)
    assert "256×" in compare(32768, None)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: held("tiled", 64), "way: expected one of naive, streaming, got 'tiled'"),
        (lambda: Peaks({("tiled", 64): 1}, 1), "bytes, memory"),
        (lambda: Peaks({(NAIVE, 64): 0}, 1), "bytes, memory"),
        (lambda: Peaks({}, 0), "bytes, memory"),
        (lambda: measure_attention((64, 0)), "lengths: expected numbers of at least 1"),
        (lambda: attention_two_ways().figure(length="100"), "length must be one of"),
    ],
)
def test_what_cannot_be_drawn_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_the_still_figure_with_its_heading_is_readable(readable):
    readable(attention_two_ways(PEAKS).still())
