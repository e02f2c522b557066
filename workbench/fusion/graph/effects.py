"""What an operation does besides giving a result: it may write into a tensor, or draw random numbers.

A graph shows who reads whose result. It does not show that `x.add_(1)` changes what all other readers of x see, and
whoever drops it because nobody reads its result changes the program. So both questions are asked here: what writes, and
what may go when nobody reads its result.
"""

from __future__ import annotations

import operator

from torch import nn
from torch.fx import GraphModule, Node

from workbench.fusion.graph.sites import attribute_of, module_of, watched

# x += y and its like, x[i] = y
WRITING = {getattr(operator, f"i{name}") for name in (
    "add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor", "lshift", "rshift",
)} | {operator.setitem, operator.delitem}  # fmt: skip


def writes(traced: GraphModule, node: Node) -> bool:
    """Whether a node changes its first argument in place (or the tensor given as `out`)."""
    if node.kwargs.get("inplace") or node.kwargs.get("out") is not None:
        return True
    if node.op == "call_module":
        return bool(getattr(module_of(traced, node), "inplace", False))
    name = str(node.target) if node.op == "call_method" else getattr(node.target, "__name__", "")
    ends_like_torch = name.endswith("_") and not name.endswith("__")  # add_, relu_; but not __add__
    return node.target in WRITING or name == "__setitem__" or (node.op.startswith("call") and ends_like_torch)


def written(traced: GraphModule, tensor: object) -> bool:
    """Whether the model writes into one of its own tensors, directly or through a view of it."""
    for node in traced.graph.nodes:
        if writes(traced, node):
            out = node.kwargs.get("out")
            target = out if isinstance(out, Node) else _first_input(node)
            # the first input of a view is what it views; going on beyond views only makes this more careful
            while target is not None and target.op != "get_attr":
                target = _first_input(target)
            if target is not None and attribute_of(traced, target) is tensor:
                return True
    return False


def needed(traced: GraphModule, node: Node) -> bool:
    """Whether a node has to stay although nobody reads its result."""
    if node.op in ("placeholder", "output") or node.target is check_same:
        return True
    if node.is_impure() or writes(traced, node):
        return True
    module = module_of(traced, node)
    return module is not None and (bool(watched(module, "")) or _counts(module))


def clean(traced: GraphModule) -> None:
    """Removes what nobody needs any more, operations and modules, and makes the rest the program."""
    traced.graph.eliminate_dead_code(lambda node: needed(traced, node))
    traced.graph.lint()
    traced.delete_all_unused_submodules()
    traced.recompile()


def check_same(name: str, given: object, traced: object) -> None:
    """Raises ValueError for an argument that is not what it was while tracing."""
    if given != traced:
        raise ValueError(f"{name}: expected {traced!r}, as when the model was traced, got {given!r}")


def _counts(module: nn.Module) -> bool:
    """Whether a call changes the module itself, as the running averages in training do."""
    return any(part.training and any(True for _ in part.buffers(recurse=False)) for part in module.modules())


def _first_input(node: Node) -> Node | None:
    return next(iter(node.all_input_nodes), None)
