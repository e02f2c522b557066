"""Early, late and hybrid fusion: what each can and cannot see, their shapes, and their errors."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from workbench.blocks import NameEncoder, PictureEncoder
from workbench.mixing import Add, Attend, Concat, EarlyFusion, Gate, HybridFusion, LateFusion, Mean

FUSIONS = [EarlyFusion, LateFusion, HybridFusion]


class Plain(nn.Module):
    """An encoder that passes on what it gets: (batch, width)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


@settings(deadline=None, max_examples=40)
@given(
    fusion=st.sampled_from(FUSIONS),
    combine=st.sampled_from([Add, Attend, Gate, Mean, Concat]),
    batch=st.integers(0, 4),
    classes=st.integers(2, 5),
    modalities=st.integers(1, 3),
)
def test_any_combination_gives_a_score_per_class(fusion, combine, batch, classes, modalities):
    if fusion is LateFusion and combine is Concat and modalities > 1:
        with pytest.raises(ValueError, match="combine: Concat makes"):
            LateFusion([Plain(3)] * modalities, Concat, classes)
        return
    model = fusion([Plain(3) for _ in range(modalities)], combine, classes)
    scores = model(*torch.randn(modalities, batch, 3))
    assert scores.shape == (batch, classes)
    assert scores.isfinite().all()


@pytest.mark.parametrize("fusion", FUSIONS)
def test_it_takes_pictures_and_names(fusion):
    model = fusion([PictureEncoder(8), NameEncoder(8)], classes=8).eval()
    pictures = torch.randint(0, 256, (3, 32, 32, 3), dtype=torch.uint8)
    assert model(pictures, ["cat", "dog", ""]).shape == (3, 8)


def interaction(model: nn.Module, of: str) -> float:
    """How far the model is from f(a) + g(b): the mixed difference over both inputs, of its scores or probabilities."""
    a, b = torch.randn(2, 16, 4, dtype=torch.float64)
    zero = torch.zeros_like(a)

    def seen(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        scores = model(x, y)
        return scores.softmax(-1) if of == "probabilities" else scores

    return (seen(a, b) - seen(a, zero) - seen(zero, b) + seen(zero, zero)).abs().max().item()


def test_late_fusion_with_mean_cannot_see_what_shows_only_together():
    torch.manual_seed(0)
    late = LateFusion([Plain(4), Plain(4)], Mean, 3).double()
    assert interaction(late, "probabilities") < 1e-12
    for other in (EarlyFusion, HybridFusion):
        assert interaction(other([Plain(4), Plain(4)], Concat, 3).double(), "probabilities") > 1e-3


def test_late_fusion_is_the_mean_of_its_classifiers():
    late = LateFusion([Plain(4), Plain(2)], Mean, 3)
    a, b = torch.randn(5, 4), torch.randn(5, 2)
    first, second = late.classifiers
    expected = (first(a).softmax(-1) + second(b).softmax(-1)) / 2
    torch.testing.assert_close(late(a, b).exp(), expected)


def test_hybrid_fusion_is_the_mean_of_early_and_single_decisions():
    hybrid = HybridFusion([Plain(4), Plain(2)], Concat, 3)
    a, b = torch.randn(5, 4), torch.randn(5, 2)
    early = EarlyFusion([Plain(4), Plain(2)], Concat, 3)
    early.trunk.load_state_dict(hybrid.trunk.state_dict())
    first, second = hybrid.classifiers
    expected = (early(a, b).softmax(-1) + first(a).softmax(-1) + second(b).softmax(-1)) / 3
    torch.testing.assert_close(hybrid(a, b).softmax(-1), expected)


def test_a_certain_classifier_leaves_a_finite_loss():
    late = LateFusion([Plain(3)], Mean, 3)
    late.classifiers[0].weight.data = torch.eye(3) * 1e4
    scores = late(torch.tensor([[1.0, 0.0, 0.0]]))
    assert nn.functional.cross_entropy(scores, torch.tensor([2])).isfinite()


@pytest.mark.parametrize("fusion", FUSIONS)
def test_inputs_that_do_not_fit_are_named(fusion):
    model = fusion([Plain(4), Plain(4)], Mean, 3)
    x = torch.zeros(2, 4)
    with pytest.raises(ValueError, match=r"inputs: expected 2, one each for Plain, Plain; got 1"):
        model(x)
    with pytest.raises(ValueError, match=r"inputs: expected 2, .* got 3"):
        model(x, x, x)
    with pytest.raises(ValueError, match=r"inputs\[1\]: the input of Plain is missing"):
        model(x, None)
    with pytest.raises(ValueError, match="Plain got 2, Plain got 3"):
        model(x, torch.zeros(3, 4))


@pytest.mark.parametrize("fusion", FUSIONS)
def test_encoders_that_do_not_fit_are_named(fusion):
    with pytest.raises(ValueError, match="encoders: expected at least one"):
        fusion([], Mean, 3)
    with pytest.raises(ValueError, match=r"encoders\[1\]: Identity has no integer attribute `width`"):
        fusion([Plain(4), nn.Identity()], Mean, 3)
