"""Branches see the same input and stand side by side in their order."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from workbench.blocks.convolution import Conv1d, Conv2d
from workbench.blocks.linear import Linear
from workbench.topologies import Inception


@settings(deadline=None, max_examples=20)
@given(
    widths=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    batch=st.integers(0, 3),
    channels=st.integers(1, 3),
    length=st.integers(1, 9),
)
def test_results_stand_side_by_side(same_wiring, widths, batch, channels, length):
    branches = [Conv1d(channels, width, 2 * i + 1, padding=i) for i, width in enumerate(widths)]
    block, x = Inception(branches), torch.randn(batch, channels, length)
    assert torch.equal(block(x), torch.cat([branch(x) for branch in branches], dim=1))
    assert block.contract == f"batch {channels} length -> batch {sum(widths)} length"
    same_wiring(block, x)


def test_pictures_vectors_and_an_untouched_branch(same_wiring):
    pictures = Inception([Conv2d(3, 4, 1), Conv2d(3, 8, 3, padding=1), nn.Identity()])
    assert pictures.contract == "batch 3 height width -> batch 15 height width"
    same_wiring(pictures, torch.randn(2, 3, 5, 7))
    vectors = Inception([Linear(3, 4), nn.Tanh()], axis=-1)
    assert vectors.contract == "... 3 -> ... 7"
    same_wiring(vectors, torch.randn(2, 5, 3))


def test_branches_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match="branches: expected at least one module, got none"):
        Inception([])
    with pytest.raises(
        ValueError, match=r"branches\[1\]: expected one input and one output, floating point, got"
    ):
        _ = Inception([Linear(3, 4), nn.Embedding(3, 4)], axis=-1).contract
    with pytest.raises(ValueError, match="inputs: "):
        Inception([Conv1d(3, 4, 1), Conv1d(3, 4, 3)])(torch.zeros(2, 3, 5))
