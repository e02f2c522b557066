"""Loops over time: equal to writing the steps out, with state carried and constants kept."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from workbench.fabric import Block, ContractError, EdgeError, Fabric, Loop

CELL = "x = batch 3, state = batch 4 -> batch 4"


def body():
    return Fabric(
        "x = batch 3, state = batch 4 -> score = batch 2, state = batch 4",
        cell=("x", "state", Block(nn.GRUCell(3, 4), CELL)),
        score=nn.Linear(4, 2),
        returns=("score", "cell"),
    )


@given(st.integers(1, 4), st.integers(1, 6))
def test_a_loop_is_its_steps_written_out(batch, steps):
    step = body()
    loop = Loop(step, "x", {"state": "state"})
    x, state = torch.randn(batch, steps, 3), torch.randn(batch, 4)
    scores, last = loop(x, state)
    expected = []
    for number in range(steps):
        score, state = step(x[:, number], state)
        expected.append(score)
    assert torch.equal(scores, torch.stack(expected, dim=1))
    assert torch.equal(last, state)


def test_it_equals_torchs_recurrent_layer():
    layer = nn.GRU(3, 4, batch_first=True).double()
    cell = nn.GRUCell(3, 4).double()
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in layer.state_dict().items()})
    loop = Loop(
        Fabric("x = batch 3, state = batch 4 -> y = batch 4, state = batch 4",
               cell=("x", "state", Block(cell, CELL)), returns=("cell", "cell")),
        "x", {"state": "state"},
    )  # fmt: skip
    x, state = torch.randn(5, 7, 3).double(), torch.randn(5, 4).double()
    outputs, last = loop(x, state)
    torch.testing.assert_close((outputs, last[None]), layer(x, state[None]))


def test_the_contract_follows_from_the_bodys():
    loop = Loop(body(), "x", {"state": "state"}, axis="time")
    assert str(loop.contract) == "x = batch time 3, state = batch 4 -> score = batch time 2, state = batch 4"
    with pytest.raises(ContractError, match=r"x: expected \(batch, time, 3\)"):
        loop(torch.zeros(2, 3), torch.zeros(2, 4))


def test_a_state_that_does_not_come_back_fitting_is_found_by_the_check():
    step = Fabric("x = batch 3, state = batch 4 -> state = batch 5", both=("x", nn.Linear(3, 5)))
    model = Fabric(
        "batch steps 3, state = batch 4 -> batch 5", loop=("x1", "state", Loop(step, "x", {"state": "state"}))
    )
    with pytest.raises(EdgeError, match=r"loop.state.* takes .* float: 5, not 4"):
        model.check()


@pytest.mark.parametrize(
    ("over", "carry", "axis", "message"),
    [
        ("z", {}, "steps", "over: expected one or more"),
        ((), {}, "steps", "over: expected one or more"),
        ("x", {"score": "x"}, "steps", "carry: expected outputs"),
        ("x", {"nothing": "state"}, "steps", "carry: expected outputs"),
        ("x", {"state": "state"}, "batch", "axis: the body has an axis 'batch'"),
    ],
)
def test_what_does_not_fit_the_body_is_refused(over, carry, axis, message):
    with pytest.raises(ValueError, match=message):
        Loop(body(), over, carry, axis)


def test_no_step_is_refused_in_words():
    loop = Loop(body(), "x", {"state": "state"})
    with pytest.raises(ContractError, match="at least one step"):
        loop(torch.zeros(2, 0, 3), torch.zeros(2, 4))
