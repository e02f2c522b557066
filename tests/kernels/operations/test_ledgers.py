"""Ledgers against what a dispatch mode sees the references move, and the simulated GPU sees the kernels move."""

import pytest
import torch
from cases.collected import NAMES, call
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from kernels import ledger, simt
from kernels.catalog import OPERATIONS
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


def tensors_in(values):
    return [value for value in tree_leaves(values) if isinstance(value, torch.Tensor)]


@pytest.mark.parametrize("name", NAMES)
def test_unfused_bytes_are_what_the_reference_moves(name):
    operator, arguments = call(name)
    with Meter() as meter:
        OPERATIONS[operator].reference(*arguments)
    counted = ledger(operator, *arguments).unfused
    assert (counted.bytes_read, counted.bytes_written) == (meter.read, meter.written)


@pytest.mark.parametrize("name", NAMES)
def test_fused_bytes_are_inputs_and_outputs_once(name):
    operator, arguments = call(name)
    outputs = tensors_in(OPERATIONS[operator](*arguments))
    counted = ledger(operator, *arguments)
    assert counted.bytes_read == sum(t.nbytes for t in tensors_in(arguments))
    assert counted.bytes_written == sum(t.nbytes for t in outputs)
    assert counted.bytes == counted.bytes_read + counted.bytes_written
    assert counted.flops == counted.unfused.flops >= 0


@pytest.mark.parametrize("name", NAMES)
def test_the_simulated_gpu_moves_the_bytes_of_the_ledger(name):
    """Of the operation's inputs and outputs; what passes between its own kernels is no part of either."""
    operator, arguments = call(name)
    with simt.simulated() as launches:
        outputs = tensors_in(OPERATIONS[operator](*arguments))
    counted = ledger(operator, *arguments)
    assert launches.bytes_read(*tensors_in(arguments)) == counted.bytes_read
    assert launches.bytes_written(*outputs) == counted.bytes_written
    if len(launches) == 1:
        assert launches[0].counters.global_bytes_unique == counted.bytes
