from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.widgets import Circle, machine_roof
from workbench.widgets.machine_roof import BOTTOM, LEFT, RIGHT, TOP, Operation, roof, words

MACHINE = SimpleNamespace(name="test machine", copy_bandwidth=10e9, flops=100e9)
OPERATIONS = [
    ("add two lists", 4e6, 48e6, 6e-3),
    ("multiply 1024 × 1024", 2.1e9, 12.6e6, 30e-3),
    ("never measured", 1e9, 1e9, None),
]


@pytest.mark.parametrize("name", [name for name, *_ in OPERATIONS])
def test_every_picture_is_readable(readable, texts, name):
    scene = machine_roof(MACHINE, OPERATIONS).figure(operation=name)
    readable(scene)
    assert name in texts(scene)
    assert name in scene.alt
    assert "memory: 10 GB/s" in texts(scene)
    assert "arithmetic: 100 GFLOP/s" in texts(scene)


def test_the_roof_is_the_lower_of_two_limits():
    assert roof(MACHINE, 1) == 10e9
    assert roof(MACHINE, 10) == 100e9  # the ridge
    assert roof(MACHINE, 1000) == 100e9


@pytest.mark.parametrize(
    ("operation", "verdict"),
    [
        (Operation("a", 1e9, 1e9, 0.2), "Held back by memory"),
        (Operation("b", 1e12, 1e9, 20.0), "Held back by arithmetic"),
        (Operation("c", 1e9, 1e9, 10.0), "Far below both roofs"),
        (Operation("d", 1e9, 1e9, 0.05), "Above the roof"),
        (Operation("e", 1e9, 1e9), "Held back by memory"),
    ],
)
def test_the_verdict(operation, verdict):
    facts, told = words(MACHINE, operation)
    assert told[0] == verdict
    assert any("measured" in fact.lower() for fact in facts) == (operation.seconds is not None)


def test_the_share_of_the_roof_is_the_measured_one(texts):
    scene = machine_roof(MACHINE, OPERATIONS).figure(operation="add two lists")
    assert "Measured 6 ms: 80% of the roof" in texts(scene)  # 48 MB at 10 GB/s take 4.8 ms


figure = st.floats(1e3, 1e14)


@settings(max_examples=30, deadline=None)
@given(
    figure,
    figure,
    st.lists(st.tuples(figure, figure, st.none() | st.floats(1e-7, 1e3)), min_size=1, max_size=4),
)
def test_dots_stay_inside_the_chart(bandwidth, flops, rows):
    machine = SimpleNamespace(name="any", copy_bandwidth=bandwidth, flops=flops)
    explorer = machine_roof(machine, [(f"operation {i}", *row) for i, row in enumerate(rows)])
    dots = [shape for shape in explorer.figure().shapes if isinstance(shape, Circle) and shape.x < RIGHT]
    assert len(dots) == len(rows) + 1  # and the roof above the chosen one
    assert all(LEFT <= dot.x <= RIGHT and TOP <= dot.y <= BOTTOM for dot in dots)


@pytest.mark.parametrize(
    ("machine", "operations", "message"),
    [
        (MACHINE, [], "must not be empty"),
        (MACHINE, [("add", 0, 10, None)], "add: flops, bytes and seconds must be above 0"),
        (MACHINE, [("add", 1, 10, 0.0)], "add: flops, bytes and seconds must be above 0"),
        (SimpleNamespace(name="m", copy_bandwidth=0, flops=1), OPERATIONS, "bandwidth and flops"),
    ],
)
def test_what_cannot_be_drawn_is_refused(machine, operations, message):
    with pytest.raises(ValueError, match=message):
        machine_roof(machine, operations)
