"""Count what a model computes and moves: FLOPs and bytes, by module and by operation.

A dispatch mode sits below autograd and sees every operation that torch is about to run, forward and backward, with its
tensors. `workbench.profiling.flops` and `workbench.profiling.traffic` say what each one costs; our fused
operations (`torch.ops.workbench`) are counted by their ledger. An operation without a formula is listed as
uncounted, with the number of its calls, and the FLOPs are then a lower bound.

Forward, hooks on every module tell which ones are running. Backward, autograd runs nodes, not modules, so each node is
remembered by its sequence number together with the modules that were running when it was made. (torch's own
ModuleTracker learns from a module's input gradients that its backward is over: two branches whose inputs need none
get counted twice, which a test here shows.)
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from html import escape
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from kernels import ledger
from kernels.op import NAMESPACE
from workbench.profiling.flops import flops
from workbench.profiling.traffic import bytes_moved

ROWS_SHOWN = 12


class Work(NamedTuple):
    """FLOPs and bytes."""

    flops: int
    bytes: int


@dataclass(frozen=True, repr=False)
class Count:
    """What a call computed and moved."""

    flops: int
    bytes: int
    by_module: dict[
        str, Work
    ]  # path, as in named_modules(); a module holds what its children do, "" everything
    by_operation: dict[str, Work]
    uncounted: dict[str, int]  # operations whose FLOPs are unknown, and how often each ran
    calls: int = 0  # operations run, without those that only look at memory in another way (views)

    @property
    def intensity(self) -> float:
        """Arithmetic intensity, FLOPs a byte."""
        return self.flops / self.bytes if self.bytes else 0.0

    def table(self) -> str:
        """Plain text: the total, the modules, the operations that cost most, and what could not be counted."""
        more = "at least " if self.uncounted else ""
        lines = [
            f"{more}{_short(self.flops)}FLOP, {_short(self.bytes)}B moved, {more}{self.intensity:.3g} FLOP a byte"
        ]
        modules = {path: work for path, work in self.by_module.items() if path}
        costly = sorted(self.by_operation.items(), key=lambda item: max(item[1]), reverse=True)
        for title, works in (("module", list(modules.items())), ("operation", costly)):
            if works:
                width = max(len(title), *(len(name) for name, _ in works[:ROWS_SHOWN]))
                lines += ["", f"{title:{width}}  {'FLOP':>8}  {'bytes':>8}"]
                lines += [
                    f"{name:{width}}  {_short(work.flops):>8}  {_short(work.bytes):>8}"
                    for name, work in works[:ROWS_SHOWN]
                ]
                if len(works) > ROWS_SHOWN:
                    lines.append(f"… and {len(works) - ROWS_SHOWN} more")
        if self.uncounted:
            calls = ", ".join(f"{name} ×{times}" for name, times in self.uncounted.items())
            lines += ["", f"FLOPs uncounted (no formula): {calls}"]
        return "\n".join(lines)

    __repr__ = table

    def _repr_html_(self) -> str:
        return f"<pre>{escape(self.table())}</pre>"


def meter(model: Callable[..., Any], *inputs: Any, backward: bool = False) -> Count:
    """Count the FLOPs and bytes of `model(*inputs)`, a module or any callable, on CPU, CUDA or the meta device.

    `backward=True` counts the backward pass of the outputs' sum as well (without the sum itself). The model is left as
    it was: no gradients are stored, buffers, train/eval state and random number generators are restored.

    Raises TypeError if `model` cannot be called, ValueError if it has parameters without a shape yet (lazy modules), or
    if `backward` is asked for and no output needs a gradient.
    """
    if not callable(model):
        raise TypeError(f"model: expected a module or a function, got {type(model).__name__}")
    module = model if isinstance(model, nn.Module) else nn.Module()
    if any(isinstance(parameter, nn.UninitializedParameter) for parameter in module.parameters()):
        raise ValueError("model: expected parameters with shapes, got lazy ones; call the model once first")
    gradients = torch.enable_grad() if backward else nullcontext()
    with _left_unchanged(module, inputs), gradients, _running(module) as running, _Meter(running) as counter:
        outputs = model(*inputs)
        if backward:
            _differentiate(outputs)
    return counter.count()


class _Meter(TorchDispatchMode):
    """Adds up the cost of every operation that torch runs while it is active."""

    def __init__(self, running: list[str]) -> None:
        super().__init__()
        self.running = running  # paths of the modules now running, outermost first
        self.paths_of_node: dict[int, list[str]] = {}
        self.by_module: dict[str, Counter[str]] = defaultdict(Counter)
        self.by_operation: dict[str, Counter[str]] = defaultdict(Counter)
        self.uncounted: Counter[str] = Counter()
        self.calls = 0

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if torch._C._dispatch_has_kernel_for_dispatch_key(operation.name(), "CompositeImplicitAutograd"):
            with self:  # made of other operations; arrives whole in inference mode only
                return operation.decompose(*args, **kwargs)
        paths = self._paths()
        result = operation(*args, **kwargs)
        name = _readable(operation)
        work, known = _work(operation, args, kwargs, result)
        if not known:
            self.uncounted[name] += 1
        if any(work) or not known:
            self.calls += 1
            for counter in (self.by_operation[name], *(self.by_module[path] for path in paths)):
                counter.update(flops=work.flops, bytes=work.bytes)
        return result

    def _paths(self) -> list[str]:
        node = torch._C._current_autograd_node()
        if node is not None:
            return self.paths_of_node.get(node._sequence_nr(), [""])
        paths = list(dict.fromkeys(self.running))  # a module that calls itself counts once
        # autograd made this operation's node, if it has one, just before: the first operation to see a number owns it
        self.paths_of_node.setdefault(torch.autograd._get_sequence_nr() - 1, paths)
        return paths

    def count(self) -> Count:
        modules, operations = (
            {name: Work(total["flops"], total["bytes"]) for name, total in totals.items()}
            for totals in (self.by_module, self.by_operation)
        )
        whole = modules.get("", Work(0, 0))
        return Count(*whole, {"": whole, **modules}, operations, dict(self.uncounted), self.calls)


@contextmanager
def _running(model: nn.Module) -> Iterator[list[str]]:
    """The paths of the modules that are running, outermost first; those outside `model` go by their class's name."""
    paths = {module: path for path, module in model.named_modules()}
    running = [""]

    def enter(module: nn.Module, inputs: Any) -> None:
        running.append(paths.get(module, type(module).__name__))

    def leave(module: nn.Module, inputs: Any, output: Any) -> None:
        running.pop()

    hooks = [register_module_forward_pre_hook(enter), register_module_forward_hook(leave, always_call=True)]
    try:
        yield running
    finally:
        for hook in hooks:
            hook.remove()


def _work(operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> tuple[Work, bool]:
    """Cost of one operation, and whether its FLOPs are known."""
    if operation.namespace == NAMESPACE:
        entry = ledger(operation, *args, **kwargs)
        return Work(entry.flops, entry.bytes), True
    moved = bytes_moved(operation, args, kwargs, result)
    is_view = operation.is_view or torch.Tag.inplace_view in operation.tags
    counted = 0 if is_view else flops(operation, args, kwargs, result)
    return Work(counted or 0, moved), counted is not None


def _differentiate(outputs: Any) -> None:
    """Backward from the sum of the outputs, without leaving gradients behind."""
    roots = [leaf for leaf in tree_leaves(outputs) if isinstance(leaf, torch.Tensor) and leaf.requires_grad]
    if not roots:
        raise ValueError("backward: expected an output that requires a gradient, got none")
    with torch.utils._python_dispatch._disable_current_modes():
        # the gradient of a sum: a one for every element, kept once
        ones = [torch.ones((), dtype=root.dtype, device=root.device).expand_as(root) for root in roots]
    torch.autograd.grad(roots, list(_leaves(roots)), ones, allow_unused=True)


def _leaves(roots: list[torch.Tensor]) -> Iterator[torch.Tensor]:
    """The tensors at the ends of autograd's graph whose gradients backward() would store."""
    nodes = [torch.autograd.graph.get_gradient_edge(root).node for root in roots]
    seen = set(nodes)
    while nodes:
        node = nodes.pop()
        if hasattr(node, "variable"):
            yield node.variable
        nodes += (
            found := {following for following, _ in node.next_functions if following is not None} - seen
        )
        seen |= found


@contextmanager
def _left_unchanged(module: nn.Module, inputs: tuple[Any, ...]) -> Iterator[None]:
    training = {part: part.training for part in module.modules()}
    buffers = [
        (part, name, buffer, buffer.clone())
        for part in module.modules()
        for name, buffer in part._buffers.items()
        if buffer is not None
    ]
    tensors = [
        leaf for leaf in (*module.parameters(), *tree_leaves(inputs)) if isinstance(leaf, torch.Tensor)
    ]
    devices = sorted({tensor.get_device() for tensor in tensors if tensor.is_cuda})
    try:
        with torch.random.fork_rng(devices):
            yield
    finally:
        for part, mode in training.items():
            part.training = mode
        with torch.no_grad():
            for part, name, buffer, before in buffers:
                part._buffers[name] = buffer.copy_(before)


def _readable(operation: Any) -> str:
    name = operation.overloadpacket.__name__
    return name if operation.namespace == "aten" else f"{operation.namespace}::{name}"


def _short(number: float) -> str:
    for prefix, scale in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= scale:
            return f"{number / scale:.3g} {prefix}"
    return f"{number:.3g} "
