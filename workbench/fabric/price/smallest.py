"""A call made small: inputs cut down until next to nothing is left to compute, and all calls are still made.

An axis along which the number of operations changes, such as the steps of a loop, keeps its size: what is called in
each step does not go away with the tensors. So does an axis that cannot be 1, as under a convolution.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from workbench.fabric.axis import Sizes
from workbench.fabric.contract import Contract
from workbench.fabric.part import Part

SAME = 0.9  # of the operations: one or two may go, as a copy does that size 1 makes needless
Inputs = tuple[Tensor | None, ...]


def smallest(part: Part, inputs: Inputs) -> tuple[Inputs, Sizes]:
    """The inputs cut down to size 1 along every open axis that allows it, and those sizes."""
    sizes = part.contract.bind(inputs)
    operations = count_operations(part, inputs)
    for axis, size in sizes.items():
        if size is None:
            continue
        trial: Sizes = {**sizes, axis: (1,) * len(size) if isinstance(size, tuple) else 1}
        with suppress(RuntimeError, ValueError, TypeError, IndexError):  # cannot be 1
            if count_operations(part, _cut(part.contract, inputs, trial)) >= SAME * operations:
                sizes = trial
    return _cut(part.contract, inputs, sizes), sizes


def count_operations(call: Callable[..., Any], inputs: Sequence[Tensor | None]) -> int:
    """How many of torch's operations a call runs."""
    with _Operations() as counter, torch.no_grad():
        call(*inputs)
    return counter.count


class _Operations(TorchDispatchMode):
    count = 0

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += not operation.is_view
        return operation(*args, **(kwargs or {}))


def _cut(contract: Contract, inputs: Inputs, sizes: Sizes) -> Inputs:
    """The beginning of every input, as long as `sizes` says."""
    shapes = [
        port.shape(sizes) for port, value in zip(contract.inputs, inputs, strict=False) if value is not None
    ]
    remaining = iter(shapes)
    return tuple(
        value if value is None else value[tuple(slice(size) for size in next(remaining))].clone()
        for value in inputs
    )
