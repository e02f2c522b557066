"""Blocks: checked when they first run, saved with their contract, and of any module."""

import json

import pytest
import torch
from torch import nn

from workbench.fabric import Block, Contract, ContractError, Fabric, read_contract


class Liar(nn.Module):
    """Gives one number too many."""

    def forward(self, x):
        return torch.cat([x, x[..., :1]], dim=-1)


class Untold(nn.Module):
    """A module nobody knows the contract of."""

    def forward(self, x):
        return x


def test_a_block_does_what_its_module_does():
    module = nn.Linear(4, 3)
    block = Block(module)
    x = torch.randn(2, 4)
    assert torch.equal(block(x), module(x))
    assert str(block.contract) == "... 4 -> ... 3"
    assert list(block.state_dict()) == ["module.weight", "module.bias"]


def test_bad_input_is_refused_in_the_words_of_the_contract():
    block = Block(nn.Linear(4, 3), "batch 4 -> batch 3")
    with pytest.raises(
        ContractError, match=r"x: expected \(batch, 4\) float, got \(2, 5\) float32: 5, not 4"
    ):
        block(torch.randn(2, 5))


def test_a_broken_promise_is_told():
    with pytest.raises(ContractError, match="breaks its promise"):
        Block(Liar(), "batch width -> batch width")(torch.zeros(2, 3))


def count_binds(monkeypatch):
    calls = []
    bind = Contract.bind
    monkeypatch.setattr(Contract, "bind", lambda self, inputs: calls.append(1) or bind(self, inputs))
    return calls


def test_the_first_call_is_checked_and_then_no_other(monkeypatch):
    calls = count_binds(monkeypatch)
    block = Block(nn.ReLU(), "batch 4 -> batch 4")
    for _ in range(3):
        block(torch.zeros(2, 4))
    first = len(calls)
    assert first > 0
    block(torch.zeros(2, 5))  # a shape the contract refuses and the module does not mind
    assert len(calls) == first


def test_always_looks_up_shapes_seen_before(monkeypatch):
    calls = count_binds(monkeypatch)
    block = Block(nn.ReLU(), "batch 4 -> batch 4", checks="always")
    block(torch.zeros(2, 4))
    warm = len(calls)
    block(torch.zeros(2, 4))
    assert len(calls) == warm
    block(torch.zeros(3, 4))
    assert len(calls) > warm
    with pytest.raises(ContractError):
        block(torch.zeros(2, 5))
    with pytest.raises(ContractError):
        block(torch.zeros(2, 4, dtype=torch.int64))


def test_never_is_silent(monkeypatch):
    calls = count_binds(monkeypatch)
    block = Block(nn.ReLU(), "batch 4 -> batch 4", checks="never")
    block(torch.zeros(2, 5))
    assert not calls
    with pytest.raises(ValueError, match="checks: expected one of first, always, never"):
        Block(nn.ReLU(), "a -> a", checks="sometimes")


def test_a_later_failure_is_still_explained():
    block = Block(nn.Linear(4, 3))
    block(torch.zeros(2, 4))
    with pytest.raises(ContractError, match="5, not 4"):
        block(torch.zeros(2, 5))


def test_the_modules_own_error_comes_through_when_the_contract_has_none():
    class Fails(nn.Module):
        def forward(self, x):
            raise RuntimeError("out of paper")

    with pytest.raises(RuntimeError, match="out of paper"):
        Block(Fails(), "a -> a")(torch.zeros(2))


def test_a_contract_is_needed():
    with pytest.raises(ValueError, match="Untold has none and none is known"):
        Block(Untold())
    with pytest.raises(TypeError, match=r"module: expected a torch.nn.Module, got str"):
        Block("linear", "a -> a")


def test_a_saved_block_comes_back_with_its_contract(tmp_path):
    torch.manual_seed(0)
    block = Block(nn.Linear(4, 3), "batch 4 -> batch 3")
    block.save(tmp_path / "block.safetensors")
    loaded = Block.load(tmp_path / "block.safetensors", nn.Linear(4, 3))
    x = torch.randn(5, 4)
    assert torch.equal(block(x), loaded(x))
    assert loaded.contract == block.contract == read_contract(tmp_path / "block.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["block.safetensors"]


def test_a_fabric_saves_as_a_block_does(tmp_path):
    def make():
        return Fabric("batch 4 -> batch 2", a=nn.Linear(4, 3), b=nn.Linear(3, 2))

    fabric, other = make(), make()
    fabric.save(tmp_path / "f.safetensors")
    loaded = Block.load(tmp_path / "f.safetensors", other)
    x = torch.randn(5, 4)
    assert torch.equal(loaded(x), fabric(x))
    assert loaded is other
    wider = Fabric("batch 4 -> batch 3", a=nn.Linear(4, 3))
    with pytest.raises(ValueError, match=r"module: .* was saved under \(batch 4 -> batch 2\), this one has"):
        Block.load(tmp_path / "f.safetensors", wider)


def test_a_block_is_filled_as_its_module_would_be(tmp_path):
    block, other = Block(nn.Linear(4, 3)), Block(nn.Linear(4, 3))
    block.save(tmp_path / "block.safetensors")
    assert Block.load(tmp_path / "block.safetensors", other) is other
    assert torch.equal(block.module.weight, other.module.weight)


def test_tied_weights_are_saved(tmp_path):
    tied = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    tied[1].weight = tied[0].weight
    block = Block(tied, "batch 3 -> batch 3")
    block.save(tmp_path / "tied.safetensors")
    loaded = Block.load(tmp_path / "tied.safetensors", nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3)))
    x = torch.randn(2, 3)
    assert torch.equal(loaded(x), block(x))


def test_weights_that_do_not_fit_are_refused_before_any_is_touched(tmp_path):
    path = tmp_path / "block.safetensors"
    Block(nn.Linear(4, 3)).save(path)
    for other in (nn.Linear(4, 2), nn.Linear(4, 3, bias=False), nn.Sequential(nn.Linear(4, 3))):
        before = {name: value.clone() for name, value in other.state_dict().items()}
        with pytest.raises(ValueError, match=r"module: .* holds the weights of Linear"):
            Block.load(path, other)
        assert all(torch.equal(before[name], value) for name, value in other.state_dict().items())


def test_other_files_are_refused(tmp_path):
    from safetensors.torch import save_file

    save_file({"weight": torch.zeros(3)}, tmp_path / "plain.safetensors")
    (tmp_path / "text.safetensors").write_text("weights")
    with pytest.raises(ValueError, match="holds tensors but no contract"):
        Block.load(tmp_path / "plain.safetensors", nn.Linear(1, 1))
    with pytest.raises(ValueError, match="is no saved block"):
        read_contract(tmp_path / "text.safetensors")
    with pytest.raises(FileNotFoundError):
        read_contract(tmp_path / "missing.safetensors")


def test_the_file_is_safetensors_with_a_json_header(tmp_path):
    path = tmp_path / "block.safetensors"
    Block(nn.Linear(2, 2), "batch 2 -> batch 2").save(path)
    content = path.read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    assert json.loads(header["__metadata__"]["neuralfabric.block"])["contract"] == "batch 2 -> batch 2"
