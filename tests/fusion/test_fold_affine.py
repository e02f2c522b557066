"""A constant after a layer goes into its weights, if it is one number for each channel and nothing else."""

import operator

import pytest
import torch
from torch import nn

from workbench import blocks

PICTURE = torch.randn(2, 3, 6, 5, generator=torch.Generator().manual_seed(1))
ROWS = torch.randn(4, 6, 3, generator=torch.Generator().manual_seed(2))


class After(nn.Module):
    """An operation of a layer's result and a constant that the model holds in some way."""

    def __init__(self, layer, does, value=None, kind="parameter"):
        super().__init__()
        self.layer, self.does = layer, does
        if kind == "parameter":
            self.value = None if value is None else nn.Parameter(value)
        elif kind == "buffer":
            self.register_buffer("value", value)
        else:
            self.value = value

    def forward(self, x):
        return self.does(self.layer(x), self)


def folded(report, verb):
    assert [rewrite.what for rewrite in report.rewrites] == [f"fold {verb}"]
    assert sum(node.op.startswith("call") for node in report.model.graph.nodes) == 1
    assert not report.refused


def refused(report, message):
    assert not report.rewrites
    assert [message in refusal.why for refusal in report.refused] == [True]


@pytest.mark.parametrize(
    ("does", "verb"),
    [
        (lambda y, m: y * m.value, "scale"),
        (lambda y, m: m.value * y, "scale"),
        (lambda y, m: torch.mul(y, m.value), "scale"),
        (lambda y, m: y.mul(m.value), "scale"),
        (lambda y, m: y / m.value, "scale"),
        (lambda y, m: torch.div(y, m.value), "scale"),
        (lambda y, m: y + m.value, "shift"),
        (lambda y, m: m.value + y, "shift"),
        (lambda y, m: y.add(m.value), "shift"),
        (lambda y, m: y - m.value, "shift"),
        (lambda y, m: m.value - y, "shift"),
        (lambda y, m: y.sub(m.value), "shift"),
    ],
)
@pytest.mark.parametrize("kind", ["parameter", "buffer", "number"])
@pytest.mark.parametrize(
    "layer",
    [
        lambda: nn.Conv2d(3, 5, 3, padding=1),
        lambda: nn.Conv2d(3, 5, 3, bias=False, padding_mode="circular", padding=1),
        lambda: nn.ConvTranspose2d(3, 5, 2),
        lambda: blocks.Conv2d(3, 5, 1),
    ],
)
def test_every_spelling(exact, layer, does, verb, kind):
    value = -1.7 if kind == "number" else torch.rand(5, 1, 1) + 0.5
    folded(exact(After(layer(), does, value, kind).eval(), PICTURE), verb)


@pytest.mark.parametrize("layer", [nn.Linear(3, 4), nn.Linear(3, 4, bias=False), blocks.Linear(3, 4)])
@pytest.mark.parametrize("shape", [(), (1,), (4,), (1, 1, 4)])
def test_after_a_linear_layer_the_channels_are_last(exact, layer, shape):
    folded(exact(After(layer, lambda y, m: y * m.value, torch.rand(shape) + 0.5).eval(), ROWS), "scale")


def test_a_constant_is_seen_through_views(exact):
    for view in (
        lambda value: value.view(1, -1, 1, 1),
        lambda value: value[None, :, None, None],
        lambda value: value.reshape(5, 1, 1),
        lambda value: value.unsqueeze(-1).unsqueeze(-1),
    ):
        model = After(nn.Conv2d(3, 5, 1), lambda y, m, view=view: view(m.value) * y, torch.randn(5)).eval()
        folded(exact(model, PICTURE), "scale")


def test_only_a_shift_gives_a_bias(exact):
    conv = nn.Conv2d(3, 5, 1, bias=False)
    scaled = exact(After(conv, lambda y, m: y * 3).eval(), PICTURE).model
    assert scaled.get_submodule("layer").bias is None
    assert (
        exact(After(conv, lambda y, m: 3 - y).eval(), PICTURE).model.get_submodule("layer").bias is not None
    )


def test_a_chain_of_constants_is_folded_whole(exact):
    report = exact(
        After(nn.Linear(3, 4), lambda y, m: (2 * y - 1) / m.value + 5, torch.rand(4) + 1).eval(), ROWS
    )
    assert len(report.rewrites) == 4
    assert sum(node.op.startswith("call") for node in report.model.graph.nodes) == 1


@pytest.mark.parametrize(
    ("layer", "shape", "x"),
    [
        (nn.Conv2d(3, 5, 1), (5,), torch.randn(2, 3, 4, 5)),  # along the width, which is as long
        (nn.Conv2d(3, 5, 1), (2, 1, 1, 1), PICTURE),  # one for each example
        (nn.Conv2d(3, 5, 1), (5, 6, 1), PICTURE),
        (nn.Linear(3, 6), (6, 1), ROWS),  # along the time
        (nn.Conv1d(3, 1, 1), (4, 1), torch.randn(2, 3, 7)),  # would make four channels of one
    ],
)
def test_along_another_axis_it_is_refused(exact, layer, shape, x):
    report = exact(After(layer, lambda y, m: y * m.value, torch.randn(shape)).eval(), x)
    assert not report.rewrites
    why = report.refused[0].why
    assert "is not one number for each output channel" in why or "another shape" in why


def test_what_is_refused(exact):
    conv = nn.Conv2d(3, 5, 1)
    refused(exact(After(conv, lambda y, m: y * 2 + y).eval(), PICTURE), "also used elsewhere")
    refused(exact(After(conv, lambda y, m: y * 2).train(), PICTURE), "in training mode")
    refused(exact(After(conv, lambda y, m: y / 0.0).eval(), PICTURE), "not finite")
    wide = After(conv, lambda y, m: y * m.value, torch.randn(5, 1, 1, dtype=torch.float64)).eval()
    refused(exact(wide, PICTURE), "another shape or type")
    tied = After(conv, lambda y, m: y * m.layer.bias[:, None, None]).eval()
    refused(exact(tied, PICTURE), "layer.bias is read by another operation")


@pytest.mark.parametrize(
    "does",
    [
        lambda y, m: m.value / y,  # not linear in y
        lambda y, m: torch.add(y, m.value, alpha=2),
        lambda y, m: torch.div(y, m.value, rounding_mode="floor"),
        lambda y, m: y * y.mean(),
        lambda y, m: operator.pow(y, 2),
        lambda y, m: y * torch.rand_like(y[0, 0, 0, 0]),
    ],
)
def test_what_is_no_constant_scale_or_shift_is_left_alone(exact, does):
    report = exact(After(nn.Conv2d(3, 5, 1), does, torch.rand(5, 1, 1) + 1).eval(), PICTURE)
    assert not report.rewrites
    assert not report.refused


def test_a_buffer_that_the_model_writes_is_no_constant(exact):
    def counting(y, model):
        model.value.view(-1)[0].add_(1)
        return y * model.value

    report = exact(After(nn.Conv2d(3, 5, 1), counting, torch.ones(1), "buffer").eval(), PICTURE)
    assert not report.rewrites
    assert not report.refused  # nor was it tried


def test_a_scale_used_twice_goes_into_both(exact):
    model = After(nn.Linear(3, 4), lambda y, m: y * m.value, torch.randn(4)).eval()
    both = nn.Sequential(model, nn.ReLU(), After(nn.Linear(4, 4), model.does)).eval()
    both[2].value = model.value
    assert len(exact(both, ROWS).rewrites) == 2
