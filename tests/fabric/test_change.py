"""Changing blocks: the rest keeps its weights bit for bit, and a change that does not fit leaves no trace."""

import pytest
import torch
from torch import nn

from workbench.blocks.merge import Concat
from workbench.fabric import Block, ContractError, EdgeError, Fabric, Loop


def model():
    return Fabric("batch 4 -> batch 2", a=nn.Linear(4, 6), b=nn.Linear(6, 6), c=nn.Linear(6, 2))


def nested():
    step = Fabric(
        "x = batch 3, state = batch 4 -> y = batch 2, state = batch 4",
        cell=("x", "state", Block(nn.GRUCell(3, 4), "x = batch 3, state = batch 4 -> batch 4")),
        head=nn.Linear(4, 2),
        returns=("head", "cell"),
    )
    return Fabric(
        "batch steps 3, state = batch 4 -> batch steps 2, batch 4",
        decoder=("x1", "state", Loop(step, "x", {"state": "state"})),
    )


def weights(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


def test_a_swap_keeps_every_other_weight():
    fabric = model()
    before = weights(fabric)
    untouched = fabric.part("a").module.weight
    new = nn.Sequential(nn.Linear(6, 9), nn.ReLU(), nn.Linear(9, 6))
    change = fabric.swap("b", new)
    after = fabric.state_dict()
    kept = [name for name in before if not name.startswith("b.")]
    assert len(kept) == 4
    assert all(torch.equal(before[name], after[name]) for name in kept)
    assert fabric.part("a").module.weight is untouched
    assert list(fabric.nodes) == ["a", "b", "c"]
    x = torch.randn(3, 4)
    assert torch.equal(fabric(x), fabric.part("c").module(new(fabric.part("a").module(x))))
    # a swap back gives the old state dict back
    fabric.swap("b", nn.Linear(6, 6))
    fabric.load_state_dict(before)
    assert change.what == "swap b"


def test_a_change_is_counted():
    fabric = model()
    change = fabric.swap("b", nn.Sequential(nn.Linear(6, 9), nn.Linear(9, 6)))
    base = (4 * 6 + 6) + (6 * 2 + 2)
    assert change.parameters == (base + 6 * 6 + 6, base + (6 * 9 + 9) + (9 * 6 + 6))
    batch = 11  # the check's first prime
    grown = 2 * batch * (6 * 9 + 9 * 6 - 6 * 6)
    assert change.flops[1] - change.flops[0] >= grown
    assert change.bytes[1] > change.bytes[0]
    assert "parameters 86 →" in repr(change)


@pytest.mark.parametrize("path", ["decoder.head", "decoder.cell"])
def test_a_block_inside_a_loop_is_swapped_by_its_path(path):
    fabric = nested()
    before = weights(fabric)
    same = {
        "decoder.head": nn.Linear(4, 2),
        "decoder.cell": Block(nn.GRUCell(3, 4), "x = batch 3, state = batch 4 -> batch 4"),
    }
    fabric.swap(path, same[path])
    inside = path.replace("decoder.", "decoder.body.")
    after = fabric.state_dict()
    for name, value in before.items():
        assert torch.equal(value, after[name]) != name.startswith(f"{inside}.")
    outputs, last = fabric(torch.randn(2, 5, 3), torch.randn(2, 4))
    assert outputs.shape == (2, 5, 2)
    assert last.shape == (2, 4)


@pytest.mark.parametrize("new", [nn.Linear(6, 5), nn.Linear(5, 6), nn.Embedding(6, 6)], ids=str)
def test_a_swap_that_does_not_fit_leaves_all_as_it_was(new):
    fabric = model()
    before, old = weights(fabric), fabric.part("b")
    x = torch.randn(3, 4)
    expected = fabric(x)
    with pytest.raises(EdgeError) as caught:
        fabric.swap("b", new)
    assert caught.value.edge.target in ("b", "c")
    assert fabric.part("b") is old
    assert before.keys() == fabric.state_dict().keys()
    assert torch.equal(fabric(x), expected)


def test_a_module_without_a_contract_takes_the_old_ones():
    class Bare(nn.Module):
        def forward(self, x):
            return x * 2

    fabric = Fabric("batch 6 -> batch 6", b=Block(nn.Linear(6, 6), "batch 6 -> batch 6"))
    fabric.swap("b", Bare())
    assert str(fabric.part("b").contract) == "batch 6 -> batch 6"
    assert torch.equal(fabric(torch.ones(2, 6)), torch.full((2, 6), 2.0))


def test_a_swap_may_read_other_sources():
    fabric = model()
    fabric.swap("c", nn.Linear(4, 2), sources=("x",))
    x = torch.randn(2, 4)
    assert torch.equal(fabric(x), fabric.part("c").module(x))
    with pytest.raises(ValueError, match="reads 'd'"):
        fabric.swap("c", nn.Linear(4, 2), sources=("d",))
    assert fabric.nodes["c"].sources == ("x",)


def test_a_new_block_takes_the_old_ones_mode():
    fabric = model().eval()
    fabric.swap("b", nn.Linear(6, 6))
    assert not fabric.part("b").training
    assert not fabric.part("b").module.training


def test_training_goes_on_after_a_swap():
    fabric = model()
    fabric.swap("b", nn.Linear(6, 6))
    update = torch.optim.SGD(fabric.parameters(), lr=0.1)
    x, y = torch.randn(8, 4), torch.randn(8, 2)
    losses = []
    for _ in range(20):
        loss = (fabric(x) - y).square().mean()
        update.zero_grad()
        loss.backward()
        update.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


@pytest.mark.parametrize(
    ("combine", "join"),
    [
        ("add", lambda a, b: a + b),
        ("mean", lambda a, b: (a + b) / 2),
    ],
)
def test_a_block_beside_another(combine, join):
    fabric = model()
    before = weights(fabric)
    beside = nn.Linear(6, 6)
    change = fabric.parallel("b", beside, combine)
    assert list(fabric.nodes) == ["a", "b", "b_beside", "b_joined", "c"]
    a, b, c = (fabric.part(name).module for name in "abc")
    x = torch.randn(3, 4)
    torch.testing.assert_close(fabric(x), c(join(b(a(x)), beside(a(x)))))
    after = fabric.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert change.parameters[1] - change.parameters[0] == 6 * 6 + 6


def test_gate_and_modules_join_too():
    fabric = model()
    fabric.parallel("b", nn.Linear(6, 6), "gate")
    fabric.parallel("b", nn.Linear(6, 6), Block(nn.Bilinear(6, 6, 6), "... 6, ... 6 -> ... 6"))
    assert fabric(torch.randn(2, 4)).shape == (2, 2)
    with pytest.raises(
        ValueError, match="combine: expected one of add, mean, concat, gate or a module, got 'max'"
    ):
        model().parallel("b", nn.Linear(6, 6), "max")


def test_concat_fits_only_where_twice_the_width_is_taken():
    fabric = model()
    before = fabric.nodes
    with pytest.raises(EdgeError, match=r"b_joined -> c.x: .* 12, not 6"):
        fabric.parallel("b", nn.Linear(6, 6), "concat")
    assert fabric.nodes == before
    assert list(fabric.children()) == [node.part for node in before.values()]
    twice = Fabric("batch 4 -> batch 12", a=nn.Linear(4, 6), b=("a", "a", Concat()))
    assert twice(torch.randn(2, 4)).shape == (2, 12)


def test_several_blocks_beside_one():
    fabric = model()
    c, second, third = fabric.part("c").module, nn.Linear(6, 2), nn.Linear(6, 2)
    fabric.parallel("c", second)
    assert fabric.returns == ("c_joined",)
    fabric.parallel("c", third)
    assert list(fabric.nodes)[2:] == ["c", "c_beside2", "c_joined2", "c_beside", "c_joined"]
    x = torch.randn(2, 4)
    hidden = fabric.part("b").module(fabric.part("a").module(x))
    torch.testing.assert_close(fabric(x), c(hidden) + second(hidden) + third(hidden))


@pytest.mark.parametrize("path", ["d", "a.b", "decoder.nothing", "", "a."])
def test_a_path_that_leads_nowhere_is_refused(path):
    with pytest.raises(KeyError):
        model().swap(path, nn.Linear(6, 6))


def test_a_broken_fabric_can_be_mended_by_a_swap():
    fabric = Fabric("batch 4 -> batch 2", a=nn.Linear(4, 6), b=nn.Linear(5, 2))
    with pytest.raises(EdgeError):
        fabric.check()
    change = fabric.swap("b", nn.Linear(6, 2))
    assert fabric.check().edges
    assert change.flops[0] is None
    assert "FLOP ? →" in repr(change)


def test_what_fails_in_the_new_block_is_told():
    fabric = model()
    with pytest.raises(ContractError, match="b fits its contract"):
        fabric.swap("b", Block(nn.Linear(7, 6), "batch 6 -> batch 6"))
