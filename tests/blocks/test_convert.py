"""Conversions keep every number and say what they change."""

from itertools import permutations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from workbench.blocks.convert import Cast, Flatten, Rearrange

SHAPES = st.lists(st.integers(0, 4), max_size=4)
AXES = ("batch", "height", "width", "channels")


@settings(deadline=None, max_examples=50)
@given(shape=SHAPES, start=st.integers(0, 3))
def test_flatten_is_torchs(same, draw, keeps_contract, shape, start):
    x = draw(*shape)
    if start >= len(shape):
        with pytest.raises(ValueError, match="x: expected shape"):
            Flatten(start)(x)
        return
    same(Flatten(start), nn.Flatten(start), x)
    keeps_contract(Flatten(start), x)


@pytest.mark.parametrize("order", list(permutations(AXES)))
def test_rearrange_moves_axes(keeps_contract, order):
    block = Rearrange(f"{' '.join(AXES)} -> {' '.join(order)}")
    sizes = dict(zip(AXES, (2, 3, 4, 5), strict=True))
    x = torch.arange(2 * 3 * 4 * 5).view(2, 3, 4, 5)
    y = block(x)
    assert y.shape == tuple(sizes[name] for name in order)
    place = dict(zip(AXES, (1, 2, 3, 4), strict=True))
    assert y[tuple(place[name] for name in order)] == x[1, 2, 3, 4]
    assert y.data_ptr() == x.data_ptr(), "a view"
    keeps_contract(block, x)


def test_rearrange_carries_gradients_back(same, draw):
    class Theirs(nn.Module):
        def forward(self, x):
            return x.movedim(-1, 1)

    same(Rearrange("batch height width channels -> batch channels height width"), Theirs(), draw(2, 3, 4, 5))


@pytest.mark.parametrize(
    "pattern",
    [
        "a b",
        "a b -> a",
        "a -> a b",
        "a a -> a a",
        "a b -> b c",
        "a b -> a -> b",
        "a (b c) -> (b c) a",
        "a 1 -> 1 a",
        "... a -> a ...",
    ],
)
def test_patterns_that_do_more_than_permute_are_refused(pattern):
    with pytest.raises(ValueError, match="pattern: expected the same axes"):
        Rearrange(pattern)


@pytest.mark.parametrize("shape", [(), (2,), (2, 3, 4)])
def test_rearrange_refuses_another_number_of_axes(shape):
    with pytest.raises(ValueError, match=r"x: expected shape \(rows, columns\), got"):
        Rearrange("rows columns -> columns rows")(torch.zeros(shape))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.bool])
def test_cast(keeps_contract, dtype):
    x = torch.tensor([[0.0, 1.0, 2.5]])
    torch.testing.assert_close(Cast(dtype)(x), x.to(dtype))
    keeps_contract(Cast(dtype), x)
    keeps_contract(Cast(dtype), x.long())


def test_cast_carries_gradients_back_in_the_inputs_type():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    Cast(torch.float64)(x).square().sum().backward()
    torch.testing.assert_close(x.grad, torch.tensor([2.0, 4.0]))


@pytest.mark.parametrize("dtype", ["float32", float, None])
def test_cast_takes_torchs_types_only(dtype):
    with pytest.raises(TypeError, match=r"dtype: expected one of torch's"):
        Cast(dtype)


def test_flatten_starts_at_an_axis():
    with pytest.raises(ValueError, match="start: expected at least 0, got -1"):
        Flatten(-1)


def test_contracts():
    assert Cast(torch.float16).contract == "...: any -> ...: float16"
    assert Rearrange("a  b->b a").contract == "a b: any -> b a: any"
    assert Flatten().contract == "batch first ...: any -> batch features: any"
    assert Flatten(0).contract == "first ...: any -> features: any"
    assert Flatten(2).contract == "batch kept1 first ...: any -> batch kept1 features: any"
