"""Where a call's time goes: the counts behind it, never the times."""

import math
from unittest.mock import patch

import pytest
import torch
from torch import nn

from workbench.blocks.convert import Cast
from workbench.fabric import Block, Contract, ContractError, Fabric, Loop


def looped():
    cell = Block(nn.GRUCell(4, 5), "x = batch 4, state = batch 5 -> batch 5")
    body = Fabric("x = batch 4, state = batch 5 -> batch 5", cell=("x", "state", cell))
    return Fabric(
        "x = batch steps 4, state = batch 5 -> batch 5",
        loop=("x", "state", Loop(body, "x", {"y": "state"})),
    )


def test_every_part_of_a_call_is_told():
    fabric = Fabric("batch 8 -> batch 3", mix=nn.Linear(8, 8), act=nn.ReLU(), last=nn.Linear(8, 3))
    found = fabric.overhead(torch.randn(16, 8))
    assert found.sizes == {"batch": 1}
    assert set(found.by_node) == {"mix", "act", "last"}
    assert all(
        math.isfinite(value) for value in (found.total, found.python, found.dispatch, found.work, found.gain)
    )
    assert found.total > 0
    assert not found.refused
    for word in ("Python", "dispatch", "work", "flat", "mix", "no edge converts", found.timing.state):
        assert word in found.table()
    assert repr(found) == found.table()
    assert "<pre>" in found._repr_html_()


def test_edges_that_convert_are_told():
    fabric = Fabric("batch 8 -> batch 8: float64", mix=nn.Linear(8, 8), up=Cast(torch.float64))
    assert "mix -> up.x: float32 to float64, 1×, 192 B" in fabric.overhead(torch.randn(2, 8)).table()


def test_the_fabric_stays_as_it_was():
    fabric = Fabric("batch 4 -> batch 4", norm=nn.BatchNorm1d(4), mix=nn.Linear(4, 4))
    before = {name: value.clone() for name, value in fabric.state_dict().items()}
    fabric.overhead(torch.randn(6, 4))
    assert all(torch.equal(before[name], value) for name, value in fabric.state_dict().items())
    assert fabric.mix.checking  # its first call is still to come
    assert not any(module._forward_pre_hooks for module in fabric.modules())


def test_what_cannot_be_flattened_says_why():
    class Moody(nn.Module):
        def forward(self, x):
            return x if x.sum() > 0 else -x

    found = Fabric("batch 4 -> batch 4", moody=Block(Moody(), "... -> ...")).overhead(torch.randn(2, 4))
    assert found.python is None
    assert found.dispatch is None
    assert found.gain is None
    assert "cannot flatten moody" in found.table()


def test_inputs_that_do_not_fit_are_refused():
    with pytest.raises(ContractError, match="state"):
        looped().overhead(torch.randn(2, 3, 4), torch.randn(2, 6))


@pytest.mark.parametrize("checks", ["never", "first", "always"])
def test_a_warm_call_compares_no_shapes(checks):
    """What keeps a contract cheap: a call like one before is looked up or trusted, not matched again."""
    block = Block(nn.Linear(4, 4), "... 4 -> ... 4", checks=checks)
    x = torch.randn(2, 4)
    block(x)
    with patch.object(Contract, "bind", side_effect=AssertionError("compared again")):
        block(x)
        block(torch.randn(2, 4))
