"""Every dense block sees the input and all results before it, unchanged; the channels add up."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.blocks.convolution import Conv2d
from workbench.blocks.linear import MLP, Linear
from workbench.blocks.merge import Add
from workbench.fabric import EdgeError
from workbench.topologies import Dense


@settings(deadline=None, max_examples=20)
@given(
    leading=st.lists(st.integers(0, 3), max_size=2),
    width=st.integers(1, 5),
    growths=st.lists(st.integers(1, 4), min_size=1, max_size=4),
)
def test_every_block_reads_all_that_came_before(same_wiring, leading, width, growths):
    widths = [width + sum(growths[:number]) for number in range(len(growths))]
    inners = [MLP([inputs, 3, growth]) for inputs, growth in zip(widths, growths, strict=True)]
    block, x = Dense(inners), torch.randn(*leading, width)
    features = [x]
    for inner in inners:
        features.append(inner(torch.cat(features, dim=-1)))
    assert torch.equal(block(x), torch.cat(features, dim=-1))
    assert block.contract == f"... {width} -> ... {width + sum(growths)}"
    same_wiring(block, x)


def test_it_wraps_convolutions_along_the_channels(same_wiring):
    block = Dense([Conv2d(3, 4, 3, padding=1), Conv2d(7, 2, 3, padding="same")], axis=1)
    assert block.contract == "batch 3 height width -> batch 9 height width"
    same_wiring(block, torch.randn(2, 3, 5, 6))


def test_the_input_comes_through_untouched():
    x = torch.randn(2, 3)
    assert torch.equal(Dense([Linear(3, 2), Linear(5, 4)])(x)[:, :3], x)


def test_a_block_that_takes_too_little_is_found_before_anything_runs():
    with pytest.raises(EdgeError, match="inner2"):
        Dense([Linear(3, 2), Linear(3, 2)]).as_fabric().check()


def test_what_cannot_be_is_named():
    with pytest.raises(ValueError, match="inners: expected at least one module, got none"):
        Dense([])
    with pytest.raises(
        ValueError, match=r"axis: expected one that every contract names, got 1 for '\.\.\. 3'"
    ):
        _ = Dense([Linear(3, 2)], axis=1).contract
    with pytest.raises(ValueError, match=r"inners\[0\]: expected one input and one output"):
        _ = Dense([Add()]).contract
