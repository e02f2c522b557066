"""Training on two domains at once: the penalty's share, statistics, seeds, refusals."""

import pytest
import torch
from torch import nn

from workbench.mixing.adapt import DeepCoral, DomainAdversary, adabn, fit_together

PICTURES = torch.randn(70, 4, generator=torch.Generator().manual_seed(0))
LABELS = (PICTURES[:, 0] > 0).long()
ELSEWHERE = 3 * torch.randn(50, 4, generator=torch.Generator().manual_seed(1)) + 2


def parts():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU()), nn.Linear(6, 2)


def trained(penalty, seed=0, epochs=4):
    return fit_together(*parts(), (PICTURES, LABELS), ELSEWHERE, penalty, epochs=epochs, batch=16, seed=seed)


def test_it_learns_the_sources_labels():
    options = {"epochs": 30, "batch": 16, "learning_rate": 0.03}
    model = fit_together(*parts(), (PICTURES, LABELS), ELSEWHERE, DeepCoral(0.0), **options)
    model = adabn(model, PICTURES)  # back to where the labels are
    assert (model(PICTURES).argmax(-1) == LABELS).float().mean() > 0.9


def test_the_result_has_the_targets_statistics():
    model = trained(DeepCoral(1.0))
    seen = model[0][0](ELSEWHERE)
    assert not model.training
    torch.testing.assert_close(model[0][1].running_mean, seen.mean(0))


def test_a_penalty_changes_the_weights_and_a_seed_repeats_them():
    without, gentle, again, other = (
        trained(DeepCoral(weight), seed)[1].weight for weight, seed in ((0, 0), (9, 0), (9, 0), (9, 1))
    )
    assert torch.equal(gentle, again)
    assert not torch.equal(gentle, without)
    assert not torch.equal(gentle, other)


def test_without_a_penalty_the_target_leaves_no_trace_but_its_statistics():
    """So what is left is the source's training and AdaBN: the control for every penalty."""
    for weight, same in ((0.0, True), (9.0, False)):
        encoders = []
        for target in (ELSEWHERE, ELSEWHERE.flip(0) * 2):
            encoder, classifier = parts()
            penalty, options = DeepCoral(weight), {"epochs": 2, "batch": 16}
            model = fit_together(encoder, classifier, (PICTURES, LABELS), target, penalty, **options)
            encoders.append(model[0])
        assert torch.equal(encoders[0][0].weight, encoders[1][0].weight) is same
        assert not torch.equal(encoders[0][1].running_mean, encoders[1][1].running_mean)


def test_progress_runs_from_zero_to_just_below_one():
    class Watch(nn.Module):
        def __init__(self):
            super().__init__()
            self.seen = []

        def forward(self, source, target, progress):
            assert source.shape == target.shape == (16, 6)
            self.seen.append(progress)
            return source.sum() * 0

    penalty = Watch()
    trained(penalty, epochs=2)
    assert penalty.seen == pytest.approx([0, 1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6])  # 50 // 16 steps an epoch


def test_the_adversarys_own_weights_are_trained():
    torch.manual_seed(0)
    penalty = DomainAdversary(6, hidden=5)
    before = penalty.classifier[0].weight.clone()
    trained(penalty)
    assert not torch.equal(penalty.classifier[0].weight, before)


def test_what_does_not_fit_is_named():
    with pytest.raises(
        ValueError, match=r"expected one batch of 64 .* got 70 inputs, 70 labels, 50 target inputs"
    ):
        fit_together(*parts(), (PICTURES, LABELS), ELSEWHERE, DeepCoral(), epochs=1)
    with pytest.raises(ValueError, match="got 70 inputs, 69 labels"):
        fit_together(*parts(), (PICTURES, LABELS[1:]), ELSEWHERE, DeepCoral(), epochs=1, batch=16)
    with pytest.raises(FloatingPointError, match="the loss is inf in epoch 1"):
        trained(DeepCoral(float("inf")))
