"""The shortest way from Python into one of torch's operations.

A captured graph names operations as the dispatcher knows them, `torch.ops.aten.linear.default`. Called that way, the
arguments are matched against a schema at run time; torch's own Python functions were generated for them and need about
a third of the time. Both end in the same kernel. Names and arguments mostly agree, not always, so each candidate is
tried on tensors without numbers and taken only when the result has the same shapes and types.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor
from torch.fx import Node
from torch.fx.node import map_arg
from torch.utils._pytree import tree_flatten

HOMES = (torch._C._nn, torch._C._VariableFunctions, torch._C.TensorBase)
OTHER_NAMES = {"sym_size": "size"}


def direct(node: Node) -> Callable[..., Any]:
    """torch's Python function for the operation of `node`, or the operation itself where there is none."""
    operation: Any = node.target
    name = operation.overloadpacket.__name__
    if operation.namespace == "aten":
        for home in HOMES:
            function = getattr(home, OTHER_NAMES.get(name, name), None)
            if function is not None and _gives_the_same(node, function):
                return function
    return operation


def _gives_the_same(node: Node, function: Callable[..., Any]) -> bool:
    """Whether it takes the arguments as captured and gives what the operation gave."""
    arguments, options = map_arg((node.args, node.kwargs), lambda other: other.meta.get("val"))
    leaves, _ = tree_flatten((arguments, options, node.meta.get("val")))
    mode = next((leaf.fake_mode for leaf in leaves if isinstance(leaf, FakeTensor)), None)
    if mode is None:
        return False
    try:
        with mode, torch.no_grad():
            result = function(*arguments, **options)
    except Exception:  # another signature: any kind of error tells us so
        return False
    return _described(result) == _described(node.meta.get("val"))


def _described(result: Any) -> list[str]:
    """Shapes and types, as text: comparing symbols would fix them."""
    return [
        f"{tuple(leaf.shape)} {leaf.dtype} {leaf.device}" if isinstance(leaf, Tensor) else str(leaf)
        for leaf in tree_flatten(result)[0]
    ]
