"""How a call of `kernels` gets into a traced model, and who decides whether it may: the kernel itself.

Every operation of `kernels` checks its arguments and says what it cannot take. Shapes and types are all that it looks
at, so it can be asked with tensors on the meta device, which have nothing else; its answer is the refusal.

A kernel takes weights as they are, so the module that holds them stays and keeps its names: the call reads them from
there (`get_attr`). For the same reason weights that are shared, or a module called twice, are no obstacle here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.fx import GraphModule, Node

from workbench.fusion.graph.effects import needed
from workbench.fusion.graph.sites import dtype_of, module_of, shape_of


def objection(kernel: Callable[..., Any], *arguments: Any, **options: Any) -> str:
    """What a kernel says against arguments such as these nodes' values; "" if it takes them."""
    try:
        kernel(*(imagined(argument) for argument in arguments), **options)
    except (TypeError, ValueError) as error:
        return f"kernels.{kernel.__name__} does not take it: {error}"
    return ""


def imagined(argument: Any) -> Any:
    """A tensor without numbers, shaped as a node's value or as a weight; all else as it is."""
    if isinstance(argument, Tensor):
        return torch.empty_like(argument, device="meta")
    if not isinstance(argument, Node):
        return argument
    shape = shape_of(argument)
    return None if shape is None else torch.empty(shape, dtype=dtype_of(argument), device="meta")


def weight_of(traced: GraphModule, node: Node, name: str) -> Tensor | None:
    """A weight of the module that a node calls, by its name; None if it has none."""
    found = getattr(module_of(traced, node), name, None)
    return found if isinstance(found, Tensor) else None


def read_weight(traced: GraphModule, node: Node, name: str) -> Node | None:
    """A new node that reads that weight, where the graph is being written; None if there is none."""
    if weight_of(traced, node, name) is None:
        return None
    return traced.graph.get_attr(f"{node.target}.{name}")


def call(
    traced: GraphModule, function: Callable[..., Any], *arguments: Any, like: Node | None = None
) -> Node:
    """A new node that calls a function, where the graph is being written; its value is shaped as that of `like`."""
    node = traced.graph.call_function(function, arguments)
    if like is not None:
        node.meta = dict(like.meta)
    return node


def put_in_place(traced: GraphModule, new: Node, old: Node) -> None:
    """Whoever read the old node reads the new one; the old one, and what only it read, goes."""
    old.replace_all_uses_with(new)
    waiting, gone = [old], set()
    while waiting:
        node = waiting.pop()
        if node not in gone and not node.users and not needed(traced, node):
            waiting += node.all_input_nodes
            traced.graph.erase_node(node)
            gone.add(node)
