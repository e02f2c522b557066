"""Trained networks, fused both ways: exact, the same answers, fewer operations; and one with nothing left to fuse."""

import importlib.util

import pytest
import torch
from torch import nn

from workbench.data import load_fashion_mnist, load_librivox
from workbench.fusion import fuse
from workbench.fusion.exported import fuse_exported
from workbench.topologies.efficientnet_lite import PACKAGE, load_efficientnet_lite0
from workbench.topologies.silero_vad import load_silero_vad
from workbench.training.fashion import examples, load_fashion_conv_bn


def norms_in(model: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in model.modules())


def folds(report) -> list[str]:
    return [rewrite.where for rewrite in report.rewrites if rewrite.what == "fold BatchNorm"]


def agree(ours, exported, x):
    """Both passes fold the same places, exactly, and leave models that give the same numbers."""
    assert folds(ours) == folds(exported)
    for report in (ours, exported):
        assert report.max_error_float64 <= 1e-12
        assert report.max_error <= 1e-5
    with torch.no_grad():
        assert torch.equal(ours.model(x), exported.model(x))
    assert "batch_norm" not in exported.model.code
    assert exported.original.code.count("aten.batch_norm") == len(folds(exported))


@pytest.fixture(scope="module", name="fashion")
def _fashion():
    pictures, labels = examples(load_fashion_mnist().test)
    model = load_fashion_conv_bn()
    return model, pictures, labels, fuse(model, pictures[:2])


@torch.no_grad()
def test_the_fashion_network_keeps_every_answer(fashion):
    model, pictures, labels, report = fashion
    assert (norms_in(model), norms_in(report.model)) == (3, 0)
    assert folds(report) == ["0 + 1", "4 + 5", "8 + 9"]
    assert not report.refused
    before, after = model(pictures).argmax(-1), report.model(pictures).argmax(-1)
    assert torch.equal(before, after)
    assert (after == labels).float().mean() > 0.87
    assert (report.ops_before, report.ops_after) == (13, 10)


def test_the_fashion_network_is_folded_alike_by_both_passes(fashion):
    model, pictures, _, report = fashion
    agree(report, fuse_exported(model, pictures[:2]), pictures[:2])


def test_folding_saves_a_read_and_a_write_of_each_normalized_map(fashion):
    """(batch, 16, 28, 28), (batch, 32, 14, 14), (batch, 64, 7, 7) in float32, and four statistics a channel."""
    *_, report = fashion
    maps = 2 * (16 * 28 * 28 + 32 * 14 * 14 + 64 * 7 * 7)
    assert report.bytes_before - report.bytes_after == 4 * (2 * maps + 4 * (16 + 32 + 64))


@pytest.mark.skipif(importlib.util.find_spec(PACKAGE) is None, reason=f"{PACKAGE} is not installed")
def test_efficientnet_loses_all_49_normalizations():
    torch.manual_seed(0)
    model, x = load_efficientnet_lite0(), torch.randn(2, 3, 96, 64)
    report = fuse(model, x)
    assert (norms_in(model), norms_in(report.model), len(folds(report))) == (49, 0, 49)
    agree(report, fuse_exported(model, x), x)
    assert report.ops_before - report.ops_after == 49
    assert report.bytes_after < 0.85 * report.bytes_before
    pictures = torch.randn(4, 3, 64, 64)
    with torch.no_grad():  # other sizes than those of the example
        assert torch.equal(model(pictures).argmax(-1), report.model(pictures).argmax(-1))


def test_silero_has_nothing_left_to_fold():
    detector, state = load_silero_vad(), torch.zeros(2, 1, 128)
    window = load_librivox()[0].samples[4000:4576].unsqueeze(0)
    report = fuse(detector, (window, state))
    assert not folds(report)
    assert report.max_error_float64 <= 1e-12
    with torch.no_grad():
        for one, other in zip(report.model(window, state), detector(window, state), strict=True):
            torch.testing.assert_close(one, other)
    assert fuse_exported(detector, (window, state)).rewrites == ()
