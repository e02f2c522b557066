"""Copies that only change type or layout are found and named by their edge."""

import torch
from torch import nn

from workbench.blocks.convert import Cast, Rearrange
from workbench.fabric import Block, Fabric, Loop
from workbench.fabric.price.conversions import conversions


def test_a_cast_is_named_by_the_edge_that_feeds_it():
    fabric = Fabric("batch 4 -> batch 4: float64", mix=nn.Linear(4, 4), up=Cast(torch.float64))
    (found,) = conversions(fabric, torch.randn(3, 4))
    assert (found.edge, found.what, found.calls) == ("mix -> up.x", "float32 to float64", 1)
    assert found.bytes == 3 * 4 * (4 + 8)


def test_a_block_that_needs_another_layout_is_named_not_the_one_that_swapped_the_axes():
    flat = Block(nn.Flatten(1), "batch width time -> batch width*time")
    swap = Rearrange("batch time width -> batch width time")
    fabric = Fabric("batch time 4 -> batch 4*time", mix=nn.Linear(4, 4), turn=swap, flat=flat)
    (found,) = conversions(fabric, torch.randn(3, 5, 4))
    assert (found.edge, found.what, found.bytes) == ("turn -> flat.x", "layout", 2 * 3 * 5 * 4 * 4)


def test_inside_nested_fabrics_and_loops():
    body = Fabric("x = batch 4, state = batch 4 -> batch 4", up=("x", Cast(torch.float64)),
                  down=Cast(torch.float32), cell=("down", "state", Block(nn.GRUCell(4, 4),
                  "x = batch 4, state = batch 4 -> batch 4")))  # fmt: skip
    fabric = Fabric("x = batch steps 4, state = batch 4 -> batch 4",
                    loop=("x", "state", Loop(body, "x", {"y": "state"})))  # fmt: skip
    found = {(c.edge, c.what): c.calls for c in conversions(fabric, torch.randn(2, 5, 4), torch.randn(2, 4))}
    assert found["loop.x -> loop.up.x", "float32 to float64"] == 5
    assert found["loop.up -> loop.down.x", "float64 to float32"] == 5


def test_what_a_block_does_with_its_own_is_inside():
    class Halve(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.randn(4))

        def forward(self, x):
            return x * self.weight.double().float()

    fabric = Fabric("batch 4 -> batch 4", halve=Block(Halve(), "... 4 -> ... 4"))
    assert {c.edge for c in conversions(fabric, torch.randn(2, 4))} == {"inside halve"}


def test_nothing_to_convert():
    fabric = Fabric("batch 4 -> batch 4", mix=nn.Linear(4, 4), act=nn.ReLU(), drop=nn.Dropout())
    assert conversions(fabric, torch.randn(2, 4)) == ()
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in fabric.modules())
