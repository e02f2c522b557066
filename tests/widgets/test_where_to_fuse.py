import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.widgets import Polyline, where_to_fuse
from workbench.widgets.towers import GAP, blocks, flecks, inputs
from workbench.widgets.where_to_fuse import FUSIONS, sort

AMOUNTS = (0.0, 0.25, 0.5, 0.75, 1.0)
RESULTS = {("largest class", "none", 0.0): (0.226, 0.0)}
for i, fusion in enumerate(("early", "late", "hybrid", "picture only", "name only")):
    RESULTS[fusion, "none", 0.0] = (0.6 + 0.01 * i, 0.01)
    for amount in AMOUNTS[1:]:
        RESULTS[fusion, "picture", amount] = (0.6 + 0.01 * i - 0.3 * amount, 0.012)
        RESULTS[fusion, "name", amount] = (0.6 + 0.01 * i - 0.2 * amount, 0.013)


@pytest.fixture(scope="module")
def explorer():
    return where_to_fuse(RESULTS)


@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize("corrupted", ["picture", "name"])
@pytest.mark.parametrize("percent", [0, 50, 100])
def test_every_picture_is_readable_and_tells_the_data(explorer, readable, texts, fusion, corrupted, percent):
    scene = explorer.figure(fusion=fusion, corrupted=corrupted, amount=percent)
    readable(scene)
    accuracy, spread = sort(RESULTS).of[fusion, corrupted][percent // 25][1:]
    assert f"{fusion} {100 * accuracy:.1f} % ± {100 * spread:.1f}" in texts(scene)
    for name in (*FUSIONS, "largest class", "picture only", "name only"):
        assert name in texts(scene)  # each curve is named at its end
        expected = sort(RESULTS).of[name, corrupted][percent // 25][1]
        assert f"{name} {100 * expected:.1f} %" in scene.alt


def test_the_curves_stand_at_the_data(explorer):
    """Heights in the picture are proportional to accuracies: compared by ratio, whatever the scale."""
    scene = explorer.figure(fusion="late", corrupted="name")
    (curve,) = [s for s in scene.shapes if isinstance(s, Polyline) and s.marker == "^"]
    heights = [326 - y for _, y in curve.points]  # above the axis
    accuracies = [accuracy for _, accuracy, _ in sort(RESULTS).of["late", "name"]]
    assert [h / heights[0] for h in heights] == pytest.approx([a / accuracies[0] for a in accuracies])


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=12, max_size=12), st.sampled_from(list(FUSIONS)))
def test_any_accuracies_give_a_readable_picture(readable, accuracies, fusion):
    found = iter(accuracies)
    results = {
        (f, c, a): (next(found), 0.05) for f in FUSIONS for c in ("picture", "name") for a in (0.0, 1.0)
    }
    explorer = where_to_fuse(results)
    readable(explorer.figure(fusion=fusion, amount=100))
    assert explorer.svg == where_to_fuse(results).svg


def test_a_baseline_with_one_entry_is_level():
    assert {accuracy for _, accuracy, _ in sort(RESULTS).of["largest class", "name"]} == {0.226}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({("early", "picture", 0.5): None}, "no accuracy of early fusion with picture noise"),
        ({("early", "picture", 0.6): (0.5, 0)}, "evenly spaced"),
        ({("early", "picture", 0.5): (1.2, 0)}, "accuracy from 0 to 1"),
        ({("early", "picture", 0.5): (0.2, -1)}, "accuracy from 0 to 1"),
        ({("early", "picture", 0.5): (float("nan"), 0)}, "accuracy from 0 to 1"),
    ],
)
def test_results_that_cannot_be_drawn_are_refused(change, message):
    changed = {key: pair for key, pair in {**RESULTS, **change}.items() if pair is not None}
    with pytest.raises(ValueError, match=message):
        where_to_fuse(changed)


def test_no_results_are_refused():
    with pytest.raises(ValueError, match="evenly spaced"):
        where_to_fuse({})


@pytest.mark.parametrize("fusion", FUSIONS)
def test_every_peg_meets_a_cut_of_its_shape(fusion):
    """What stands on a block is cut exactly for what the block gives: same place, same shape, one row up."""
    stack = blocks(fusion)
    given_pegs = sorted((block.row + 1, x, peg) for block in stack for x, peg in block.gives)
    taken = sorted((block.row, x, peg) for block in stack for x, peg in block.takes)
    assert given_pegs == taken
    for one in stack:
        for other in stack:
            if one is not other and one.row == other.row:
                assert one.right + GAP <= other.left or other.right + GAP <= one.left


def test_unknown_fusion_is_named():
    with pytest.raises(ValueError, match="early, late or hybrid, got 'middle'"):
        blocks("middle")


def test_more_noise_adds_specks_and_moves_none():
    block = blocks("early")[0]
    few, many = flecks(block, 0.25), flecks(block, 1.0)
    assert flecks(block, 0.0) == []
    assert many[: len(few)] == few
    assert len(few) < len(many)


def test_noise_changes_only_the_corrupted_input():
    clean, half, full = (inputs("picture", amount) for amount in (0.0, 0.5, 1.0))
    changed = [a != b for a, b in zip(clean, half, strict=True)]
    assert 40 < sum(changed) < 100  # about half of 144 pixels; some noise is the pixel's own color
    assert sum(a != b for a, b in zip(clean, full, strict=True)) > sum(changed)
    assert clean[-1].text == half[-1].text == "“grinning face”"
    assert inputs("name", 1.0)[:-1] == clean[:-1]
    assert inputs("name", 1.0)[-1].text != clean[-1].text
