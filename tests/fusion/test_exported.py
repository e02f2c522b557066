"""Folding on torch.export's graph is exact where it is done, meets the same traps, and agrees with `fuse`."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from workbench.fusion import TracingError, fuse
from workbench.fusion.exported import fuse_exported

PLAIN = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
NORMS = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
aten = torch.ops.aten


def norms_in(report) -> int:
    return len(report.model.graph.find_nodes(op="call_function", target=aten.batch_norm.default))


def fold_exactly(model, inputs):
    """The model is untouched and the new one equals it in float64, and on other inputs."""
    before = copy.deepcopy(model.state_dict())
    report = fuse_exported(model, inputs)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert report.max_error_float64 <= 1e-12
    own = {tensor.data_ptr() for tensor in model.parameters()}
    assert not own & {tensor.data_ptr() for tensor in report.model.parameters()}
    return report


@settings(deadline=None, max_examples=15)
@given(
    dimensions=st.integers(1, 3),
    transposed=st.booleans(),
    groups=st.integers(1, 3),
    inside=st.integers(1, 3),
    outside=st.integers(1, 3),
    padding=st.sampled_from([0, "same", "circular"]),
    bias=st.booleans(),
    affine=st.booleans(),
    seed=st.integers(0, 99),
)
def test_every_convolution_folds(
    lived_in, dimensions, transposed, groups, inside, outside, padding, bias, affine, seed
):
    torch.manual_seed(seed)
    channels, options = groups * outside, {"groups": groups, "bias": bias}
    if transposed:
        conv = TRANSPOSED[dimensions](groups * inside, channels, 3, stride=2, **options)
    elif padding == "circular":
        conv = PLAIN[dimensions](groups * inside, channels, 3, padding=1, padding_mode="circular", **options)
    else:
        conv = PLAIN[dimensions](groups * inside, channels, 3, padding=padding, **options)
    model = lived_in(nn.Sequential(conv, NORMS[dimensions](channels, affine=affine)), seed)
    report = fold_exactly(model, torch.randn(2, groups * inside, *[5] * dimensions))
    assert [rewrite.where for rewrite in report.rewrites] == ["0 + 1"]
    assert norms_in(report) == 0


@pytest.mark.parametrize("bias", [True, False])
def test_linear_folds_on_two_axes_only(lived_in, bias):
    model = lived_in(nn.Sequential(nn.Linear(4, 6, bias=bias), nn.BatchNorm1d(6)))
    assert norms_in(fold_exactly(model, torch.randn(3, 4))) == 0
    report = fold_exactly(model, torch.randn(3, 6, 4))  # here axis 1 is another one
    assert norms_in(report) == 1
    assert "axis 1" in report.refused[0].why


def test_a_convolution_without_a_batch_axis_is_left_alone(lived_in):
    """(channels, length) is for BatchNorm1d a batch of `channels` with `length` features."""
    model = lived_in(nn.Sequential(nn.Conv1d(3, 5, 1), nn.BatchNorm1d(5)))
    report = fold_exactly(model, torch.randn(3, 5))
    assert norms_in(report) == 1
    assert "axis 1" in report.refused[0].why


class Wired(nn.Module):
    """Two convolutions and two normalizations, wired as a test likes."""

    def __init__(self, wiring) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 3, padding=1, bias=False)
        self.one, self.other = nn.BatchNorm2d(3), nn.BatchNorm2d(3)
        self.wiring = wiring

    def forward(self, x):
        return self.wiring(self, x)


@pytest.mark.parametrize(
    ("wiring", "folded", "refused"),
    [
        (lambda m, x: m.one(m.a(x)) + m.one(m.b(x)), 2, 0),  # one normalization behind two convolutions
        (lambda m, x: m.other(m.a(m.one(m.a(x)))), 2, 0),  # each call has weights of its own
        (lambda m, x: m.one(m.a(x)) + m.a(x), 1, 0),
        (lambda m, x: m.other(m.one(m.a(x))), 2, 0),  # the first fold makes room for the second
        (lambda m, x: m.one(F.conv2d(x, m.a.weight)), 1, 0),  # no module behind the operation
        (lambda m, x: m.one(F.conv2d(x, m.a.weight * 2)), 0, 1),  # weights that are computed
        (lambda m, x: (y := m.a(x)) + m.one(y), 0, 1),  # the convolution's result is read twice
        (lambda m, x: m.one(F.relu(m.a(x))), 0, 0),
        (lambda m, x: m.a(m.one(x)), 0, 0),  # the wrong way round
    ],
)
def test_traps(lived_in, wiring, folded, refused):
    report = fold_exactly(lived_in(Wired(wiring)), torch.randn(2, 3, 5, 5))
    assert (len(report.rewrites), len(report.refused)) == (folded, refused)
    before = report.original.graph.find_nodes(op="call_function", target=aten.batch_norm.default)
    assert norms_in(report) == len(before) - folded


def test_new_weights_take_no_name_that_is_taken(lived_in):
    model = Wired(lambda m, x: m.one(m.a(x)) * m.conv2d_weight)
    model.conv2d_weight = nn.Parameter(torch.tensor(3.0))
    assert norms_in(fold_exactly(lived_in(model), torch.randn(2, 3, 4, 4))) == 0


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)), "each batch's own statistics"),
        (
            nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3, track_running_stats=False)).eval(),
            "each batch's own statistics",
        ),
        (
            nn.Sequential(
                nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 3, 1)), nn.BatchNorm2d(3)
            ).eval(),
            "computed anew",
        ),
    ],
    ids=["train", "untracked", "parametrized"],
)
def test_what_is_refused_says_why(model, why):
    report = fold_exactly(model, torch.randn(2, 3, 4, 4))
    assert not report.rewrites
    assert [refusal.where for refusal in report.refused] == ["0 + 1"]
    assert why in report.refused[0].why
    assert report.max_error == 0


def test_what_a_hook_does_is_kept(lived_in):
    model = lived_in(nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)))
    model[0].register_forward_hook(lambda module, inputs, output: output * 2 + 1)
    report = fold_exactly(model, torch.randn(2, 3, 4, 4))
    assert not report.rewrites


def test_old_weights_are_gone(lived_in):
    model = lived_in(nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Conv2d(4, 3, 1)))
    report = fold_exactly(model, torch.randn(2, 3, 4, 4))
    kept = {name: tuple(value.shape) for name, value in report.model.state_dict().items()}
    shapes = {"2.weight": (3, 4, 1, 1), "2.bias": (3,), "conv2d_weight": (4, 3, 1, 1), "conv2d_bias": (4,)}
    assert kept == shapes


def test_tied_weights_stay_what_they_are_elsewhere(lived_in):
    model = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3), nn.Conv2d(3, 3, 1))
    model[2].weight = model[0].weight
    report = fold_exactly(lived_in(model), torch.randn(2, 3, 4, 4))
    assert norms_in(report) == 0


def test_a_branch_on_numbers_is_named():
    class Choosy(nn.Module):
        def forward(self, x):
            return x if x.sum() > 0 else -x

    with pytest.raises(TracingError, match=r"test_exported.py line \d+, `return x if x.sum\(\) > 0"):
        fuse_exported(Choosy(), torch.randn(3))


def test_it_agrees_with_fuse(lived_in):
    """On a network of plain modules both fold the same places, to the same numbers."""
    model = lived_in(Wired(lambda m, x: m.other(m.b(F.relu(m.one(m.a(x)))))))
    x = torch.randn(2, 3, 7, 5)
    ours, exported = fuse(model, x), fuse_exported(model, x)
    assert [(one.what, one.where) for one in ours.rewrites] == [
        (one.what, one.where) for one in exported.rewrites
    ]
    assert torch.equal(ours.model(x), exported.model(x))
    assert (ours.ops_after, ours.bytes_after) == (exported.ops_after, exported.bytes_after)
