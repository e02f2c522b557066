"""Any three blocks give a readable picture; whether they fit, and what they cost, is what torch itself would say."""

from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from workbench.drawing.shapes import Line, Rect, Text
from workbench.drawing.style import BLUE, QUIET, VERMILLION
from workbench.fabric import EdgeError
from workbench.widgets.block_algebra import BAR, FIRST, LEFT, THEN, block_algebra, frame, shape, written
from workbench.widgets.block_algebra_kit import (
    CHOICES,
    PICTURE,
    Average,
    Patches,
    Rows,
    compose,
    places,
    wired,
)

FITTING = {
    ("convolution", "convolution_64", "average_places"): 39_242,
    ("flattened", "mlp", "relu"): 218_058,
    ("patches", "attention", "average_time"): 20_490,
    ("rows", "gru", "average_time"): 18_698,
    ("rows", "linear_28", "average_time"): 2_506,
    ("rows", "average_time", "linear_28"): 2_506,
    ("convolution", "average_places", "relu"): 2_314,
}
REFUSED = {  # and what must be read
    ("rows", "attention", "average_time"): (
        "rows -> attention.query",
        "(batch=32, height=28, 28)",
        "28, not 64",
    ),
    ("flattened", "gru", "relu"): ("flattened -> gru.x", "(batch=32, features=784)", "2 axes, not 3"),
    ("convolution", "flattened", "mlp"): ("flattened -> mlp.x", "(..., 784)", "3136, not 784"),
    ("convolution", "relu", "average_time"): (
        "relu -> average_time.x",
        "(batch, time, width)",
        "4 axes, not 3",
    ),
    ("patches", "attention", "relu"): ("scores -> output.y", "(batch=32, steps=16, 10)", "3 axes, not 2"),
    ("patches", "relu", "relu"): ("scores -> output.y", "(batch=32, 16, 10)", "3 axes, not 2"),
}
chains = st.tuples(st.sampled_from(FIRST), st.sampled_from(THEN), st.sampled_from(THEN))


def drawn(names):
    return frame(dict(zip(("first", "second", "third"), names, strict=True)))


def modules(names):
    """The blocks with real weights, for running them."""
    made = {place: CHOICES[name].make() for place, name in zip(places(names), names, strict=True)}
    return made | {"scores": nn.Linear(64, 10)}


@pytest.mark.parametrize("names", [*FITTING, *REFUSED], ids="-".join)
def test_a_picture_is_readable_and_inside(readable, names):
    assert_readable_and_inside(readable, names)


@settings(max_examples=40, deadline=None)
@given(chains)
def test_so_is_that_of_any_chain(readable, names):
    assert_readable_and_inside(readable, names)


@pytest.mark.slow
def test_so_are_all(readable):
    for names in product(FIRST, THEN, THEN):
        assert_readable_and_inside(readable, names)


def assert_readable_and_inside(readable, names):
    scene = drawn(names)
    readable(scene)
    for item in scene.shapes:
        if isinstance(item, Rect):
            assert item.x >= 0
            assert item.x + item.width <= scene.width
            assert item.y + item.height <= scene.height
    for name in names:
        assert CHOICES[name].label in scene.alt


@settings(max_examples=30, deadline=None)
@given(chains)
def test_fits_exactly_when_it_runs(names):
    x = torch.rand(2, 1, 28, 28)
    try:
        for module in modules(names).values():
            x = module(x)
            x = x[0] if isinstance(x, tuple) else x  # a GRU also gives its last state
        runs = x.shape == (2, 10)
    except (RuntimeError, ValueError):
        runs = False
    assert (compose(names).refusal == "") == runs


@pytest.mark.parametrize(("names", "parameters"), FITTING.items(), ids=lambda value: str(value))
def test_parameters_and_shapes_are_those_of_the_modules(texts, names, parameters):
    chain, made = compose(names), modules(names)
    assert chain.prices[0] == parameters == sum(p.numel() for m in made.values() for p in m.parameters())
    x = torch.rand(tuple(PICTURE.values()))
    for edge, module in zip(chain.edges, made.values(), strict=False):
        assert edge.shape == tuple(x.shape)
        x = module(x)
        x = x[0] if isinstance(x, tuple) else x
    written_out = texts(drawn(names))
    assert f"{parameters:,}" in written_out
    assert [shape(edge) for edge in chain.edges] == [
        text for text in written_out if text.startswith("(batch")
    ]
    assert chain.uncounted == ()


def test_flops_are_those_of_the_formulas():
    work = {piece.name: piece.work for piece in compose(("flattened", "mlp", "relu")).pieces}
    multiply_adds = 784 * 256 + 256 * 64
    assert work["mlp"].flops == 32 * (2 * multiply_adds + 256 + 64 + 256)  # biases, and a ReLU
    assert work["flattened"] == (0, 0)  # a view
    assert work["relu"] == (32 * 64, 2 * 4 * 32 * 64)  # each number read once and written once
    assert work["scores"].flops == 32 * 10 * (2 * 64 + 1)


@pytest.mark.parametrize(("names", "expected"), REFUSED.items(), ids=lambda value: "-".join(value))
def test_a_refusal_names_the_edge_and_both_sides(texts, names, expected):
    scene = drawn(names)
    chain = compose(names)
    with pytest.raises(EdgeError) as raised:
        wired(modules(names), "batch 10").check(**PICTURE)
    assert chain.refusal == str(raised.value)
    message = " ".join(
        item.text for item in scene.shapes if isinstance(item, Text) and item.fill == VERMILLION
    )
    for part in expected:
        assert part in chain.refusal
        assert part in message
        assert part in scene.alt
    assert "It does not fit. The check says why:" in texts(scene)


@pytest.mark.parametrize("names", REFUSED, ids="-".join)
def test_the_refused_edge_is_crossed_out_and_what_follows_is_gray(names):
    scene, chain = drawn(names), compose(names)
    crossed = [s for s in scene.shapes if isinstance(s, Line) and s.stroke == VERMILLION]
    boxes = [s for s in scene.shapes if isinstance(s, Rect) and s.x == LEFT]
    gray = [box for box in boxes if box.stroke == QUIET]
    assert len(crossed) == 3
    assert len(boxes) == 6
    assert len(gray) == 6 - len(chain.edges)
    assert all(box.y >= max(line.y2 for line in crossed[:1]) for box in gray)
    assert [piece.work is None for piece in chain.pieces] == [i >= len(chain.edges) - 1 for i in range(4)]


@pytest.mark.parametrize("names", FITTING, ids="-".join)
def test_bars_are_shares_of_the_whole(names):
    chain = compose(names)
    bars = [s for s in drawn(names).shapes if isinstance(s, Rect) and s.x != LEFT and s.fill == BLUE]
    shares = [
        p / whole for piece in chain.pieces for p, whole in zip(piece.prices, chain.prices, strict=True) if p
    ]
    assert [bar.width / BAR for bar in bars] == [pytest.approx(share) for share in shares]


def test_there_are_ways_for_every_first_block_and_the_cheapest_differ():
    """What the question asks for: fewest parameters and fewest FLOPs are two different chains."""
    prices = {names: compose(names).prices for names in FITTING}
    assert {names[0] for names in FITTING} == set(FIRST)
    assert min(prices, key=lambda names: prices[names][0])[:2] == ("convolution", "average_places")
    assert min(prices, key=lambda names: prices[names][1]) == ("rows", "average_time", "linear_28")
    assert max(prices, key=lambda names: prices[names][0])[:2] == ("flattened", "mlp")
    assert max(prices, key=lambda names: prices[names][1])[:2] == ("convolution", "convolution_64")


@pytest.mark.slow
def test_no_other_chain_is_cheaper():
    every = {names: compose(names) for names in product(FIRST, THEN, THEN)}
    fitting = {names: chain.prices for names, chain in every.items() if not chain.refusal}
    assert len(fitting) == 20
    assert min(price[0] for price in fitting.values()) == FITTING["convolution", "average_places", "relu"]
    assert min(fitting, key=lambda names: fitting[names][1]) == ("rows", "average_time", "linear_28")


def test_an_average_and_a_linear_block_may_change_places():
    """The same function, for a 28th of the linear block's work."""
    linear, average = nn.Linear(28, 64).double(), Average("batch time width -> batch width")
    x = torch.randn(3, 28, 28, dtype=torch.float64)
    torch.testing.assert_close(linear(average(x)), average(linear(x)))
    late, early = (
        compose(names)
        for names in (("rows", "linear_28", "average_time"), ("rows", "average_time", "linear_28"))
    )
    flops = [next(p.work.flops for p in chain.pieces if p.name == "linear_28") for chain in (late, early)]
    assert flops[0] == 28 * flops[1]


def test_own_blocks_do_what_they_say():
    x = torch.rand(2, 3, 4, 5)
    assert torch.equal(Rows()(x)[1, 2], x[1, :, 2].flatten())
    assert torch.equal(Average("batch channels height width -> batch channels")(x), x.mean((2, 3)))
    patches, picture = Patches(), torch.rand(2, 1, 28, 28)
    weight = patches.cut.weight.reshape(64, 49)
    square = picture[1, 0, 7:14, 14:21].flatten()  # second row, third column of squares
    torch.testing.assert_close(patches(picture)[1, 4 + 2], weight @ square + patches.cut.bias)


def test_a_block_twice_gets_two_names():
    assert places(("rows", "relu", "relu")) == ["rows", "relu_1", "relu_2"]
    assert places(("rows", "gru", "relu")) == ["rows", "gru", "relu"]


def test_the_first_frame_does_not_fit_so_that_there_is_something_to_do(texts):
    scene = block_algebra().figure()
    assert "It does not fit. The check says why:" in texts(scene)
    assert written((18_698, 32_670_016, 0)) == ("18,698", "32.7 MFLOP", "0 B")


def test_the_same_state_gives_the_same_picture_and_draws_no_random_number():
    before = torch.get_rng_state()
    assert drawn(("rows", "relu", "relu")).svg() == drawn(("rows", "relu", "relu")).svg()
    assert torch.equal(torch.get_rng_state(), before)


def test_the_still_figure_with_its_heading_is_readable(readable):
    readable(block_algebra().still())
