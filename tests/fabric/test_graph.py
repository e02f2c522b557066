"""Graphs of blocks: sequence, branch, merge, several outputs, and all that is refused when one is built."""

import copy
import weakref

import pytest
import torch
from torch import nn

from workbench.blocks.merge import Add
from workbench.fabric import Block, ContractError, Fabric


class Halves(nn.Module):
    """Two outputs: the two halves of the last axis."""

    contract = "... 4 -> left = ... 2, right = ... 2"

    def forward(self, x):
        return x[..., :2], x[..., 2:]


class Masked(nn.Module):
    """Zero where the mask is false; a mask is not needed."""

    contract = "x = batch time, mask? = batch time: bool -> batch time"

    def forward(self, x, mask=None):
        return x if mask is None else x * mask


def residual():
    return Fabric(
        "batch 4 -> batch 3", inner=nn.Linear(4, 4), sum=("x", "inner", Add()), head=nn.Linear(4, 3)
    )


def test_sequence_branch_and_merge():
    model = residual()
    x = torch.randn(5, 4)
    inner, head = model.part("inner").module, model.part("head").module
    assert torch.equal(model(x), head(x + inner(x)))
    assert {name: node.sources for name, node in model.nodes.items()} == {
        "inner": ("x",),
        "sum": ("x", "inner"),
        "head": ("sum",),
    }


def test_it_is_an_ordinary_module():
    model = residual()
    assert list(model.state_dict()) == [
        "inner.module.weight", "inner.module.bias", "head.module.weight", "head.module.bias",
    ]  # fmt: skip
    x = torch.randn(5, 4)
    twin = copy.deepcopy(model)
    assert torch.equal(twin(x), model(x))
    assert model.double()(x.double()).dtype == torch.float64
    model(x.double()).sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    assert not model.eval().part("inner").training


def test_several_outputs_by_name():
    model = Fabric(
        "batch 4 -> batch 2, batch 2",
        halves=Halves(),
        mixed=("halves.right", nn.Linear(2, 2)),
        returns=("halves.left", "mixed"),
    )
    x = torch.randn(3, 4)
    left, mixed = model(x)
    assert torch.equal(left, x[:, :2])
    assert torch.equal(mixed, model.part("mixed").module(x[:, 2:]))
    # a source without a port is the first output
    first = Fabric("batch 4 -> batch 2", halves=Halves())
    assert torch.equal(first(x), x[:, :2])


def test_optional_inputs_may_be_left_out():
    model = Fabric("x = batch time, mask? = batch time: bool -> batch time", masked=("x", "mask", Masked()))
    x, mask = torch.randn(2, 3), torch.rand(2, 3) > 0.5
    assert torch.equal(model(x), x)
    assert torch.equal(model(x, mask), x * mask)
    never = Fabric("x = batch time -> batch time", masked=("x", None, Masked()))
    assert torch.equal(never(x), x)


def test_fabrics_nest():
    inner = residual()
    outer = Fabric("batch 4 -> batch 2", first=inner, second=nn.Linear(3, 2))
    x = torch.randn(2, 4)
    assert torch.equal(outer(x), outer.part("second")(inner(x)))
    assert "first.inner.module.weight" in outer.state_dict()


def test_an_activation_lives_no_longer_than_it_is_read():
    seen = []

    class Watch(nn.Module):
        def forward(self, x):
            seen.append((weakref.ref(x), [ref() is not None for ref, _ in seen]))
            return x.clone()

    class Plain(Watch):
        contract = "... -> ..."

    model = Fabric("batch -> batch", a=Plain(), b=Plain(), c=Plain(), d=Plain())
    with torch.no_grad():
        model(torch.zeros(3))
        seen.clear()
        model(torch.zeros(3))
    # when d runs, what a gave (b's input) is gone; c's input may still be on its way out
    assert seen[3][1][1] is False


def test_a_runtime_error_names_the_block():
    model = Fabric("batch width -> batch 3", inner=Fabric("batch width -> batch 3", head=nn.Linear(4, 3)))
    with pytest.raises(ContractError, match=r"inner.head.x: expected \(..., 4\) float, got \(2, 5\)"):
        model(torch.zeros(2, 5))
    with pytest.raises(ContractError, match=r"^x: expected \(batch, width\)"):
        model(torch.zeros(2, 5, 1))


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ({}, "expected at least one"),
        ({"a": ("y", nn.ReLU())}, "a reads 'y', expected one of x"),
        ({"a": ("b", nn.ReLU()), "b": nn.ReLU()}, "a reads 'b', expected one of x"),
        ({"a": ("a", nn.ReLU())}, "a reads 'a'"),
        ({"a": ("x", "x", nn.ReLU())}, "'a' takes .* expected a source for each"),
        ({"a": ("x", Add())}, "'a' takes .* expected a source for each"),
        ({"forward": nn.ReLU()}, "'forward' cannot name a block"),
        ({"training": nn.ReLU()}, "'training' cannot name a block"),
        ({"check": nn.ReLU()}, "'check' cannot name a block"),
        ({"a.b": nn.ReLU()}, "'a.b' cannot name a block"),
        ({"x": nn.ReLU()}, "'x' names an input"),
        ({"a": nn.ReLU(), "b": ("x", nn.ReLU())}, r"nobody reads \['a'\]"),
        ({"a": Halves(), "b": ("a.middle", nn.ReLU())}, "b reads 'a.middle'"),
    ],
)
def test_wiring_that_cannot_be_is_refused(nodes, message):
    with pytest.raises(ValueError, match=message):
        Fabric("batch 4 -> batch 4", **nodes)


def test_returns_must_match_the_promise():
    with pytest.raises(ValueError, match="promises 2 outputs"):
        Fabric("a -> a, a", only=nn.ReLU())
    with pytest.raises(ValueError, match="returns reads 'b'"):
        Fabric("a -> a", only=nn.ReLU(), returns="b")
    with pytest.raises(TypeError, match="module: expected"):
        Fabric("a -> a", only="relu")
    with pytest.raises(KeyError, match="no block 'b'; there are only"):
        Fabric("a -> a", only=nn.ReLU()).part("b")


def test_a_block_of_torch_keeps_the_contract_it_was_given():
    block = Block(nn.Linear(4, 4), "batch 4 -> batch 4")
    assert Fabric("batch 4 -> batch 4", only=block).part("only") is block
