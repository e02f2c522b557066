"""The rivals of a case as calls without arguments, each tried once before it may take part.

Trying compiles: what torch.compile (whose results stay in Inductor's cache on disk) and Numba need before the first
call is no part of any timing. A rival that fails is left out with its reason: no C++ compiler, no Triton, an operator
that lacks a dtype. Where our own call fails there is nothing to compare, and its error is raised.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only

from kernels.bench.case import Arguments, Call, Case, Draw

OURS, EAGER, COMPILED, LIGER = "ours", "torch eager", "torch.compile", "Liger"
LIGER_FUNCTIONS = "liger_kernel.transformers.functional"


@dataclass
class Rivals:
    """Calls by name, ours first, and why others are not among them."""

    calls: dict[str, Callable[[], Any]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


def rivals(case: Case, size: int, backward: bool, draw: Draw, with_liger: bool = False) -> Rivals:
    """Everyone who can run this case, with inputs made once; Liger runs on GPUs only."""
    inputs = case.inputs(size, draw)
    theirs = case.theirs(*inputs)
    inputs, theirs = (_leaves(case, arguments, backward) for arguments in (inputs, theirs))
    gradients = _gradients(case, inputs) if backward else None
    found = Rivals({OURS: bind(case.ours, inputs, gradients)})
    found.calls[OURS]()
    torch.compiler.reset()
    compiled = torch.compile(case.torch, dynamic=False)
    for name, function in {EAGER: case.torch, COMPILED: compiled, **case.others}.items():
        _try(found, name, bind(function, theirs, gradients))
    if with_liger and case.liger:
        try:
            function = case.liger(importlib.import_module(LIGER_FUNCTIONS))
        except (ImportError, AttributeError) as error:
            found.left_out[LIGER] = reason(error)
        else:
            # Liger may overwrite its inputs (the logits become their gradient), so it has its own
            _try(found, LIGER, bind(function, _leaves(case, _cloned(inputs), backward), gradients))
    return found


def bind(function: Call, inputs: Arguments, gradients: list[Tensor] | None) -> Callable[[], Any]:
    """One call of a rival: forward, and back with these gradients of the results if there are any."""
    if gradients is None:
        return partial(function, *inputs)
    wanted = [value for value in inputs if isinstance(value, Tensor) and value.requires_grad]

    def forward_and_backward() -> tuple[Tensor, ...]:
        return torch.autograd.grad(_results(function(*inputs)), wanted, gradients)

    return forward_and_backward


def _leaves(case: Case, inputs: Arguments, backward: bool) -> Arguments:
    return tuple(
        value.detach().requires_grad_() if backward and case.wants_gradient(place, value) else value
        for place, value in enumerate(inputs)
    )


def _gradients(case: Case, inputs: Arguments) -> list[Tensor]:
    """A gradient for each result of the case."""
    torch.manual_seed(0)
    return [torch.randn_like(result) for result in _results(case.ours(*inputs))]


def _results(output: Any) -> tuple[Tensor, ...]:
    return output if isinstance(output, tuple) else (output,)


def _cloned(inputs: Arguments) -> Arguments:
    return tree_map_only(Tensor, lambda tensor: tensor.detach().clone(), inputs)


def _try(found: Rivals, name: str, call: Callable[[], Any]) -> None:
    try:
        call()
    except Exception as error:  # a compiler or an operator they lack, or a bug of theirs: not ours to raise
        found.left_out[name] = reason(error)
    else:
        found.calls[name] = call


def reason(error: Exception) -> str:
    """An error in one line."""
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:150]}"
