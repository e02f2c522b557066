"""Checking: what it finds, what it says, and that it computes nothing."""

import pytest
import torch
from torch import nn

from workbench.blocks.merge import Add
from workbench.fabric import Block, ContractError, EdgeError, Fabric


def test_checking_computes_nothing_and_touches_nothing():
    class Loud(nn.BatchNorm1d):
        def forward(self, x):
            assert x.device.type == "meta"
            return super().forward(x)

    model = Fabric("batch 4 -> batch 4", norm=Block(Loud(4), "batch 4 -> batch 4"), drop=nn.Dropout(0.5))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.get_rng_state()
    model.check()
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert torch.equal(state, torch.get_rng_state())
    assert all(value.device.type == "cpu" for value in model.state_dict().values())


def test_a_million_weights_are_not_copied():
    model = Fabric("batch 4096 -> batch 4096", wide=nn.Linear(4096, 4096))
    storage = model.part("wide").module.weight.data_ptr()
    model.check()
    assert model.part("wide").module.weight.data_ptr() == storage


def test_axes_that_change_places_are_found_even_at_equal_sizes():
    turned = Block(nn.Identity(), "batch width time -> batch width time")
    model = Fabric("batch time width -> batch width time", turned=turned)
    for sizes in ({}, {"time": 5, "width": 5}):
        with pytest.raises(EdgeError, match="axis time is number 1 here and number 2 there"):
            model.check(**sizes)
    # another name in the same place is no contradiction
    renamed = Block(nn.Identity(), "batch features length -> batch features length")
    Fabric("batch time width -> batch time width", renamed=renamed).check()


def test_names_pass_through_blocks_that_keep_leading_axes():
    model = Fabric(
        "batch time 4 -> batch 3 time",
        linear=nn.Linear(4, 3),
        turned=Block(nn.Identity(), "batch 3 time -> batch 3 time"),
    )
    with pytest.raises(EdgeError, match=r"linear -> turned.x: linear gives .batch=2, time=3, 3"):
        model.check(batch=2, time=3)


def test_a_type_that_does_not_fit_is_an_edge_that_does_not_fit():
    model = Fabric("letters = batch time: int -> batch time 2", head=nn.Linear(4, 2))
    with pytest.raises(
        EdgeError, match=r"edge letters -> head.x: .* int64, head takes .* float: int64, not float"
    ):
        model.check()
    half = Fabric(
        "batch 4 -> batch 2", cast=nn.Linear(4, 4).half(), head=Block(nn.Linear(4, 2), "a 4: float32 -> a 2")
    )
    with pytest.raises(EdgeError, match="float16, not float32"):
        half.check()


def test_a_promise_that_is_not_kept_is_found():
    short = Fabric("batch time 4 -> batch time 3", head=nn.Linear(4, 2))
    with pytest.raises(EdgeError, match=r"edge head -> output.y: .* output takes .*: 2, not 3"):
        short.check()
    lying = Fabric("batch 4 -> batch 4", a=Block(nn.Linear(4, 3), "batch 4 -> batch 4"))
    with pytest.raises(ContractError, match="a breaks its promise"):
        lying.check()


def test_a_block_that_fails_on_what_it_accepts_is_named():
    model = Fabric("batch 4 -> batch 2", head=Block(nn.Linear(5, 2), "batch 4 -> batch 2"))
    with pytest.raises(
        ContractError, match=r"head fits its contract .* but fails on \(batch=11, 4\) float32"
    ):
        model.check()


def test_nested_blocks_are_named_by_path():
    inner = Fabric("batch 4 -> batch 3", a=nn.Linear(4, 4), b=nn.Linear(5, 3))
    with pytest.raises(EdgeError) as caught:
        Fabric("batch 4 -> batch 3", outer=Fabric("batch 4 -> batch 3", inner=inner)).check()
    assert str(caught.value.edge) == "outer.inner.a -> outer.inner.b.x"


def test_sizes_and_inputs_can_be_given():
    model = Fabric("batch time 4 -> batch time 4", sum=("x", "x", Add()))
    assert model.check(time=7).edges[0].shape == (11, 7, 4)
    assert model.check(torch.zeros(2, 3, 4)).sizes == {"batch": 2, "time": 3}
    with pytest.raises(ContractError, match="5, not 4"):
        model.check(torch.zeros(2, 3, 5))
    with pytest.raises(ValueError, match=r"sizes: expected some of \['batch', 'time'\], got \['height'\]"):
        model.check(height=3)


def test_the_table_shows_every_edge():
    text = repr(Fabric("batch time: int -> batch time 3", embed=nn.Embedding(5, 3)).check())
    assert "2 edges fit, tried with batch=11, time=13" in text
    assert "x -> embed.x" in text
    assert "(batch=11, time=13, 3) float32" in text
