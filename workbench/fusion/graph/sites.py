"""What a rule asks of a traced model before it replaces a module: who else would notice?

A traced model calls modules by their path. To give one of them other weights is right only if this one call is all that
the module does: it may be called elsewhere, its weights may be another's too, and a hook or a parametrization expects
the module that was there. `obstacle` says which of these holds, in words for the reader.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn
from torch.fx import GraphModule, Node
from torch.nn.utils import parametrize

HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def module_of(traced: GraphModule, node: object) -> nn.Module | None:
    """The module that a node calls; None for a node that calls none, and for what is no node."""
    if isinstance(node, Node) and node.op == "call_module":
        return traced.get_submodule(str(node.target))
    return None


def attribute_of(traced: GraphModule, node: object) -> object:
    """The parameter, buffer or other attribute that a node reads; None for a node that reads none."""
    if not isinstance(node, Node) or node.op != "get_attr":
        return None
    owner, _, name = str(node.target).rpartition(".")
    return getattr(traced.get_submodule(owner), name)


def input_of(node: Node) -> Node | None:
    """What a call of a module takes, by position or by name; None unless it is one other node's value alone."""
    given = [*node.args, *node.kwargs.values()]
    return given[0] if len(given) == 1 and isinstance(given[0], Node) else None


def only_user(node: Node) -> Node | None:
    """The one node that reads this one's value; None if there are several, or none."""
    users = list(node.users)
    return users[0] if len(users) == 1 else None


def calls_of(traced: GraphModule, module: nn.Module) -> list[Node]:
    """All nodes that call this very module, by whatever path, or a module that has it inside."""
    calls = ((node, module_of(traced, node)) for node in traced.graph.nodes)
    return [node for node, called in calls if called is not None and _is_in(module, called)]


def shape_of(node: Node) -> torch.Size | None:
    """The shape of a node's value on the example inputs; None if it is no tensor."""
    found = node.meta.get("tensor_meta")
    return getattr(found, "shape", None)


def dtype_of(node: Node) -> torch.dtype | None:
    """The dtype of a node's value; None if it is no tensor."""
    found = node.meta.get("tensor_meta")
    return getattr(found, "dtype", None)


def obstacle(traced: GraphModule, node: Node) -> str:
    """Why the module that a node calls must stay as it is; "" if it may be replaced."""
    module = module_of(traced, node)
    if module is None:
        return f"{node.name} calls no module"
    times = len(calls_of(traced, module))
    if times > 1:
        return f"{node.target} is called {times} times: its weights cannot change for one of the results only"
    return watched(module, str(node.target)) or shared(traced, module, str(node.target))


def watched(module: nn.Module, path: str) -> str:
    """What expects a module to be called as it is, as an obstacle; "" if nothing does."""
    if any(getattr(module, kind, None) for kind in HOOKS):
        return f"{path} has hooks, which expect what it computes now"
    if parametrize.is_parametrized(module):
        return f"{path} is parametrized: its weights are computed anew from others at each call"
    if "forward" in vars(module):
        return f"{path} has been given a forward of its own"
    return ""


def shared(traced: GraphModule, module: nn.Module, path: str) -> str:
    """Who else has or reads the parameters of a module, as an obstacle; "" if nobody does."""
    own = {id(tensor) for tensor in (*module.parameters(), *module.buffers())}
    inside = set(module.modules())
    for other_path, other in traced.named_modules():
        if other in inside or other is traced:
            continue
        for name, tensor in _held(other):
            if id(tensor) in own:
                return f"{other_path}.{name} is the same tensor: the two would no longer be tied"
    for node in traced.graph.find_nodes(op="get_attr"):
        if id(attribute_of(traced, node)) in own:
            return f"{node.target} is read by another operation too"
    return ""


def replace(traced: GraphModule, old: Node, new: Node) -> None:
    """Everyone who read `old` reads `new`, which has the same shape; `old` is gone."""
    old.replace_all_uses_with(new)
    traced.graph.erase_node(old)


def _held(module: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    for name, tensor in (*module._parameters.items(), *module._buffers.items()):
        if tensor is not None:
            yield name, tensor


def _is_in(module: nn.Module, other: nn.Module) -> bool:
    return module is other or any(module is part for part in other.modules())
