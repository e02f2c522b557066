from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from workbench.profiling import meter
from workbench.widgets import Rect, fusion_ladder
from workbench.widgets.chains import CHAINS, chain_named, trips
from workbench.widgets.fusion_ladder import LEFT, ROWS, Figures, compare

MACHINE = SimpleNamespace(name="test machine", copy_bandwidth=10e9)
MEASUREMENTS = {
    ("bias + GELU", 4096, False): (268e6, 26.8e-3, 33.1e-3, 1.5e-3),
    ("bias + GELU", 4096, True): (134e6, 13.4e-3, 14.2e-3, 0.7e-3),
    ("add + RMSNorm", 4096, False): (536e6, 53.6e-3, 61e-3, 2e-3),
    ("add + RMSNorm", 4096, True): (268e6, 26.8e-3, 27e-3, 1e-3),
}


@pytest.mark.parametrize("chain", ["bias + GELU", "add + RMSNorm"])
@pytest.mark.parametrize("fused", [False, True])
def test_every_picture_is_readable_and_tells_the_data(readable, texts, chain, fused):
    scene = fusion_ladder(MEASUREMENTS, MACHINE).figure(chain=chain, fused=fused)
    readable(scene)
    written = texts(scene)
    assert "4,096" in fusion_ladder(MEASUREMENTS, MACHINE).controls[1]["options"][0][1]
    expected = {"bias + GELU": ["268 MB", "134 MB"], "add + RMSNorm": ["536 MB", "268 MB"]}[chain]
    assert [text for text in written if text.endswith(" MB")] == expected
    times = {
        "bias + GELU": ["predicted 26.8 ms", "measured 33.1 ms", "predicted 13.4 ms", "measured 14.2 ms"],
        "add + RMSNorm": ["predicted 53.6 ms", "measured 61 ms", "predicted 26.8 ms", "measured 27 ms"],
    }[chain]
    assert [text for text in written if text.startswith(("predicted", "measured"))] == times
    assert expected[0] in scene.alt
    assert "test machine: memory copies 10 GB/s" in written


def test_bars_are_as_long_as_their_bytes():
    scene = fusion_ladder(MEASUREMENTS, MACHINE).figure()
    bars = [s for s in scene.shapes if isinstance(s, Rect) and s.x == LEFT and s.y > ROWS[0] - 20]
    assert bars[1].width / bars[0].width == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("chain", "apart", "together"),
    [("bias + GELU", 4, 2), ("add + RMSNorm", 8, 4), ("a + b + c", 6, 2), ("one", 2, 2)],
)
def test_trips_are_counted(chain, apart, together):
    for fused, count in ((False, apart), (True, together)):
        assert sum(not trip.saved for trip in trips(chain_named(chain), fused)) == count


def test_the_trips_drawn_are_those_pytorch_makes():
    """Bytes counted on a 256 × 256 tensor, in whole tensors, are the rungs; a bias or a mean is a rounding."""
    x, other, bias = torch.rand(256, 256), torch.rand(256, 256), torch.rand(256)
    calls = {
        "bias + GELU": lambda: functional.gelu(x + bias),
        "add + RMSNorm": lambda: functional.rms_norm(x + other, (256,)),
    }
    for name, call in calls.items():
        assert len(trips(chain_named(name), fused=False)) == round(meter(call).bytes / (4 * x.numel()))


@pytest.mark.parametrize("name", CHAINS)
def test_fused_what_enters_and_what_is_wanted_still_travels(name):
    chain = chain_named(name)
    moving = [trip for trip in trips(chain, fused=True) if not trip.saved]
    assert {trip.tensor for trip in moving if trip.read} == {
        t for step in chain.steps for t in step.reads
    } - chain.handed_on
    assert {trip.tensor for trip in moving if not trip.read} >= set(chain.kept) | set(chain.steps[-1].writes)


def test_the_picture_draws_one_rung_for_each_trip(texts):
    explorer = fusion_ladder(MEASUREMENTS, MACHINE)
    apart, together = texts(explorer.figure()), texts(explorer.figure(fused=True))
    assert apart.count("read") + apart.count("write") == 4
    assert "One by one: 4 trips to memory" in apart
    assert together.count("read") + together.count("write") == together.count("saved") == 2
    assert "Fused: 2 trips to memory" in together


share = st.floats(0.002, 1)


@settings(max_examples=25, deadline=None)
@given(
    st.floats(1e-8, 1e3),
    st.lists(share, min_size=8, max_size=8),
    st.booleans(),
    st.sampled_from(["bias + GELU", "a + b + c"]),
)
def test_any_figures_give_a_readable_picture(readable, most, shares, fused, chain):
    one, other = ([most * share for share in half] for half in (shares[:4], shares[4:]))
    rows = {
        (chain, "small", False): (one[0] * 1e9, *one[1:]),
        (chain, "small", True): (other[0] * 1e9, *other[1:]),
    }
    scene = fusion_ladder(rows, MACHINE).figure(fused=fused)
    readable(scene)
    assert scene == fusion_ladder(rows, MACHINE).figure(fused=fused)


def test_the_outcome_is_worded_honestly():
    one = Figures(200, 2.0, 4.0, 0.1)
    assert "is 2× as fast (memory alone predicts 2×)" in compare(one, Figures(100, 1.0, 2.0, 0.1))
    assert "takes 1.5× as long" in compare(one, Figures(100, 1.0, 6.0, 0.1))
    assert "do not clearly differ" in compare(one, Figures(100, 1.0, 3.9, 0.1))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({}, "must not be empty"),
        ({("a + b", 1, True): (1, 1, 1, 0)}, "missing"),
        ({("a + b", 1, True): (1, 1, 1, 0), ("a + b", 1, False): (1, 0, 1, 0)}, "above 0"),
        ({("a + b", 1, True): (1, 1, 1, -1), ("a + b", 1, False): (1, 1, 1, 0)}, "above 0"),
        ({("a + ", 1, True): (1, 1, 1, 0), ("a + ", 1, False): (1, 1, 1, 0)}, "joined by"),
    ],
)
def test_measurements_that_cannot_be_drawn_are_refused(rows, message):
    with pytest.raises(ValueError, match=message):
        fusion_ladder(rows, MACHINE)
