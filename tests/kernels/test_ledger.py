"""The ledgers against what a dispatch mode sees the plain-torch references move."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import kernels
from kernels import ledger
from kernels.catalog import OPERATIONS, find
from kernels.ledger import unique_bytes


class Meter(TorchDispatchMode):
    """Adds up the bytes of the inputs and outputs of every operator that is not a view."""

    def __init__(self):
        super().__init__()
        self.read = self.written = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if not func.is_view and "empty" not in str(func) and "detach" not in str(func):
            distinct = {id(t): t for t in tree_leaves(args) if isinstance(t, torch.Tensor)}
            self.read += sum(map(unique_bytes, distinct.values()))
            self.written += sum(unique_bytes(t) for t in tree_leaves(result) if isinstance(t, torch.Tensor))
        return result


def calls():
    x, y, w = torch.randn(6, 5, 8), torch.randn(6, 5, 8), torch.randn(8)
    for approximate in ("none", "tanh"):
        yield "bias_gelu", (x, w, approximate)
    yield "bias_gelu_backward", (y, x, w, "none", True, True)
    for weight in (None, w):
        yield "rms_norm", (x, weight, 1e-6)
        yield "add_rms_norm", (x, y, weight, 1e-6)
        yield "rms_norm_backward", (y, x, weight, 1e-6, None, True, weight is not None)
        yield "rms_norm_backward", (y, x, weight, 1e-6, x, True, False)


@pytest.mark.parametrize(("name", "arguments"), calls())
def test_unfused_bytes_are_what_the_reference_moves(name, arguments):
    with Meter() as meter:
        OPERATIONS[name].reference(*arguments)
    counted = ledger(name, *arguments).unfused
    assert (counted.bytes_read, counted.bytes_written) == (meter.read, meter.written)


@pytest.mark.parametrize(("name", "arguments"), calls())
def test_fused_bytes_are_inputs_and_outputs_once(name, arguments):
    outputs = OPERATIONS[name](*arguments)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    counted = ledger(name, *arguments)
    assert counted.bytes_read == sum(t.nbytes for t in arguments if isinstance(t, torch.Tensor))
    assert counted.bytes_written == sum(t.nbytes for t in outputs)
    assert counted.bytes == counted.bytes_read + counted.bytes_written
    assert counted.flops == counted.unfused.flops > 0
    assert counted.bytes < counted.unfused.bytes


def test_meta_tensors_and_formulas():
    x, w = torch.empty(10**6, 10**4, device="meta"), torch.empty(10**4, device="meta")  # 40 GB, were it real
    n, width = x.numel(), 10**4
    counted = ledger(kernels.bias_gelu, x, w)
    assert counted.bytes == 4 * (2 * n + width)
    assert counted.unfused.bytes == 4 * (4 * n + width)
    assert ledger(kernels.rms_norm, x).bytes == 8 * n
    assert ledger(kernels.add_rms_norm, x, x.clone(), w).bytes == 4 * (4 * n + width)
    assert ledger("rms_norm", x, w).unfused.bytes == 4 * (7 * n + width + 6 * 10**6)


def test_half_types_are_half_the_bytes():
    x, w = torch.empty(4, 8, dtype=torch.bfloat16), torch.empty(8)
    assert ledger("rms_norm", x, w).bytes == 2 * 2 * 32 + 4 * 8


def test_expanded_inputs_count_once():
    assert unique_bytes(torch.empty(1, 8).expand(100, 8)) == 32
    assert unique_bytes(torch.empty(0, 1).expand(0, 9)) == 0
    assert ledger("bias_gelu", torch.empty(1, 8).expand(100, 8), torch.empty(8)).bytes_read == 64


def test_every_way_to_name_an_operation():
    assert find("rms_norm") is find(kernels.rms_norm) is find(torch.ops.workbench.rms_norm.default)
    for unknown in ("softmax", torch.relu, torch.ops.aten.relu.default, 3):
        with pytest.raises(ValueError, match="operation must be one of bias_gelu"):
            ledger(unknown, torch.empty(2, 2))
