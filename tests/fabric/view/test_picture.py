"""A fabric as a picture: legible, named in words, its bad edge seen."""

from itertools import combinations, pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from workbench.blocks.convolution import Conv2d
from workbench.blocks.linear import MLP
from workbench.blocks.merge import Add, Concat
from workbench.blocks.norm import LayerNorm
from workbench.drawing import Line, Polyline, Rect, Text
from workbench.drawing.ink_png import text_width
from workbench.drawing.style import VERMILLION
from workbench.fabric import Block, Fabric, Loop
from workbench.fabric.view.across import apart
from workbench.fabric.view.picture import picture


def residual():
    return Fabric("... 64 -> ... 64", norm=LayerNorm(64), inner=MLP([64, 256, 64]), sum=("x", "inner", Add()))


def inception():
    branches = {f"branch{size}": ("x", Conv2d(3, 8, size, padding="same")) for size in (1, 3, 5)}
    return Fabric(
        "batch 3 height width -> batch 24 height width", **branches, concat=(*branches, Concat(1, 3))
    )


def chain():
    return Fabric("batch 8 -> batch 8", **{f"block{number}": nn.Linear(8, 8) for number in range(20)})


def decoder(width=64):
    attend = Block(nn.Bilinear(64, 64, 64), "a = batch 64, b = batch 64 -> batch 64")
    body = Fabric(
        "letter = batch: int, state = batch 64, memory = batch 64 -> scores = batch 40, state = batch 64",
        embed=("letter", nn.Embedding(29, 64)),
        attention=("state", "memory", attend),
        join=("embed", "attention", Concat()),
        cell=(
            "join",
            "state",
            Block(nn.GRUCell(128, 64), f"x = batch 128, state = batch {width} -> batch 64"),
        ),
        scores=("cell", nn.Linear(64, 40)),
        returns=("scores", "cell"),
    )
    return Loop(body, "letter", {"state": "state"})


def encoder_decoder(width=64):
    encoder = Fabric("x = batch 7 -> batch 64", up=nn.Linear(7, 64), norm=nn.LayerNorm(64), act=nn.GELU(),
                     sum=("up", "act", Add()))  # fmt: skip
    return Fabric(
        "word = batch 7, sounds = batch steps: int -> batch steps 40",
        encoder=("word", encoder),
        start=("encoder", nn.Linear(64, 64)),
        decoder=("sounds", "start", "encoder", decoder(width)),
        returns="decoder.scores",
    )


MODELS = {"residual": residual, "inception": inception, "chain": chain, "encoder_decoder": encoder_decoder,
          "bad": lambda: encoder_decoder(63)}  # fmt: skip


def box(text):
    width = text_width(text.text, text.size, text.weight)
    left = text.x - {"start": 0.0, "middle": width / 2, "end": width}[text.anchor]
    return left, text.y - 0.74 * text.size, left + width, text.y + 0.2 * text.size


def assert_legible(scene):
    """Every text inside the picture, none over another, and no arrow through one."""
    texts = [shape for shape in scene.shapes if isinstance(shape, Text)]
    for text in texts:
        left, top, right, bottom = box(text)
        assert 0 <= left < right <= scene.width, text.text
        assert 0 <= top < bottom <= scene.height, text.text
    for one, other in combinations(texts, 2):
        a, b = box(one), box(other)
        apart = a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
        assert apart, (one.text, other.text)
    for text in texts:
        for start, end in segments(scene):
            assert not crosses(start, end, box(text)), (text.text, start, end)


def segments(scene):
    for shape in scene.shapes:
        if isinstance(shape, Line):
            yield (shape.x1, shape.y1), (shape.x2, shape.y2)
        elif isinstance(shape, Polyline):
            yield from pairwise(shape.points)


def crosses(start, end, box):
    """Whether a point of the segment lies in the box; looked for at a hundred of them."""
    left, top, right, bottom = box
    for step in range(101):
        x, y = (a + (b - a) * step / 100 for a, b in zip(start, end, strict=True))
        if left < x < right and top < y < bottom:
            return True
    return False


@pytest.mark.parametrize("name", MODELS)
def test_legible(name):
    assert_legible(picture(MODELS[name]()))


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_legible_however_it_is_wired(data):
    names = ["x"]
    blocks = {}
    for number in range(data.draw(st.integers(1, 9))):
        one, other = (data.draw(st.sampled_from(names[-5:])) for _ in range(2))
        blocks[f"b{number}"] = (one, other, Add()) if data.draw(st.booleans()) else (one, nn.Linear(4, 4))
        names.append(f"b{number}")
    read = {source for sources in blocks.values() for source in sources[:-1]}
    ends = [name for name in blocks if name not in read]
    outputs = ", ".join(f"y{number} = batch 4" for number in range(len(ends)))
    assert_legible(picture(Fabric(f"batch 4 -> {outputs}", **blocks, returns=ends)))


def test_boxes_do_not_meet():
    boxes = [shape for shape in picture(encoder_decoder()).shapes if isinstance(shape, Rect)]
    for one, other in combinations(boxes, 2):
        (a, b) = sorted((one, other), key=lambda box: box.width * box.height)
        apart = a.x + a.width <= b.x or b.x + b.width <= a.x or a.y + a.height <= b.y or b.y + b.height <= a.y
        within = b.x <= a.x and a.x + a.width <= b.x + b.width + 1e-6 and b.y <= a.y <= b.y + b.height
        assert apart or within


def test_says_names_kinds_and_shapes():
    scene = picture(encoder_decoder())
    texts = [shape.text for shape in scene.shapes if isinstance(shape, Text)]
    for word in (
        "encoder",
        "attention",
        "GRUCell",
        "for each letter",
        "scores: batch × steps × 40",
        "batch × 128",
    ):
        assert word in texts
    assert "decoder.attention (Bilinear) reads state and memory" in scene.alt


def test_the_way_back_round_a_loop_is_dashed():
    scene = picture(encoder_decoder())
    assert [shape for shape in scene.shapes if isinstance(shape, Polyline) and shape.dash]


def test_a_bad_edge_is_red_and_told():
    scene = picture(encoder_decoder(63))
    red = [shape for shape in scene.shapes if getattr(shape, "stroke", "") == VERMILLION]
    assert len([shape for shape in red if isinstance(shape, Line)]) == 1  # one arrow head: one edge
    assert [shape for shape in red if isinstance(shape, Rect)]
    told = " ".join(s.text for s in scene.shapes if isinstance(s, Text) and s.fill == VERMILLION)
    assert told.startswith("edge decoder.state -> decoder.cell.state")
    assert "63" in told
    assert told in scene.alt
    assert not [s for s in picture(encoder_decoder()).shapes if getattr(s, "stroke", "") == VERMILLION]


def test_a_bad_edge_round_a_loop_is_red():
    body = Fabric("x = batch 4, state = batch 4 -> batch 5", sum=("x", "state", Add()), up=nn.Linear(4, 5))
    loop = Loop(body, "x", {"y": "state"})
    scene = picture(Fabric("x = batch steps 4, state = batch 4 -> batch 5", b=("x", "state", loop)))
    red = [s for s in scene.shapes if isinstance(s, Polyline) and s.stroke == VERMILLION]
    assert len(red) == 1
    assert red[0].dash
    assert_legible(scene)


def test_a_notebook_gets_picture_words_and_tree():
    data, metadata = residual()._repr_mimebundle_()
    assert data["image/png"]
    assert data["text/plain"] == residual().tree()
    assert "norm (LayerNorm) reads x" in metadata["image/png"]["alt"]


def test_drawing_leaves_the_fabric_as_it_was():
    fabric = residual()
    before = {name: value.clone() for name, value in fabric.state_dict().items()}
    assert picture(fabric).svg() == picture(fabric).svg()
    assert all(torch.equal(before[name], value) for name, value in fabric.state_dict().items())


@given(st.lists(st.tuples(st.floats(-50, 50), st.floats(0.1, 10), st.floats(0, 20)), min_size=1, max_size=6))
def test_apart_keeps_the_steps_and_moves_nothing_without_need(rows):
    wishes, weights, steps = (list(column) for column in zip(*rows, strict=True))
    places = apart(wishes, weights, steps)
    assert all(b - a >= step - 1e-6 for (a, b), step in zip(pairwise(places), steps, strict=False))
    assert apart(places, weights, steps) == pytest.approx(places)


def test_apart_is_the_weighted_mean_where_two_meet():
    assert apart([0.0, 0.0], [1.0, 3.0], [4.0, 1.0]) == pytest.approx([-3.0, 1.0])
