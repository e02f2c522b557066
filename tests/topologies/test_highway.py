"""A highway starts as nearly the identity, is its formula, and lets its gate close or open fully."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from workbench.blocks.linear import MLP, Linear
from workbench.topologies import Highway


@settings(deadline=None, max_examples=20)
@given(leading=st.lists(st.integers(0, 4), max_size=3), width=st.integers(1, 6))
def test_it_is_its_formula_and_its_fabric(same_wiring, leading, width):
    block = Highway(width, MLP([width, 5, width]))
    x = torch.randn(*leading, width)
    share = torch.sigmoid(block.gate(x))
    assert torch.equal(block(x), share * block.inner(x) + (1 - share) * x)
    same_wiring(block, x)


def test_a_fresh_one_carries():
    torch.manual_seed(0)
    block, x = Highway(64, MLP([64, 64, 64])), torch.randn(100, 64)
    assert torch.equal(block.gate.bias, torch.full((64,), -2.0))
    share = torch.sigmoid(block.gate(x)).mean()
    assert 0.1 < share < 0.16  # σ(−2) = 0.12
    # so a stack of twenty still knows its input, which twenty plain layers do not
    stack = nn.Sequential(*(Highway(64, nn.Sequential(Linear(64, 64), nn.ReLU())) for _ in range(20)))
    plain = nn.Sequential(*(layer.inner for layer in stack))
    same = torch.corrcoef(torch.stack([x.flatten(), stack(x).flatten(), plain(x).flatten()]))[0]
    assert same[1] > 0.5 > 0.1 > same[2].abs()


def test_the_gate_chooses_between_input_and_inner():
    block, x = Highway(4, Linear(4, 4)), torch.randn(3, 4)
    nn.init.zeros_(block.gate.weight)
    nn.init.constant_(block.gate.bias, -100)
    assert torch.equal(block(x), x)
    nn.init.constant_(block.gate.bias, 100)
    assert torch.equal(block(x), block.inner(x))


def test_what_does_not_fit_is_named():
    with pytest.raises(ValueError, match="changed: expected carried, changed and share of one shape"):
        Highway(4, Linear(4, 1))(torch.zeros(2, 4))
    with pytest.raises(ValueError, match="x: expected shape"):
        Highway(4, Linear(4, 4))(torch.zeros(2, 3))
    with pytest.raises(ValueError, match="inputs: expected at least 1"):
        Highway(0, Linear(4, 4))
