"""What verification must notice, each with a rewritten model that is wrong in that one way."""

import copy
import math
import random

import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from workbench.fusion.trial import copied, drawn_anew, leaves, run, unchanged
from workbench.fusion.verify import Differs, Reference, compare, relative_error

X = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))


class Does(nn.Module):
    def __init__(self, does, **buffers):
        super().__init__()
        self.does = does
        for name, value in buffers.items():
            self.register_buffer(name, value)

    def forward(self, *inputs):
        return self.does(self, *inputs)


def same(one, other, *inputs, **buffers):
    return compare(Does(one, **copy.deepcopy(buffers)), Does(other, **copy.deepcopy(buffers)), inputs or (X,))


def test_errors_are_relative_to_the_largest_number():
    assert same(lambda m, x: x, lambda m, x: x) == 0
    expected = torch.tensor([1e-3, -4.0], dtype=torch.float64)
    assert relative_error(expected + torch.tensor([4e-9, 0]), expected) == pytest.approx(1e-9)
    assert relative_error(torch.tensor(2 + 1j), torch.tensor(2 + 0j)) == 0.5
    assert relative_error(torch.empty(0, 3), torch.empty(0, 3)) == 0
    assert relative_error(torch.tensor([1, 3]), torch.tensor([1, 2])) == 0.5
    assert relative_error(3.0, 2.0) == 0.5
    assert relative_error(3, 2) == math.inf


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_must_be_so_in_both(value):
    both = torch.tensor([value, 1.0])
    assert relative_error(both.clone(), both) == 0
    assert relative_error(torch.tensor([0.0, 1.0]), both) == math.inf
    assert relative_error(both, torch.tensor([0.0, 1.0])) == math.inf


def test_float64_is_held_to_more_digits():
    wide = X.double()
    assert 0 < same(lambda m, x: x, lambda m, x: x * (1 + 1e-13), wide) < 1e-12
    with pytest.raises(Differs, match=r"off by 1\.0e-11"):
        same(lambda m, x: x, lambda m, x: x * (1 + 1e-11), wide)
    assert same(lambda m, x: x, lambda m, x: x * 1.00001) > 0
    with pytest.raises(Differs):
        same(lambda m, x: x, lambda m, x: x * 1.01)


@pytest.mark.parametrize(
    ("one", "other", "message"),
    [
        (lambda m, x: x, lambda m, x: x.double(), "expected torch.float32"),
        (lambda m, x: x, lambda m, x: x[None], r"expected .*\(4, 3\), got .*\(1, 4, 3\)"),
        (lambda m, x: (x, x), lambda m, x: x, "expected 2 results, got 1"),
        (lambda m, x: {"a": x, "b": 2}, lambda m, x: {"a": x, "b": 3}, "off by inf"),
        (lambda m, x: {"a": x, "b": 2 * x}, lambda m, x: {"a": 2 * x, "b": x}, "off by"),
        (lambda m, x: x, lambda m, x: x.no_such_method(), "AttributeError"),
        (lambda m, x: x, lambda m, x: X, "off by"),  # right for the example alone
        (lambda m, x: x.argmax(-1), lambda m, x: 2 - x.argmax(-1), "off by"),
    ],
)
def test_other_results_are_noticed(one, other, message):
    with pytest.raises(Differs, match=message):
        same(one, other)


def test_a_second_call_is_made():
    count = {"n": torch.zeros(())}
    with pytest.raises(Differs, match="changes its buffer n, the graph does not"):
        same(lambda m, x: (m.n.add_(1), x)[1], lambda m, x: x, **count)
    with pytest.raises(Differs, match="buffer n is off"):
        same(lambda m, x: (m.n.add_(1), x)[1], lambda m, x: (m.n.add_(2), x)[1], **count)
    assert same(lambda m, x: m.n.add_(1), lambda m, x: m.n.add_(1), **count) == 0
    called = []
    with pytest.raises(Differs, match="off by"):
        same(lambda m, x: x, lambda m, x: called.append(1) or x * len(called))


def test_random_numbers_are_counted():
    frozen = torch.rand(())
    with pytest.raises(Differs, match="random numbers"):
        same(lambda m, x: x if torch.rand(()) < 2 else -x, lambda m, x: x)
    with pytest.raises(Differs, match="random numbers"):
        same(lambda m, x: x if random.random() < 2 else -x, lambda m, x: x)
    with pytest.raises(Differs):
        same(lambda m, x: x + torch.rand(()), lambda m, x: x + frozen)
    assert same(lambda m, x: x + torch.rand(()), lambda m, x: torch.rand(()) + x) == 0


def test_inputs_and_models_stay_as_they_are():
    def forward(model, x):
        model.n += x.sum()
        model.m = model.m + 1  # another tensor
        return x.add_(torch.rand(()) + random.random())

    x, model = X.clone(), Does(forward, n=torch.zeros(()), m=torch.zeros(()))
    held, states = dict(model.named_buffers()), (torch.get_rng_state(), random.getstate())
    found = run(model, (x,))
    assert found.changed == {"n", "m"}
    assert torch.equal(x, X)
    assert all(buffer is held[name] and buffer == 0 for name, buffer in model.named_buffers())
    assert torch.equal(states[0], torch.get_rng_state())
    assert states[1] == random.getstate()


def test_other_inputs_are_like_the_example():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1000, 3, dtype=torch.float64).T * 5 + 100
    drawn = drawn_anew(x, generator)
    assert drawn.shape == x.shape
    assert drawn.stride() == x.stride()
    assert not torch.equal(drawn, x)
    assert drawn.mean().item() == pytest.approx(100, abs=1)
    assert drawn.std().item() == pytest.approx(5, rel=0.1)
    assert drawn_anew(torch.zeros(5), generator).std() > 0.1
    assert drawn_anew(torch.empty(0), generator).shape == (0,)
    for kept in (torch.arange(3), torch.tensor([0.0, -math.inf]), None, "text", torch.tensor([True])):
        assert drawn_anew(kept, generator) is kept


def test_a_model_that_refuses_other_numbers_is_tried_on_the_example_only():
    def choosy(model, x):
        if not torch.equal(x, X):
            raise ValueError("not mine")
        return x

    assert len(Reference(Does(choosy), (X,)).runs) == 1
    assert same(choosy, choosy) == 0


def test_copies_share_nothing():
    model = prune.random_unstructured(nn.Linear(3, 3), "weight", 0.5)
    other = copied(model)
    torch.testing.assert_close(other(X), model(X))
    own = {tensor.data_ptr() for tensor in (*model.parameters(), *model.buffers(), model.weight)}
    assert not own & {tensor.data_ptr() for tensor in (*other.parameters(), *other.buffers(), other.weight)}


def test_leaves_of_a_dataclass():
    from dataclasses import dataclass

    @dataclass
    class Output:
        logits: torch.Tensor
        loss: float | None = None

    assert len(leaves(Output(X, 0.5))) == 2
    with pytest.raises(Differs, match="off by"):
        same(lambda m, x: Output(x), lambda m, x: Output(x + 1))


def test_unchanged_puts_back_after_an_error_too():
    model = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(2, 3)).train()
    with pytest.raises(RuntimeError, match="shapes"), unchanged(model):
        model(X)
    assert model[0].num_batches_tracked == 0
    assert torch.equal(model[0].running_mean, torch.zeros(3))
