"""Each place where a fuser can be silently wrong: ours stays exact, or refuses and says why.

torch's own `torch.fx.experimental.optimization.fuse` is wrong on the first of these (pytorch#104593).
"""

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune

from workbench import blocks
from workbench.fusion import TracingError, fuse
from workbench.fusion.fold_batchnorm import fold_batchnorm

X = torch.randn(2, 3, 7, 6, generator=torch.Generator().manual_seed(1))


def pair(channels=3, **options):
    return nn.Conv2d(3, channels, 3, padding=1), nn.BatchNorm2d(channels, **options)


def refusals(report):
    return {one.where: one.why for one in report.refused}


def test_a_convolution_called_twice_is_refused(lived_in, exact, calls):
    conv, norm = pair()
    model = lived_in(calls(lambda m, x: m.norm(m.conv(x)) + m.conv(2 * x), conv=conv, norm=norm))
    report = exact(model, X)
    assert not report.rewrites
    assert "conv is called 2 times" in refusals(report)["conv + norm"]
    twice = lived_in(calls(lambda m, x: m.norm(m.conv(m.norm(m.conv(x)))), conv=conv, norm=norm))
    report = exact(twice, X)
    assert not report.rewrites
    assert len(report.refused) == 1  # the same place, the same reason: said once


def test_a_convolution_called_once_more_inside_a_closed_module_is_refused(lived_in, exact, calls):
    conv, norm = pair()
    closed = nn.Sequential(conv, nn.ReLU())
    closed.register_forward_hook(lambda module, inputs, output: None)
    for order in ({"closed": closed, "conv": conv}, {"conv": conv, "closed": closed}):
        model = lived_in(calls(lambda m, x: m.norm(m.conv(x)) + m.closed(x), norm=norm, **order))
        report = exact(model, X)
        assert not report.rewrites
        assert "is called 2 times" in " ".join(refusals(report).values())


def test_a_norm_shared_by_two_convolutions_is_exact(lived_in, exact, calls):
    (one, norm), (two, _) = pair(), pair()
    model = lived_in(calls(lambda m, x: m.norm(m.one(x)) - m.norm(m.two(x)), one=one, two=two, norm=norm))
    report = exact(model, X)
    assert [rewrite.where for rewrite in report.rewrites] == ["one + norm", "two + norm"]


def test_a_convolution_whose_output_branches_is_refused(lived_in, exact, calls):
    conv, norm = pair()
    model = lived_in(calls(lambda m, x: m.norm(y := m.conv(x)) + y, conv=conv, norm=norm))
    report = exact(model, X)
    assert not report.rewrites
    assert "also used elsewhere" in refusals(report)["conv + norm"]
    seen = lived_in(calls(lambda m, x: (m.norm(y := m.conv(x)), y), conv=conv, norm=norm))
    assert "also used elsewhere" in refusals(exact(seen, X))["conv + norm"]


def test_statistics_of_the_batch_are_refused(lived_in, exact):
    model = lived_in(nn.Sequential(*pair(track_running_stats=False)))
    report = exact(model, X)
    assert "track_running_stats=False" in refusals(report)["0 + 1"]


def test_train_mode_is_refused_and_kept(lived_in, exact):
    model = lived_in(nn.Sequential(*pair(), nn.Dropout(0.3))).train()
    report = exact(model, X)
    assert not report.rewrites
    assert "in training mode" in refusals(report)["0 + 1"]
    assert "in training mode" in refusals(report)["2"]
    assert all(module.training for module in report.model.modules())
    fused = report.model
    for module in (model, fused):
        torch.manual_seed(0)
        module(X).sum().backward()
    assert torch.equal(fused.get_submodule("1").running_mean, model[1].running_mean)
    assert torch.equal(fused.get_submodule("0").weight.grad, model[0].weight.grad)


def test_one_frozen_part_of_a_model_in_training_is_folded(lived_in, exact):
    model = lived_in(nn.Sequential(*pair(), *pair())).train()
    model[1].eval()
    report = exact(model, X)
    assert [rewrite.where for rewrite in report.rewrites] == ["0 + 1"]
    assert report.model.get_submodule("3").training


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("affine", [True, False])
def test_padding_and_affine_are_exact(lived_in, exact, mode, affine):
    conv = nn.Conv2d(3, 4, 3, padding=1, padding_mode=mode, bias=False)
    report = exact(lived_in(nn.Sequential(conv, nn.BatchNorm2d(4, affine=affine, eps=0.1))), X)
    assert len(report.rewrites) == 1


def test_tied_weights_are_refused(lived_in, exact, calls):
    one, two = pair(), pair()
    two[0].weight = one[0].weight
    model = lived_in(nn.Sequential(*one, *two))
    report = exact(model, X)
    assert not report.rewrites
    assert "2.weight is the same tensor" in refusals(report)["0 + 1"]
    assert "0.weight is the same tensor" in refusals(report)["2 + 3"]
    read = lived_in(calls(lambda m, x: m.norm(m.conv(x)) + m.conv.weight.sum(), conv=one[0], norm=one[1]))
    assert "read by another operation" in refusals(exact(read, X))["conv + norm"]


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("kind", ["register_forward_hook", "register_forward_pre_hook"])
def test_hooks_are_refused_and_kept(lived_in, exact, place, kind):
    model = lived_in(nn.Sequential(*pair()))
    seen = []
    getattr(model[place], kind)(lambda module, *given: seen.append(module))
    report = exact(model, X)
    assert f"{place} has hooks" in refusals(report)["0 + 1"]
    seen.clear()
    report.model(X)
    assert len(seen) == 1


def test_a_hook_on_a_block_keeps_it_closed(lived_in, exact):
    model = lived_in(nn.Sequential(nn.Sequential(*pair()), *pair()))
    model[0].register_forward_hook(lambda module, inputs, output: output * 2)
    report = exact(model, X)
    assert [rewrite.where for rewrite in report.rewrites] == ["1 + 2"]
    assert "has hooks" in refusals(report)["0"]
    model.register_forward_hook(lambda module, inputs, output: output + 1)
    report = exact(model, X)
    assert not report.rewrites
    torch.testing.assert_close(report.model(X), model(X))


@pytest.mark.parametrize(
    "wrap",
    [
        parametrizations.weight_norm,
        lambda conv: prune.random_unstructured(conv, "weight", 0.5),
        lambda conv: parametrize.register_parametrization(conv, "weight", nn.Tanh()) or conv,
    ],
)
def test_computed_weights_are_refused(lived_in, exact, wrap):
    conv, norm = pair()
    report = exact(lived_in(nn.Sequential(wrap(conv), norm)), X)
    assert not report.rewrites
    assert set(refusals(report)) == {"0 + 1"}


def test_a_forward_of_its_own_is_refused(lived_in, exact):
    conv, norm = pair()
    conv.forward = lambda x: x * 2
    report = exact(lived_in(nn.Sequential(conv, norm)), X)
    assert "forward of its own" in refusals(report)["0 + 1"]


def test_a_linear_layer_is_folded_where_its_features_are_normalized(lived_in, exact):
    model = lived_in(nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4)))
    assert len(exact(model, torch.randn(3, 5)).rewrites) == 1
    report = exact(model, torch.randn(3, 4, 5)[:, :, :5])  # axis 1 is time, and as long as the features
    assert "the channels of 0 are another axis" in refusals(report)["0 + 1"]


def test_a_signal_without_batch_is_refused(lived_in, exact):
    """(channels, length) in: BatchNorm1d takes the channels for a batch, the length for channels."""
    model = lived_in(nn.Sequential(nn.Conv1d(2, 6, 1), nn.BatchNorm1d(6)))
    report = exact(model, torch.randn(2, 6))
    assert not report.rewrites
    assert len(exact(model, torch.randn(1, 2, 6)).rewrites) == 1


def test_our_own_blocks_fold(lived_in, exact):
    model = lived_in(nn.Sequential(
        blocks.Conv2d(3, 4, 3, padding="same"), blocks.BatchNorm(4), blocks.ReLU(),
        blocks.Depthwise2d(4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1), blocks.BatchNorm(2),
        nn.Flatten(), blocks.Linear(40, 5), blocks.BatchNorm(5, affine=False),
    ))  # fmt: skip
    assert len(exact(model, X).rewrites) == 4


def test_a_branch_on_numbers_is_an_error_that_names_the_line(calls):
    def forward(model, x):
        if x.sum() > 0:  # this line
            return x
        return -x

    with pytest.raises(
        TracingError, match=r"test_traps\.py line \d+, `if x\.sum\(\) > 0:  # this line`: which way"
    ):
        fuse(calls(forward), X)


def test_torchs_own_pass_is_wrong_where_ours_refuses(lived_in):
    """Should this fail, torch has mended it: then say so in the docstring above."""
    from torch.fx.experimental.optimization import fuse as torchs

    conv, norm = pair()

    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.norm = conv, norm

        def forward(self, x):
            return self.norm(self.conv(self.conv(x)))

    model = lived_in(Twice())
    wrong = torchs(copy.deepcopy(model))(X)
    assert (wrong - model(X)).abs().max() > 1e-2
    torch.testing.assert_close(fuse(model, X).model(X), model(X))
    right = fold_batchnorm(conv, norm)(conv(X))
    torch.testing.assert_close(right, model(X), rtol=1e-4, atol=1e-4)
