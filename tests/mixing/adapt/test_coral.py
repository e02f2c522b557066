"""Correlation alignment: means and covariances agree afterwards; the penalty is the paper's formula."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.mixing.adapt import DeepCoral, coral
from workbench.mixing.adapt.coral import covariance, symmetric_power


def features(examples: int, width: int, seed: int) -> torch.Tensor:
    random = torch.Generator().manual_seed(seed)
    mixing = torch.randn(width, width, generator=random, dtype=torch.float64)
    return torch.randn(examples, width, generator=random, dtype=torch.float64) @ mixing + seed


@settings(deadline=None, max_examples=30)
@given(width=st.integers(1, 7), more=st.integers(5, 40), seed=st.integers(0, 99))
def test_aligned_features_have_the_targets_mean_and_covariance(width, more, seed):
    source, target = features(width + more, width, seed), features(width + 2 * more, width, seed + 1)
    aligned = coral(source, target, ridge=1e-12)
    assert aligned.shape == source.shape
    torch.testing.assert_close(aligned.mean(0), target.mean(0))
    torch.testing.assert_close(covariance(aligned), covariance(target), rtol=1e-4, atol=1e-4)


def test_a_domain_aligned_with_itself_stays():
    source = features(20, 4, 0)
    torch.testing.assert_close(coral(source, source), source)


def test_a_feature_that_never_varies_does_no_harm():
    source, target = features(20, 3, 0), features(20, 3, 1)
    source[:, 1] = 5.0
    assert coral(source, target).isfinite().all()


def test_covariance_is_torchs():
    source = features(9, 4, 2)
    torch.testing.assert_close(covariance(source), torch.cov(source.T))


def test_powers_of_a_symmetric_matrix():
    matrix = covariance(features(30, 5, 3)) + torch.eye(5, dtype=torch.float64)
    root = symmetric_power(matrix, 0.5)
    torch.testing.assert_close(root @ root, matrix)
    torch.testing.assert_close(symmetric_power(matrix, -0.5) @ root, torch.eye(5, dtype=torch.float64))


def test_the_penalty_is_the_papers_and_reaches_both_sides():
    source, target = (features(12, 3, seed).requires_grad_() for seed in (4, 5))
    penalty = DeepCoral(weight=7.0)(source, target)
    difference = torch.cov(source.T) - torch.cov(target.T)
    torch.testing.assert_close(penalty, 7 * difference.pow(2).sum() / (4 * 3**2))
    penalty.backward()
    assert source.grad.abs().sum() > 0
    assert target.grad.abs().sum() > 0
    assert DeepCoral()(source, source + 3).item() == pytest.approx(0, abs=1e-20)


def test_features_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match=r"equal widths, got \(5, 3\) and \(5, 4\)"):
        coral(torch.ones(5, 3), torch.ones(5, 4))
    with pytest.raises(ValueError, match=r"two or more examples, got \(1, 3\)"):
        coral(torch.ones(1, 3), torch.ones(5, 3))
    with pytest.raises(ValueError, match="ridge: expected a number above 0, got 0"):
        coral(torch.ones(5, 3), torch.ones(5, 3), ridge=0)
