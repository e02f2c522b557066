"""The benchmark is fair and complete: a case for every operation, the same results, the same inputs, own outputs."""

import sys
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch.utils._pytree import tree_leaves, tree_map_only

import kernels
from kernels.bench.case import Draw
from kernels.bench.cases import CASES
from kernels.bench.cases.pointwise import DROPPED
from kernels.bench.rivals import EAGER, LIGER, LIGER_FUNCTIONS, OURS, rivals

TENSOR = torch.Tensor
THERE = list(CASES)
NOT_OPERATIONS = {"ledger", "simt", "compiled"}
SAME_NUMBERS = [name for name in THERE if name != "dropout_add"]


def inputs_of(name, size=8, dtype=torch.float32):
    """Inputs as ours takes them, and as torch does."""
    inputs = CASES[name].inputs(size, Draw(dtype=dtype))
    return inputs, CASES[name].theirs(*inputs)


def copies(values):
    return tree_map_only(TENSOR, TENSOR.clone, values)


def tensors(values):
    """All tensors in these values, those of modules too."""
    for leaf in tree_leaves(values):
        if isinstance(leaf, torch.nn.Module):
            yield from leaf.state_dict().values()
        elif isinstance(leaf, TENSOR):
            yield leaf


def test_every_public_operation_is_benchmarked():
    operations = {name for name in kernels.__all__ if name.islower()} - NOT_OPERATIONS
    assert operations == {case.operation for case in CASES.values()}
    assert len(CASES) == len({case.name for case in CASES.values()})


@pytest.mark.parametrize("size", [4, 7, 64])
@pytest.mark.parametrize("name", SAME_NUMBERS)
def test_rivals_compute_the_same(name, size):
    case = CASES[name]
    inputs, theirs = inputs_of(name, size)
    for function in (case.torch, *case.others.values()):
        own, other = copies(inputs), copies(theirs)
        ours, torchs = case.ours(*own), function(*other)
        if case.in_place:
            ours, torchs = own, other[: len(own)]
        torch.testing.assert_close(ours, torchs, rtol=1e-4, atol=1e-4)


@pytest.mark.usefixtures("no_compiler")
@pytest.mark.parametrize("name", [name for name in SAME_NUMBERS if CASES[name].trains])
def test_rivals_have_the_same_gradients(name):
    found = rivals(CASES[name], 12, True, Draw())
    ours = found.calls.pop(OURS)()
    for call in found.calls.values():
        torchs = [grad.values() if grad.layout == torch.sparse_csr else grad for grad in call()]
        torch.testing.assert_close(list(ours), torchs, rtol=1e-4, atol=1e-4)


def test_dropout_keeps_as_many_and_doubles_them_alike():
    case = CASES["dropout_add"]
    (x, residual), _ = inputs_of("dropout_add", 300)
    for function in (case.ours, case.torch):
        kept = (function(x, residual) - residual) / x * (1 - DROPPED)
        torch.testing.assert_close(kept, kept.round(), rtol=1e-2, atol=1e-2)
        assert kept.mean().item() == pytest.approx(1 - DROPPED, abs=0.01)


@pytest.mark.parametrize("name", THERE)
def test_every_call_allocates_its_own_result_and_leaves_the_inputs(name):
    case = CASES[name]
    inputs, theirs = inputs_of(name)
    for function, given in ((case.ours, inputs), (case.torch, theirs)):
        before = copies(list(tensors(given)))
        results = [list(tensors(function(*given))) for _ in range(2)]
        if case.in_place:
            assert results == [[], []]
            continue
        assert torch.equal(results[0][0], results[1][0]) or name == "dropout_add"
        held = [
            tensor for tensor in (*results[0], *results[1], *tensors(given)) if tensor.layout == torch.strided
        ]
        addresses = [tensor.data_ptr() for tensor in held if tensor.numel()]
        assert len(set(addresses)) == len(addresses)
        for tensor, copy in zip(tensors(given), before, strict=True):
            torch.testing.assert_close(tensor, copy, rtol=0, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", list(CASES))
def test_inputs_are_the_same_in_every_run_and_in_the_dtype(name, dtype):
    first, again = (list(tensors(inputs_of(name, dtype=dtype)[0])) for _ in range(2))
    for one, other in zip(first, again, strict=True):
        assert torch.equal(one, other)
        assert one.dtype == dtype or not one.is_floating_point()


@pytest.mark.parametrize("name", list(CASES))
def test_cases_grow_with_their_size(name):
    small, large = (sum(tensor.nbytes for tensor in tensors(inputs_of(name, size)[0])) for size in (64, 1024))
    assert large > 3 * small


@pytest.mark.usefixtures("no_compiler")
def test_a_rival_that_cannot_run_is_left_out_with_its_reason():
    found = rivals(CASES["rms_norm"], 4, False, Draw())
    assert list(found.calls) == [OURS, EAGER]
    assert found.left_out == {"torch.compile": "RuntimeError: No working C++ compiler found"}


@pytest.fixture
def liger(monkeypatch):
    """Liger as far as these tests call it; like the true one it may overwrite what it is given."""

    def swiglu(gate, up):
        result = F.silu(gate) * up
        gate.data.zero_()
        return result

    for package in ("liger_kernel", "liger_kernel.transformers"):
        monkeypatch.setitem(sys.modules, package, SimpleNamespace())
    monkeypatch.setitem(sys.modules, LIGER_FUNCTIONS, SimpleNamespace(liger_swiglu=swiglu))


@pytest.mark.usefixtures("no_compiler", "liger")
@pytest.mark.parametrize("backward", [False, True])
def test_liger_takes_part_with_inputs_of_its_own(backward):
    found = rivals(CASES["swiglu"], 4, backward, Draw(), with_liger=True)
    before = found.calls[EAGER]()
    found.calls[LIGER]()
    torch.testing.assert_close(found.calls[EAGER](), before, rtol=0, atol=0)
    torch.testing.assert_close(found.calls[OURS](), before)


@pytest.mark.usefixtures("no_compiler", "liger")
def test_what_liger_lacks_is_left_out():
    found = rivals(CASES["rms_norm"], 4, False, Draw(), with_liger=True)
    assert LIGER not in found.calls
    assert "liger_rms_norm" in found.left_out[LIGER]


@pytest.mark.usefixtures("no_compiler")
def test_liger_is_left_out_where_it_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, LIGER_FUNCTIONS, None)
    found = rivals(CASES["swiglu"], 4, False, Draw(), with_liger=True)
    assert LIGER not in found.calls
    assert found.left_out[LIGER].startswith("ModuleNotFoundError")
    assert LIGER not in rivals(CASES["swiglu"], 4, False, Draw()).left_out
