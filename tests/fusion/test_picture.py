"""The picture of a fusion: marks that say what became what, and long graphs cut alike on both sides."""

from itertools import pairwise

import pytest
import torch
from torch import nn

import workbench.fusion.outline as outlining
from workbench.drawing import Rect, Text
from workbench.fusion import fuse
from workbench.fusion.exported import fuse_exported
from workbench.fusion.graph.tracing import trace
from workbench.fusion.outline import LEFT_OUT, MOST, Step, outline, too_many
from workbench.fusion.rewrite import Rewrite


def block(width: int = 3) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(width, width, 1), nn.BatchNorm2d(width), nn.ReLU())


class Residual(nn.Module):
    """Two folds, the second within a branch."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = block(), block()

    def forward(self, x):
        y = self.first(x)
        return y + self.second(y)


def sides(report) -> list[list[Step]]:
    before = trace(report.original, report.inputs)
    return list(outline(before, report.model, report.rewrites))


@pytest.mark.parametrize("fused", [fuse, fuse_exported])
def test_what_became_one_has_one_mark(fused, lived_in):
    report = fused(lived_in(Residual()), torch.randn(2, 3, 5, 5))
    before = report.original if fused is fuse_exported else trace(report.original, report.inputs)
    first, second = outline(before, report.model, report.rewrites)
    assert [step.number for step in first] == [0, 1, 1, 0, 2, 2, 0, 0, 0]
    assert [step.number for step in second] == [0, 1, 0, 2, 0, 0, 0]
    assert [step.title for step in second if step.number] == ["first.0", "second.0"]
    assert [step.kind for step in (first[0], first[-2], first[-1])] == ["x", "add", "output"]


def test_rewrites_that_share_a_step_have_one_mark():
    graph = trace(
        nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3), nn.ReLU()).eval(), (torch.ones(1, 3, 2, 2),)
    )
    rewrites = [Rewrite("fold", "1 + 2", ""), Rewrite("fold", "0 + 1", "")]
    assert [step.number for step in outline(graph, graph, rewrites)[0]] == [0, 1, 1, 1, 0]


class Attention(nn.Module):
    """Three products of one input, scores, a mixture."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(8, 8) for _ in range(3))

    def forward(self, x):
        scores = self.query(x) @ self.key(x).transpose(-1, -2)
        return torch.tanh(scores) @ self.value(x)


def test_new_nodes_belong_to_what_they_prepare(lived_in):
    """The merged layer, and cutting its result, stand for all three; picking one of the parts is no step."""
    before, after = sides(fuse(lived_in(Attention()), torch.randn(2, 5, 8)))
    assert {step.title for step in before if step.number} == {"query", "key", "value"}
    merged = [step for step in after if step.number]
    assert [step.kind for step in merged] == ["Linear", "split"]
    assert [step.number for step in merged] == [1, 1]
    readers = [step.kind for step in after if merged[-1].name in step.reads]
    assert sorted(readers) == ["matmul", "matmul", "transpose"]


def test_a_short_graph_is_shown_whole(lived_in):
    report = fuse(lived_in(nn.Sequential(*[block() for _ in range(7)])), torch.randn(1, 3, 4, 4))
    assert [len(side) for side in sides(report)] == [23, 16]


def test_equal_parts_are_shown_once(lived_in):
    model = nn.Sequential(nn.Conv2d(3, 3, 3), *[block() for _ in range(12)], nn.Flatten(), nn.Linear(12, 2))
    report = fuse(lived_in(model), torch.randn(1, 3, 4, 4))
    first, second = sides(report)
    assert [step.kind for step in second] == [
        "input", "Conv2d", "Conv2d", "ReLU", "… 11 more like these", "Flatten", "Linear", "output",
    ]  # fmt: skip
    assert [step.kind for step in first] == [
        "input", "Conv2d", "Conv2d", "BatchNorm2d", "ReLU", "… 11 more like these", "Flatten", "Linear", "output",
    ]  # fmt: skip
    for side in (first, second):
        for before, step in pairwise(side):
            assert step.reads == (before.name,)


@pytest.mark.parametrize("shift", range(6))
def test_a_long_graph_without_equal_parts_is_cut_between_rewrites(shift, lived_in, monkeypatch):
    monkeypatch.setattr(outlining, "REPEATS", 1000)
    layers = [nn.ReLU()] * shift + [block() for _ in range(14)]
    report = fuse(lived_in(nn.Sequential(*layers)), torch.randn(1, 3, 4, 4))
    first, second = sides(report)
    assert len(first) <= MOST
    shown = [{step.number for step in side} - {0} for side in (first, second)]
    assert shown[0] == shown[1] == set(range(1, len(shown[0]) + 1))  # marked from 1 on, whatever is left out
    for number in shown[0]:
        assert sum(step.number == number for step in first) == 2
    for side, graph in ((first, trace(report.original, report.inputs)), (second, report.model)):
        words = next(step.kind for step in side if step.name == LEFT_OUT)
        assert words == f"… {len(graph.graph.nodes) - len(side) + 1} more steps"


def test_arrows_into_and_out_of_what_is_left_out():
    steps = [Step(str(n), "", f"kind {n}", (str(n - 1), "0") if n else (), "") for n in range(40)]
    hidden, _ = too_many(steps)
    kept = {step.name: step for step in outlining._without(steps, hidden, "")}
    assert kept[LEFT_OUT].reads == ("13", "0")
    assert kept["35"].reads == (LEFT_OUT, "0")
    assert not any(name in hidden for step in kept.values() for name in step.reads)


@pytest.mark.parametrize("depth", [1, 4, 40])
def test_boxes_stand_apart_and_inside(depth, lived_in):
    model = nn.Sequential(*[Residual() for _ in range(depth)])
    scene = fuse(lived_in(model), torch.randn(1, 3, 4, 4)).picture()
    boxes = [shape for shape in scene.shapes if isinstance(shape, Rect) and shape.width > 22]
    for number, one in enumerate(boxes):
        assert one.x >= 0
        assert one.x + one.width <= scene.width
        assert one.y + one.height <= scene.height
        for other in boxes[:number]:
            beside = one.x >= other.x + other.width or other.x >= one.x + one.width
            assert beside or one.y >= other.y + other.height or other.y >= one.y + one.height
    assert scene.png(scale=0.5).startswith(b"\x89PNG")


def test_the_picture_in_words_and_its_legend(lived_in):
    scene = fuse(lived_in(Residual()), torch.randn(2, 3, 5, 5)).picture()
    assert scene.alt.startswith("A model's graph before: 7 steps: x, first.0 Conv2d, first.1 BatchNorm2d")
    assert "after: 5 steps" in scene.alt
    texts = [shape.text for shape in scene.shapes if isinstance(shape, Text)]
    assert "A, B  fold BatchNorm ×2" in texts
    assert texts.count("A") == texts.count("B") == 3
