"""Merging: sums, means and rows are what their names say; a gate is a weighted mean that looks at all its inputs."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from workbench.blocks.merge import Add, Concat, Gate, Mean

SHAPES = st.lists(st.integers(0, 4), max_size=3)
COUNTS = st.integers(1, 4)


class By(nn.Module):
    """A function as a module, to compare with."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *inputs):
        return self.function(*inputs)


def drawn(draw, count, *shape):
    return [draw(*shape, seed=seed) for seed in range(count)]


@settings(deadline=None, max_examples=50)
@given(shape=SHAPES, count=COUNTS)
def test_add_and_mean(same, draw, keeps_contract, shape, count):
    inputs = drawn(draw, count, *shape)
    same(Add(count), By(lambda *xs: torch.stack(xs).sum(0)), *inputs)
    same(Mean(count), By(lambda *xs: torch.stack(xs).mean(0)), *inputs)
    keeps_contract(Add(count), *inputs)
    keeps_contract(Mean(count), *inputs)


@settings(deadline=None, max_examples=80)
@given(
    shape=st.lists(st.integers(0, 4), min_size=1, max_size=4),
    sizes=st.lists(st.integers(0, 4), min_size=1, max_size=4),
    data=st.data(),
)
def test_concat(same, draw, keeps_contract, shape, sizes, data):
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    inputs = []
    for seed, size in enumerate(sizes):
        shape[axis] = size
        inputs.append(draw(*shape, seed=seed))
    block = Concat(axis, len(sizes))
    same(block, By(lambda *xs: torch.cat(xs, axis)), *inputs)
    keeps_contract(block, *inputs)


class ByHand(nn.Module):
    """A gate written feature by feature."""

    def __init__(self, width, inputs):
        super().__init__()
        self.decide = nn.Linear(width * inputs, width * inputs)

    def forward(self, *inputs):
        scores = self.decide(torch.cat(inputs, -1)).chunk(len(inputs), -1)
        total = sum(score.exp() for score in scores)
        return sum(x * score.exp() / total for x, score in zip(inputs, scores, strict=True))


@settings(deadline=None, max_examples=50)
@given(around=SHAPES, width=st.integers(1, 5), count=COUNTS)
def test_gate_is_a_softmax_over_inputs_for_each_feature(same, draw, keeps_contract, around, width, count):
    inputs = drawn(draw, count, *around, width)
    block = Gate(width, count)
    same(block, ByHand(width, count), *inputs)
    keeps_contract(block, *inputs)
    weights = block.weights(*inputs)
    assert weights.shape == (*around, count, width)
    torch.testing.assert_close(weights.sum(-2), torch.ones_like(inputs[0]))


def test_a_gate_over_two_is_a_sigmoid(draw):
    gate = Gate(3).double()
    first, second = gate.weights(*(xs := drawn(draw, 2, 4, 3))).unbind(-2)
    scores = gate.decide(torch.cat(xs, -1)).unflatten(-1, (2, 3))
    torch.testing.assert_close(first, torch.sigmoid(scores[:, 0] - scores[:, 1]))
    torch.testing.assert_close(second, 1 - first)


def test_a_gate_learns_whom_to_trust():
    """One input is the answer, the other noise, and which is which changes with a flag that both carry."""
    torch.manual_seed(0)
    gate = Gate(2)
    optimizer = torch.optim.Adam(gate.parameters(), lr=0.1)
    for _ in range(150):
        answer, noise = torch.randn(64, 1), torch.randn(64, 1)
        flag = torch.randint(0, 2, (64, 1)).float()
        first = torch.cat([torch.where(flag > 0, answer, noise), flag], -1)
        second = torch.cat([torch.where(flag > 0, noise, answer), flag], -1)
        loss = (gate(first, second)[:, :1] - answer).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.05  # the mean of both inputs, without looking at the flag, would leave 0.5


@pytest.mark.parametrize("block", [Add(), Mean(), Gate(4)])
@pytest.mark.parametrize(
    "shapes", [[], [(2, 4)], [(2, 4)] * 3, [(2, 4), (2, 5)], [(2, 4), (1, 4)], [(2, 4), (4,)]]
)
def test_inputs_of_other_shapes_are_refused(block, shapes):
    with pytest.raises(ValueError, match=r"inputs: expected 2 tensors of one shape, got \["):
        block(*[torch.zeros(shape) for shape in shapes])


@pytest.mark.parametrize(
    ("axis", "shapes"),
    [
        (-1, []),
        (-1, [(2, 4)]),
        (-1, [(2, 4), (3, 4)]),
        (0, [(2, 4), (2, 5)]),
        (2, [(2, 4), (2, 4)]),
        (-1, [(), ()]),
        (1, [(2, 4), (2, 4, 4)]),
    ],
)
def test_concat_refuses_what_differs_elsewhere(axis, shapes):
    with pytest.raises(ValueError, match=f"inputs: expected 2 tensors, equal but for axis {axis}, got"):
        Concat(axis)(*[torch.zeros(shape) for shape in shapes])


def test_a_gate_of_another_width_is_refused():
    with pytest.raises(ValueError, match=r"inputs: expected shape \(\.\.\., 4\), got \(2, 5\)"):
        Gate(4)(torch.zeros(2, 5), torch.zeros(2, 5))


@pytest.mark.parametrize("kind", [Add, Mean])
def test_nothing_cannot_be_merged(kind):
    with pytest.raises(ValueError, match="inputs: expected at least 1, got 0"):
        kind(0)


def test_contracts():
    assert Add().contract == "x1 = ..., x2 = ... -> ..."
    assert Mean(3).contract == "x1 = ..., x2 = ..., x3 = ... -> ..."
    assert Concat().contract == "x1 = ... size1, x2 = ... size2 -> ... size1+size2"
    assert Concat(1).contract == "x1 = batch size1 ..., x2 = batch size2 ... -> batch size1+size2 ..."
    assert Concat(-2).contract == "x1 = ... size1 after1, x2 = ... size2 after1 -> ... size1+size2 after1"
    assert Gate(4).contract == "x1 = ... 4, x2 = ... 4 -> ... 4"
