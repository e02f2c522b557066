import math
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from workbench.drawing.axes import Scale, spread_out, with_unit

positive = st.floats(1e-6, 1e9)


@given(positive, st.floats(1.01, 1e6), st.booleans(), st.floats(0, 1), st.floats(0, 1))
def test_a_scale_keeps_its_ends_and_the_order(low, factor, log, one, other):
    scale = Scale(low, low * factor, 10, 300, log)
    assert scale.place(low) == pytest.approx(10)
    assert scale.place(low * factor) == pytest.approx(300)
    a, b = (low * factor**share for share in sorted((one, other)))
    assert scale.place(a) <= scale.place(b) + 1e-6


def test_a_logarithmic_scale_gives_each_decade_the_same_length():
    scale = Scale(1, 1000, 0, 300, log=True)
    assert [round(scale.place(v), 6) for v in (1, 10, 100, 1000)] == [0, 100, 200, 300]
    assert scale.ticks() == [1, 10, 100, 1000]


def test_a_scale_may_point_up():
    assert Scale(0, 1, 300, 0).place(0.25) == 225


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.integers(2, 8))
@example(1.0, 404041.0, 2)
def test_ticks_are_round_inside_and_not_too_many(low, length, count):
    scale = Scale(low, low + length, 0, 1)
    ticks = scale.ticks(count)
    slack = 1e-6 * (abs(low) + length)
    assert all(low - slack <= tick <= low + length + slack for tick in ticks)
    assert 1 <= len(ticks) <= count + 2


@pytest.mark.parametrize(("low", "high", "log"), [(1, 1, False), (2, 1, False), (0, 1, True), (-1, 1, True)])
def test_impossible_scales_are_refused(low, high, log):
    with pytest.raises(ValueError, match=r"low|above 0"):
        Scale(low, high, 0, 1, log)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (67_108_864, "B", "67.1 MB"),
        (0.0123, "s", "12.3 ms"),
        (2.5e-6, "s", "2.5 µs"),
        (999.96, "B", "1 kB"),
        (11.2e9, "B/s", "11.2 GB/s"),
        (100, "", "100 "),
        (0, "s", "0 s"),
        (-1500, "B", "-1.5 kB"),
        (1e30, "B", "1000000000000000 PB"),
        (float("inf"), "s", "inf s"),
    ],
)
def test_values_get_a_prefix(value, unit, text):
    assert with_unit(value, unit) == text


@given(st.floats(1e-9, 1e15))
def test_a_value_with_its_prefix_is_within_half_a_percent(value):
    number, unit = with_unit(value, "B").split(" ")
    prefix = {"n": -9, "µ": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15}[unit[:-1]]
    assert float(number) * 10**prefix == pytest.approx(value, rel=0.006)


@given(st.lists(st.floats(-50, 450), max_size=12))
def test_labels_end_apart_inside_and_in_order(places):
    moved = spread_out(places, 15, 0, 400)
    ordered = sorted(moved)
    assert all(b - a >= 15 - 1e-9 for a, b in pairwise(ordered))
    assert all(-1e-9 <= place <= 400 + 1e-9 for place in moved)
    for i, a in enumerate(places):
        assert all(moved[i] < moved[j] for j, b in enumerate(places) if a < b)


def test_labels_that_do_not_collide_stay():
    assert spread_out([10, 200, 100], 15, 0, 400) == [10, 200, 100]
    assert math.isclose(spread_out([390, 391], 15, 0, 400)[0], 385)
