"""One trial of a model: called twice in a row on copies of its inputs, from a known random state, and put back after.

Kept is all that a call may do: its results, the model's buffers, and how many random numbers were drawn.
"""

from __future__ import annotations

import copy
import dataclasses
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map


@dataclass(frozen=True)
class Run:
    """What two calls in a row gave and left behind."""

    results: list[Any]
    buffers: dict[str, Tensor]
    changed: frozenset[str]  # the buffers that the calls have changed
    random: tuple[Tensor, Any]  # the state of torch's numbers and of Python's


def run(model: nn.Module, inputs: tuple[Any, ...]) -> Run:
    """Calls a model twice on copies of the inputs, always from the same random state, and puts its buffers back."""
    with torch.no_grad(), unchanged(model):
        before = {name: buffer.clone() for name, buffer in _buffers(model)}
        torch.manual_seed(0)
        random.seed(0)
        # copied, as a result may be a buffer itself, which the next call changes
        results = [fresh(leaf) for _ in range(2) for leaf in leaves(model(*tree_map(fresh, inputs)))]
        buffers = {name: buffer.clone() for name, buffer in _buffers(model)}
        changed = (name for name, was in before.items() if not _equal(buffers.get(name), was))
        return Run(results, buffers, frozenset(changed), (torch.get_rng_state(), random.getstate()))


@contextmanager
def unchanged(module: nn.Module) -> Iterator[None]:
    """Puts buffers and random numbers back as they were."""
    held = [
        (owner, name, buffer, buffer.clone())
        for owner in module.modules()
        for name, buffer in owner.named_buffers(recurse=False)
    ]
    state = random.getstate()
    with torch.random.fork_rng(range(torch.cuda.device_count())):
        try:
            yield
        finally:
            random.setstate(state)
            with torch.no_grad():
                for owner, name, buffer, before in held:
                    owner._buffers[name] = buffer
                    buffer.copy_(before)


def copied(model: nn.Module) -> nn.Module:
    """A copy that shares nothing; also of a model that keeps computed tensors, as `nn.utils.prune` does."""
    kept = [value for module in model.modules() for value in vars(module).values()]
    computed = [value for value in kept if isinstance(value, Tensor) and not value.is_leaf]
    return copy.deepcopy(model, {id(tensor): tensor.detach().clone() for tensor in computed})


def fresh(value: Any) -> Any:
    """A copy of a tensor, so that a model that writes into its input changes nobody's."""
    return value.detach().clone() if isinstance(value, Tensor) else value


def drawn_anew(value: Any, generator: torch.Generator) -> Any:
    """Normal numbers of a tensor's own mean and spread; whole numbers, and what is not finite, stay."""
    if not isinstance(value, Tensor) or not value.is_floating_point() or not value.isfinite().all():
        return value
    numbers = value.detach().double()
    mean, spread = (numbers.mean(), numbers.std(correction=0)) if value.numel() else (0.0, 0.0)
    drawn = torch.randn(value.shape, generator=generator, dtype=torch.float64).to(value.device)
    return torch.empty_like(value.detach()).copy_(drawn * (spread if spread > 0 else 1.0) + mean)


def leaves(value: Any) -> list[Any]:
    """The tensors and other values of a result, from whatever holds them."""
    found = tree_leaves(value)
    if len(found) == 1 and dataclasses.is_dataclass(value) and not isinstance(value, type):
        return leaves(vars(value))
    return found


def _buffers(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    return module.named_buffers(remove_duplicate=False)


def _equal(one: Tensor | None, other: Tensor) -> bool:
    return one is not None and one.shape == other.shape and bool(torch.equal(one, other))
