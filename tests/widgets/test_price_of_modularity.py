"""The explorer's shares are put together rightly from the timings, and the timed forms are one computation."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.drawing.shapes import Circle, Rect
from workbench.drawing.style import BLUE, ORANGE, QUIET, VERMILLION
from workbench.profiling import Timing
from workbench.widgets.price_of_modularity import BOTTOM, START, TOP, frame, price_of_modularity
from workbench.widgets.price_of_modularity_kit import (
    BARE,
    DEEPEST,
    LAYERS,
    WIDTHS,
    WRAPPINGS,
    Prices,
    forms,
    measure_prices,
    name,
    wrapped,
)


def timing(bare, python, cpu_share=1.0):
    """Three rounds in which a bare layer takes `bare` seconds, and each module `python`, twice that with a hook."""
    samples = {BARE: (bare * LAYERS,) * 3}
    for depth, hooks in WRAPPINGS:
        samples[name(depth, hooks)] = ((bare + (depth + 1) * python * (1 + hooks)) * LAYERS,) * 3
    return Timing(samples, "thread CPU time", 2, 1, cpu_share)


def made_up(cpu_share=1.0):
    """Dispatch takes 5 µs, a module 4 µs; the work grows from nothing with the square of the width."""
    return Prices({w: timing(5e-6 + 1e-9 * (w * w - 16), 4e-6, cpu_share) for w in reversed(WIDTHS)})


@pytest.mark.parametrize("hooks", [False, True])
@pytest.mark.parametrize("depth", range(DEEPEST + 1))
@pytest.mark.parametrize("cpu_share", [1.0, 0.3])
def test_every_picture_is_readable(readable, hooks, depth, cpu_share):
    for width in WIDTHS:
        readable(frame({"width": str(width), "depth": depth, "hooks": hooks}, made_up(cpu_share)))


layer, module = st.floats(1e-7, 10), st.floats(-1e-8, 1e-4)  # seconds


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(layer, module), min_size=2, max_size=9), st.booleans())
def test_any_timings_give_a_readable_picture_with_whole_columns(readable, figures, hooks):
    prices = Prices({4**i: timing(bare, python) for i, (bare, python) in enumerate(figures)})
    scene = frame({"width": "4", "depth": 1, "hooks": hooks}, prices)
    readable(scene)
    for column in columns(scene).values():
        assert sum(bar.height for bar in column) == pytest.approx(BOTTOM - TOP)
        assert all(bar.height >= 0 for bar in column)


def columns(scene):
    """The bars of each column, work first."""
    found = {}
    for shape in scene.shapes:
        if isinstance(shape, Rect) and shape.x >= START and shape.fill in (VERMILLION, QUIET, BLUE):
            found.setdefault(shape.x, []).append(shape)
    return found


def test_the_parts_are_told_apart():
    python, dispatch, work = made_up().parts(64, 2, True)
    assert python == pytest.approx(24e-6)  # three modules, each with a hook
    assert dispatch == pytest.approx(5e-6)
    assert work == pytest.approx(4.08e-6)


def test_noise_makes_no_part_negative():
    prices = Prices({4: timing(5e-6, 1e-6), 8: timing(4e-6, -1e-7)})
    assert prices.parts(8, 1, False) == (0, pytest.approx(4e-6), 0)


def test_it_is_free_where_the_price_does_not_come_back():
    prices = made_up()
    assert prices.free_from(0, False) == 512  # 4 µs beside 267; at 256 beside 71
    assert prices.free_from(4, True) == 1024
    spoiled = Prices({**prices.timings, 2048: timing(1e-6, 1e-6)})
    assert spoiled.free_from(0, False) is None


def test_the_columns_show_python_shrinking(texts):
    scene = frame({"width": "64", "depth": 0, "hooks": False}, made_up())
    shares = [column[2].height / (BOTTOM - TOP) for _, column in sorted(columns(scene).items())]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] == pytest.approx(4 / 9)
    assert {"1.80", "1.00"} <= set(texts(scene))
    assert "less than 5% longer than the bare function from width 512 on" in scene.alt


def test_never_free_is_said(texts):
    prices = Prices({8: timing(5e-6, 4e-6), 16: timing(5e-6, 4e-6)})
    scene = price_of_modularity(prices).figure()
    assert "at none of these widths" in scene.alt
    assert "less than 5% more" not in texts(scene)


@pytest.mark.parametrize("depth", range(DEEPEST + 1))
def test_the_nest_has_a_box_for_each_container_and_a_hook_for_each_module(texts, depth):
    scene = frame({"width": "64", "depth": depth, "hooks": True}, made_up())
    assert texts(scene).count("Sequential") == depth
    assert texts(scene).count("Linear") == 1
    hooks = [s for s in scene.shapes if isinstance(s, Circle) and s.fill == ORANGE]
    assert len(hooks) == depth + 1


def test_an_untrusted_measurement_says_so(texts):
    told = "Untrusted: the machine was busy, or times vary."
    assert told in texts(price_of_modularity(made_up(cpu_share=0.3)).figure())
    assert told not in texts(price_of_modularity(made_up()).figure())


def test_all_forms_are_one_computation_and_as_deep_as_they_say():
    x = torch.randn(3, 8)
    with torch.no_grad():
        results = {form: call(x) for form, call in forms(8).items()}
    assert len(results) == 1 + 2 * (DEEPEST + 1)
    for result in results.values():
        torch.testing.assert_close(result, results[BARE])
    calls = []
    module = wrapped(torch.nn.Linear(8, 8), 3, hooks=True)
    for part in module.modules():
        part.register_forward_hook(lambda part, inputs, output: calls.append(part))
        assert len(part._forward_hooks) == 2
    module(x)
    assert len(calls) == 4


def test_a_real_measurement_orders_the_forms():
    prices = measure_prices((4, 256), repeats=5)
    assert prices.ratio(4, 0, False) > 1.2
    assert prices.ratio(4, 4, False) > prices.ratio(4, 0, False)
    assert prices.ratio(4, 4, True) > prices.ratio(4, 4, False)
    assert prices.ratio(256, 4, True) < prices.ratio(4, 4, True)


@pytest.mark.parametrize("widths", [(), (8,), (8, 8), (8, 0)])
def test_widths_that_show_nothing_are_refused(widths):
    with pytest.raises(ValueError, match="widths: expected at least two"):
        measure_prices(widths)


def test_timings_that_lack_a_form_are_refused():
    with pytest.raises(ValueError, match="timings: expected two widths"):
        Prices({8: timing(1, 1)})
    with pytest.raises(ValueError, match="timings: expected two widths"):
        Prices(dict.fromkeys((8, 16), Timing({BARE: (1.0,) * 3}, "wall clock", 2, 1, 1.0)))


def test_the_still_figure_with_its_heading_is_readable(readable):
    readable(price_of_modularity(made_up()).still())
