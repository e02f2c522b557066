"""Flat fabrics: equal in value, gradient and state, open where they can be, and clear where they cannot."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from workbench.blocks.linear import MLP, Linear
from workbench.blocks.merge import Add
from workbench.blocks.multi_head import MultiHeadAttention
from workbench.blocks.norm import BatchNorm, LayerNorm
from workbench.fabric import Block, ContractError, Fabric, Loop
from workbench.fabric.flat.capture import FlattenError
from workbench.fabric.flat.flatten import flatten


@pytest.fixture(autouse=True)
def double():
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def residual():
    inner = Fabric("... 6 -> ... 6", norm=LayerNorm(6), mix=MLP([6, 9, 6]))
    return Fabric("x = batch time 6 -> batch time 6", inner=("x", inner), sum=("x", "inner", Add()))


def attentive():
    return Fabric(
        "query = batch steps 8, memory = batch time 8, mask? = batch time: bool -> batch steps 8",
        attention=("query", "memory", "mask", MultiHeadAttention(8, 2)),
    )


def looped():
    body = Fabric(
        "letter = batch: int, state = batch 5 -> scores = batch 3, state = batch 5",
        embed=("letter", nn.Embedding(7, 4)),
        cell=("embed", "state", Block(nn.GRUCell(4, 5), "x = batch 4, state = batch 5 -> batch 5")),
        scores=("cell", nn.Linear(5, 3)),
        returns=("scores", "cell"),
    )
    return Fabric(
        "letters = batch steps: int, state = batch 5 -> batch steps 3",
        decoder=("letters", "state", Loop(body, "letter", {"state": "state"})),
        returns="decoder.scores",
    )


def normed():
    return Fabric("batch 4 -> batch 4", mix=Linear(4, 4), norm=BatchNorm(4), drop=nn.Dropout(0.5))


MODELS = {
    "residual": (residual, lambda batch, time: (torch.randn(batch, time, 6),)),
    "attention": (
        attentive,
        lambda batch, time: (
            torch.randn(batch, 3, 8),
            torch.randn(batch, time, 8),
            torch.arange(time) < torch.arange(batch)[:, None] + 1,
        ),
    ),
    "loop": (looped, lambda batch, time: (torch.randint(0, 7, (batch, 4)), torch.randn(batch, 5))),
}
FLAT = {}


def flat_of(name):
    """Captured once for all tests: it takes a second or two."""
    if name not in FLAT:
        build, inputs = MODELS[name]
        FLAT[name] = flatten(build(), *inputs(2, 3))
    return FLAT[name]


def gradients(module, inputs, parameters):
    module(*inputs).square().sum().backward()
    found = [parameter.grad for parameter in parameters]
    for parameter in parameters:
        parameter.grad = None
    return found


@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=12, deadline=None)
@given(batch=st.integers(1, 5), time=st.integers(1, 6))
def test_equals_the_fabric_at_any_size(name, batch, time):
    flat, inputs = flat_of(name), MODELS[name][1](batch, time)
    assert torch.equal(flat(*inputs), flat.fabric(*inputs))
    parameters = list(flat.fabric.parameters())
    for ours, theirs in zip(
        gradients(flat, inputs, parameters), gradients(flat.fabric, inputs, parameters), strict=True
    ):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("name", MODELS)
def test_nothing_but_operations_is_left(name):
    flat, entered = flat_of(name), []
    hooks = [
        module.register_forward_pre_hook(lambda module, inputs: entered.append(module))
        for module in flat.fabric.modules()
    ]
    flat(*MODELS[name][1](2, 3))
    for hook in hooks:
        hook.remove()
    assert not entered
    assert "aten" not in flat.source  # torch's own functions, the short way


def test_training_one_trains_the_other():
    fabric = residual()
    x = torch.randn(2, 3, 6)
    flat = flatten(fabric, x)
    assert {id(p) for p in flat.parameters()} == {id(p) for p in fabric.parameters()}
    optimizer = torch.optim.SGD(flat.parameters(), lr=0.1)
    before = fabric(x)
    flat(x).sum().backward()
    optimizer.step()
    assert not torch.equal(fabric(x), before)
    assert torch.equal(fabric(x), flat(x))


def test_weights_that_are_replaced_are_seen():
    fabric, x = residual(), torch.randn(2, 3, 6)
    flat = flatten(fabric, x)
    fabric.load_state_dict(residual().state_dict(), assign=True)
    assert torch.equal(fabric(x), flat(x))


def test_a_copy_has_its_own_weights():
    flat, x = flatten(residual(), torch.randn(2, 3, 6)), torch.randn(2, 3, 6)
    twin = copy.deepcopy(flat)
    with torch.no_grad():
        next(twin.parameters()).fill_(3.0)
    assert torch.equal(flat(x), flat.fabric(x))
    assert torch.equal(twin(x), twin.fabric(x))
    assert not torch.equal(twin(x), flat(x))


def test_modes_and_running_statistics_follow_the_fabric():
    fabric, x = normed(), torch.randn(6, 4)
    twin = copy.deepcopy(fabric)
    flat = flatten(fabric, x)
    assert torch.equal(fabric.norm.module.running_mean, twin.norm.module.running_mean)  # left as it was
    for model in (flat, twin):
        torch.manual_seed(1)
        model.out = model(x)
    assert torch.equal(flat.out, twin.out)
    for name, buffer in twin.named_buffers():
        assert torch.equal(fabric.get_buffer(name), buffer), name
    fabric.eval(), twin.eval()  # the flat one is not told
    assert torch.equal(flat(x), twin(x))
    flat.train()
    assert fabric.drop.training


def test_mixed_modes_stay():
    fabric = normed()
    fabric.norm.eval()
    flatten(fabric, torch.randn(6, 4))
    assert fabric.training
    assert not fabric.norm.training


def test_without_gradients_inside():
    class Frozen(nn.Module):
        def forward(self, x):
            with torch.no_grad():
                scale = x.abs().mean() + 1
            return x / scale

    fabric = Fabric("batch 4 -> batch 4", mix=Linear(4, 4), scale=Block(Frozen(), "... -> ..."))
    x = torch.randn(3, 4)
    flat = flatten(fabric, x)
    assert "with set_grad_enabled_(False):" in flat.source
    parameters = list(fabric.parameters())
    for ours, theirs in zip(
        gradients(flat, (x,), parameters), gradients(fabric, (x,), parameters), strict=True
    ):
        torch.testing.assert_close(ours, theirs)


def test_optional_inputs_stay_as_captured():
    fabric = attentive()
    query, memory = torch.randn(2, 3, 8), torch.randn(2, 5, 8)
    flat = flatten(fabric, query, memory)
    assert torch.equal(flat(query, memory), fabric(query, memory))
    assert torch.equal(flat(query, memory, None), fabric(query, memory))
    with pytest.raises(FlattenError, match="mask"):
        flat(query, memory, torch.ones(2, 5, dtype=torch.bool))


def test_other_steps_and_types_are_refused():
    flat = flat_of("loop")
    with pytest.raises(FlattenError, match=r"letters \(any, 4\) int64.*got letters \(2, 5\) int64"):
        flat(torch.zeros(2, 5, dtype=torch.int64), torch.randn(2, 5))
    with pytest.raises(FlattenError, match="float32"):
        flat(torch.zeros(2, 4, dtype=torch.int64), torch.randn(2, 5).float())
    with pytest.raises(FlattenError):  # one batch for both
        flat(torch.zeros(2, 4, dtype=torch.int64), torch.randn(3, 5))


def test_a_loop_of_one_or_equal_sizes_keeps_its_steps():
    fabric = looped()
    for batch, steps in ((1, 1), (3, 3), (1, 2)):
        flat = flatten(fabric, torch.zeros(batch, steps, dtype=torch.int64), torch.randn(batch, 5))
        inputs = torch.randint(0, 7, (batch + 4, steps)), torch.randn(batch + 4, 5)
        assert torch.equal(flat(*inputs), fabric(*inputs))


def test_data_that_decides_is_refused_by_the_blocks_name(capfd):
    class Moody(nn.Module):
        def forward(self, x):
            return x if x.sum() > 0 else -x

    inner = Fabric("... -> ...", moody=Block(Moody(), "... -> ..."))
    with pytest.raises(FlattenError, match=r"cannot flatten inner\.moody"):
        flatten(Fabric("batch 4 -> batch 4", inner=inner), torch.randn(2, 4))
    assert capfd.readouterr() == ("", "")


def test_inputs_that_do_not_fit_are_refused_first():
    with pytest.raises(ContractError, match="x"):
        flatten(residual(), torch.randn(2, 3, 7))


def test_names_that_python_keeps_for_itself():
    fabric = Fabric("in = batch 4, w0 = batch 4, add_ = batch 4 -> batch 4", s=("in", "w0", Add()),
                    t=("s", "add_", Add()), last=Linear(4, 4))  # fmt: skip
    inputs = [torch.randn(2, 4) for _ in range(3)]
    assert torch.equal(flatten(fabric, *inputs)(*inputs), fabric(*inputs))


def test_a_flat_fabric_is_a_block_and_its_state_is_the_fabrics():
    x = torch.randn(2, 3, 6)
    flat = flatten(residual(), x)
    outer = Fabric("batch time 6 -> batch time 6", body=flat)
    outer.check()
    assert torch.equal(outer(x), flat(x))
    assert {name.removeprefix("fabric.") for name in flat.state_dict()} == flat.fabric.state_dict().keys()


def test_gain_names_both():
    flat = flat_of("residual")
    timing = flat.gain(torch.randn(1, 1, 6), repeats=3)
    assert set(timing.samples) == {"fabric", "flat"}


@pytest.mark.slow
def test_compiled_gives_the_same():
    fabric, x = residual(), torch.randn(2, 3, 6)
    flat = flatten(fabric, x, compile=True)
    torch.testing.assert_close(flat(x), fabric(x))


def test_without_inputs_the_contract_says_what_to_capture():
    model = Fabric(
        "letters = batch time: int -> batch time 3",
        embed=("letters", nn.Embedding(7, 4)),
        head=nn.Linear(4, 3),
    )
    flat = model.flatten()
    for shape in ((2, 5), (11, 13)):
        letters = torch.randint(0, 7, shape)
        torch.testing.assert_close(flat(letters), model(letters))
