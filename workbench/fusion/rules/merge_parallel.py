"""Linear layers that read the same input become one, whose result is cut into theirs: Q, K and V, or gate and up.

    (W₁x, W₂x, …)  =  cut([W₁; W₂; …] x)        the rows of the matrices one under the other

Exact, in training too: each output is the same sum as before, and each row of weights gets the gradient it got. The
FLOPs stay; x is read once in place of once for each layer, and one call is made. Both count where a product is small or
has few rows; a product of many rows is bound by its arithmetic and gains nothing. PyTorch's `nn.MultiheadAttention` is
written this way from the start.

The cuts are free but have gaps: between two rows of one part lie those of the others. So whoever needs its numbers side
by side has to copy them first: `.view` refuses to, our kernels do it silently. Such readers keep their own layer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from operator import getitem

import torch
from torch import nn
from torch.fx import GraphModule, Node

from workbench.fusion.fused import stack_of_layers
from workbench.fusion.graph.sites import module_of, obstacle, shape_of
from workbench.fusion.graph.spellings import LINEAR, input_of
from workbench.fusion.rewrite import Refusal, Rewrite, Site

RESHAPED = ("view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze")  # the order in memory stays
WHAT = "merge parallel linear layers"


def find(traced: GraphModule) -> Iterator[Site | Refusal]:
    """Each group of linear layers with one input; those of a group that do not fit are refused one by one."""
    readers: dict[Node, list[Node]] = defaultdict(list)
    for node in LINEAR.among(traced):
        if isinstance(x := input_of(node), Node):
            readers[x].append(node)
    for group in readers.values():
        if len(group) < 2:
            continue
        reasons = {node: obstacle(traced, node) or _gaps(node) for node in group}
        free = [node for node in group if not reasons[node]]
        if free:
            reasons |= {node: _differences(traced, free, node) for node in free}
        fitting = [node for node in free if not reasons[node]]
        for node, reason in reasons.items():
            if reason:
                yield Refusal(WHAT, str(node.target), reason)
        if len(fitting) > 1:
            where = " + ".join(str(node.target) for node in fitting)
            why = f"one matrix on top of the other: the input is read once in place of {len(fitting)} times"
            yield Site(Rewrite(WHAT, where, why), partial(_apply, traced, fitting))


def _differences(traced: GraphModule, group: list[Node], node: Node) -> str:
    """Why a layer cannot be part of one matrix with the first of its group; "" if it can."""
    layers = [module_of(traced, member) for member in group]
    first, layer = layers[0], module_of(traced, node)
    assert first is not None
    assert layer is not None
    ours, theirs = _kind(layer), _kind(first)
    if ours != theirs:
        return f"it is {ours}, {group[0].target} is {theirs}"
    biased = [found is not None and found.bias is not None for found in layers]
    if layer.training and layer.bias is None and any(biased):
        return "in training mode the zeros that would stand in for its bias would learn"
    return ""


def _kind(layer: nn.Module) -> str:
    """What all parts of one matrix must have in common."""
    weight = layer.weight
    assert isinstance(weight, torch.Tensor)
    learns = all(param.requires_grad for param in layer.parameters())
    frozen = not any(param.requires_grad for param in layer.parameters())
    state = "trainable" if learns else "frozen" if frozen else "frozen in part"
    return f"{state}, {str(weight.dtype).removeprefix('torch.')} on {weight.device}"


def _gaps(node: Node) -> str:
    """Who reads a layer's result and needs its numbers side by side; "" if nobody does."""
    shape = shape_of(node)
    for user in _readers(node):
        if user.op == "call_function" and str(getattr(user.target, "__module__", "")).startswith("kernels."):
            return f"kernels.{user.target.__name__} would copy its part of a merged result, to close the gaps"  # type: ignore[union-attr]
        seen = shape_of(user)
        if user in node.users and user.target == "view" and shape and seen is not None:
            part = torch.empty(*shape[:-1], 2 * shape[-1], device="meta")[..., : shape[-1]]
            try:
                part.view(seen)
            except RuntimeError:
                return (
                    f"{user.name} is a .view over the gaps that a part of a merged result has; use .reshape"
                )
    return ""


def _readers(node: Node) -> Iterator[Node]:
    """Who reads a value, as it is or in another shape."""
    for user in node.users:
        yield user
        if user.op == "call_method" and user.target in RESHAPED:
            yield from _readers(user)


def _apply(traced: GraphModule, nodes: list[Node]) -> None:
    first, graph = nodes[0], traced.graph
    layers = [layer for node in nodes if (layer := module_of(traced, node)) is not None]
    merged = stack_of_layers(layers)
    path = _path_for(traced, nodes)
    traced.add_submodule(path, merged)
    with graph.inserting_before(first):
        whole = graph.call_module(path, (input_of(first),))
        widths = [len(layer.weight) for layer in layers]  # type: ignore[arg-type]
        cut = graph.call_function(torch.split, (whole, widths, -1))  # views, one for each layer
        parts = [graph.call_function(getitem, (cut, place)) for place in range(len(nodes))]
    for node, part in zip(nodes, parts, strict=True):
        part.meta = dict(node.meta)
        node.replace_all_uses_with(part)
        graph.erase_node(node)


def _path_for(traced: GraphModule, nodes: list[Node]) -> str:
    """Where the merged layer lives: beside the first, under the names of all, "attention.query_key_value"."""
    parent, _, _ = str(nodes[0].target).rpartition(".")
    name = "_".join(str(node.target).rpartition(".")[2] for node in nodes)
    while hasattr(traced.get_submodule(parent), name):
        name += "_"
    return f"{parent}.{name}" if parent else name
