"""Inputs cut down as far as all calls are still made."""

import torch
from torch import nn

from workbench.fabric import Block, Fabric, Loop
from workbench.fabric.price.smallest import count_operations, smallest


def looped():
    cell = Block(nn.GRUCell(4, 5), "x = batch 4, state = batch 5 -> batch 5")
    body = Fabric("x = batch 4, state = batch 5 -> batch 5", cell=("x", "state", cell))
    return Fabric(
        "x = batch steps 4, state = batch 5 -> batch 5",
        loop=("x", "state", Loop(body, "x", {"y": "state"})),
    )


def test_the_steps_of_a_loop_keep_their_size():
    fabric, inputs = looped(), (torch.randn(6, 7, 4), torch.randn(6, 5))
    cut, sizes = smallest(fabric, inputs)
    assert sizes == {"batch": 1, "steps": 7}
    assert [tuple(value.shape) for value in cut] == [(1, 7, 4), (1, 5)]
    assert torch.equal(cut[0], inputs[0][:1])


def test_an_axis_that_cannot_be_one_keeps_its_size():
    conv = Fabric("batch 3 length -> batch 4 length-4", conv=nn.Conv1d(3, 4, 5))
    assert smallest(conv, (torch.randn(6, 3, 20),))[1] == {"batch": 1, "length": 20}


def test_axes_behind_dots_and_optional_inputs():
    fabric = Fabric("... 8 -> ... 8", mix=nn.Linear(8, 8))
    cut, sizes = smallest(fabric, (torch.randn(2, 3, 8),))
    assert sizes == {"...": (1, 1)}
    assert cut[0].shape == (1, 1, 8)
    attend = Block(nn.Identity(), "x = batch 4 -> batch 4")
    fabric = Fabric("x = batch 4, mask? = batch: bool -> batch 4", a=("x", attend))
    cut, _ = smallest(fabric, (torch.randn(3, 4), None))
    assert cut[0].shape == (1, 4)
    assert cut[1] is None


def test_operations_are_counted():
    fabric = Fabric("batch 4 -> batch 4", mix=nn.Linear(4, 4), act=nn.ReLU())
    assert count_operations(fabric, (torch.randn(2, 4),)) == 2
