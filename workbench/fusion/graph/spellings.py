"""One operation has many spellings: x + y is also `torch.add(x, y)`, `x.add(y)` and, among our blocks, `Add()(x, y)`.

A rule that looks for a pattern asks for the operation, not for the spelling. Spellings that write into their input,
such as `x.add_(y)`, are left out: who reads x earlier or later is not to be seen in a graph.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeGuard

import torch
from torch import nn
from torch.fx import GraphModule, Node
from torch.nn import functional
from torch.nn.utils.parametrize import type_before_parametrizations

from workbench import blocks
from workbench.fusion.graph.sites import module_of, watched


@dataclass(frozen=True)
class Spelling:
    """The functions, methods and modules that compute one and the same thing."""

    functions: tuple[Callable[..., Any], ...] = ()
    methods: tuple[str, ...] = ()
    modules: tuple[type[nn.Module], ...] = ()

    def fits(self, node: object, traced: GraphModule) -> TypeGuard[Node]:
        """Whether a node is a call of one of them; of a subclass of a module nobody knows what it computes.

        A parametrized module still fits, so that a rule can say why it is left alone: see `watchers`.
        """
        if not isinstance(node, Node):
            return False
        if node.op == "call_function":
            return node.target in self.functions
        if node.op == "call_method":
            return node.target in self.methods
        module = module_of(traced, node)
        return module is not None and type_before_parametrizations(module) in self.modules

    def among(self, traced: GraphModule) -> Iterator[Node]:
        """The nodes that are calls of one of them, from first to last."""
        return (node for node in list(traced.graph.nodes) if self.fits(node, traced))


ADD = Spelling((operator.add, torch.add), ("add",), (blocks.Add,))
MULTIPLY = Spelling((operator.mul, torch.mul, torch.multiply), ("mul", "multiply"))
DIVIDE = Spelling((operator.truediv, torch.div, torch.divide), ("div", "divide"))
MATMUL = Spelling((operator.matmul, torch.matmul, torch.bmm), ("matmul", "bmm", "__matmul__"))
POWER = Spelling((operator.pow, torch.pow), ("pow",))
SQUARE = Spelling((torch.square,), ("square",))
MEAN = Spelling((torch.mean,), ("mean",))
SQUARE_ROOT = Spelling((torch.sqrt,), ("sqrt",))
RECIPROCAL_ROOT = Spelling((torch.rsqrt,), ("rsqrt",))
SIGMOID = Spelling((torch.sigmoid, functional.sigmoid), ("sigmoid",), (nn.Sigmoid,))
SILU = Spelling((functional.silu,), (), (nn.SiLU, blocks.SiLU))
GELU = Spelling((functional.gelu,), (), (nn.GELU, blocks.GELU))
SOFTMAX = Spelling((torch.softmax, functional.softmax), ("softmax",), (nn.Softmax,))
DROPOUT = Spelling((functional.dropout,), (), (nn.Dropout,))
LINEAR = Spelling(modules=(nn.Linear, blocks.Linear))
RMS_NORM = Spelling((functional.rms_norm,), (), (nn.RMSNorm, blocks.RMSNorm))
CROSS_ENTROPY = Spelling((functional.cross_entropy,), (), (nn.CrossEntropyLoss,))


def operands(node: Node) -> tuple[Any, Any] | None:
    """Both operands of a call that takes two and no options (`torch.add` has a factor `alpha`); else None."""
    return (node.args[0], node.args[1]) if len(node.args) == 2 and not node.kwargs else None


def either_way(node: Node) -> tuple[tuple[Any, Any], ...]:
    """The operands in both orders, for what does not mind the order: a rule tries one, then the other."""
    pair = operands(node)
    return () if pair is None else (pair, pair[::-1])


def input_of(node: Node) -> Any:
    """What a call works on: its first argument, however it was given."""
    return node.args[0] if node.args else node.kwargs.get("input", node.kwargs.get("x"))


def options(node: Node, *names: str) -> dict[str, Any]:
    """The arguments of a call by name, however they were given; `names` are those by position."""
    return dict(zip(names, node.args, strict=False)) | dict(node.kwargs)


def name_of(node: Node) -> str:
    """What a reader knows a node by: a module's path, else the name of the node."""
    return str(node.target) if node.op == "call_module" else node.name


def watchers(traced: GraphModule, *nodes: Node) -> str:
    """Which of the called modules has hooks or parametrizations, as an obstacle; "" if none."""
    for node in nodes:
        module = module_of(traced, node)
        if module is not None and (reason := watched(module, str(node.target))):
            return reason
    return ""
