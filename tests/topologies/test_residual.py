"""A residual block adds what its inner block gives, and refuses one that changes the shape."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from workbench.blocks.convolution import Conv1d
from workbench.blocks.linear import MLP, Linear
from workbench.blocks.multi_head import MultiHeadAttention
from workbench.blocks.norm import BatchNorm, LayerNorm
from workbench.fabric import Fabric
from workbench.topologies import Residual

ORDERS = pytest.mark.parametrize("order", ["pre", "post"])


@settings(deadline=None, max_examples=25)
@given(
    leading=st.lists(st.integers(0, 4), max_size=3),
    width=st.integers(1, 6),
    order=st.sampled_from(["pre", "post"]),
    normed=st.booleans(),
)
def test_it_is_its_formula_and_its_fabric(same_wiring, leading, width, order, normed):
    inner, norm = MLP([width, 5, width]), LayerNorm(width) if normed else nn.Identity()
    block = Residual(inner, norm if normed else None, order)
    x = torch.randn(*leading, width)
    assert torch.equal(block(x), x + inner(norm(x)) if order == "pre" else norm(x + inner(x)))
    same_wiring(block, x)


@ORDERS
def test_it_wraps_convolutions(same_wiring, order):
    x = torch.randn(3, 4, 7)
    same_wiring(Residual(Conv1d(4, 4, 3, padding=1), BatchNorm(4).eval(), order), x)
    same_wiring(Residual(nn.Conv1d(4, 4, 5, padding="same"), None, order), x)


@ORDERS
def test_further_inputs_go_to_the_inner_block(same_wiring, order):
    attention, norm = MultiHeadAttention(8, 2), LayerNorm(8)
    block = Residual(attention, norm, order)
    query, memory = torch.randn(2, 3, 8), torch.randn(2, 5, 8)
    mask = torch.arange(5) < torch.tensor([[5], [2]])
    if order == "pre":
        assert torch.equal(block(query, memory, mask), query + attention(norm(query), memory, mask))
    same_wiring(block, query, memory, mask)
    same_wiring(block, query, None, None)


def test_a_silent_inner_block_leaves_the_input_and_its_gradient_alone():
    inner = Linear(4, 4)
    for parameter in inner.parameters():
        nn.init.zeros_(parameter)
    x = torch.randn(2, 4, requires_grad=True)
    y = Residual(inner, LayerNorm(4))(x)
    y.sum().backward()
    assert torch.equal(y, x)
    assert torch.equal(x.grad, torch.ones(2, 4))


def test_the_fabric_can_be_changed_block_by_block():
    fabric = Residual(Linear(4, 4), LayerNorm(4)).as_fabric()
    assert isinstance(fabric, Fabric)
    assert list(fabric.nodes) == ["norm", "inner", "sum"]
    fabric.swap("inner", MLP([4, 9, 4]))
    assert fabric(torch.randn(2, 4)).shape == (2, 4)


def test_a_shape_that_could_be_broadcast_is_refused():
    block = Residual(Linear(4, 1))
    with pytest.raises(ValueError, match=r"inner: expected shape \(2, 4\) as given, got \(2, 1\)"):
        block(torch.zeros(2, 4))
    with pytest.raises(
        ValueError, match=r"inner: expected one output, shaped as the first input, got \.\.\. 4"
    ):
        block.as_fabric()


def test_another_order_is_refused():
    with pytest.raises(ValueError, match=r'order: expected "pre" or "post", got \'middle\''):
        Residual(Linear(4, 4), order="middle")
