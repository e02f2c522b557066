"""The same fold on torch.export's graph: no modules any more, only operations, and weights are their arguments.

    torch.fx        y = call_module["0"](x)              z = call_module["1"](y)
    torch.export    y = aten.conv2d(x, w, b, stride, …)  z = aten.batch_norm(y, γ, β, μ, σ², training, momentum, ε, …)

torch.export notes what reaches aten, the library of operations below all modules of torch. So one pass meets
nn.Conv2d, F.conv2d and what a hook does alike. Which of its inputs is the weight, an operation's schema says.

Here a weight belongs to a call, not to a module, and the fold gives this one call weights of its own. A convolution
that is called twice, an obstacle in `rules/fold_batchnorm.py`, is none here; a second copy of its weights is the price.

The mathematics is that of `fold_batchnorm.py`. Source: torch.export's documentation, "torch.export IR Specification".
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import GraphModule, Node
from torch.utils._pytree import tree_map

from workbench.fusion.absorb import scaled_outputs
from workbench.fusion.graph.trouble import TracingError, where
from workbench.fusion.report import FusionReport
from workbench.fusion.rewrite import Refusal, Rewrite
from workbench.fusion.verify import compare

aten = torch.ops.aten
PLAIN = (aten.linear, aten.conv1d, aten.conv2d, aten.conv3d)
TRANSPOSED = (aten.conv_transpose1d, aten.conv_transpose2d, aten.conv_transpose3d)
WHAT = "fold BatchNorm"
WHY = "a scale and a shift of each channel go into the weights; one read and one write less"


def fuse_exported(model: nn.Module, example_inputs: Any) -> FusionReport:
    """`model` as torch.export sees it, with each batch normalization folded; `model` stays as it is.

    example_inputs: a tensor or a tuple; the new model takes inputs of these very shapes. The mode, train or eval, is
    kept. Raises TracingError for a model that torch.export finds no graph for, Differs (a ValueError) should the graph,
    or a fold, change what the model computes.
    """
    inputs = example_inputs if isinstance(example_inputs, tuple) else (example_inputs,)
    wide, wide_inputs = copy.deepcopy(model).double(), tree_map(_double, inputs)
    exact = compare(wide, folded(export(wide, wide_inputs))[0], wide_inputs)
    fused, rewrites, refused = folded(export(model, inputs))
    error = compare(model, fused, inputs)
    return FusionReport(export(model, inputs), fused, inputs, tuple(rewrites), tuple(refused), error, exact)


def export(model: nn.Module, inputs: tuple[Any, ...]) -> GraphModule:
    """A copy of `model` as a graph of aten's operations, which can be called. Raises TracingError."""
    try:
        graph = torch.export.export(copy.deepcopy(model), inputs).module(check_guards=False)
    except Exception as error:  # whatever a model's own code makes of stand-ins
        raise TracingError(where(error)) from error
    assert isinstance(graph, GraphModule)
    return graph


def folded(traced: GraphModule) -> tuple[GraphModule, list[Rewrite], list[Refusal]]:
    """The graph, rewritten in place, with what was done and what was not."""
    rewrites, refused = [], []
    for norm in traced.graph.find_nodes(op="call_function", target=aten.batch_norm.default):
        layer = norm.args[0]
        if operation(layer) not in PLAIN + TRANSPOSED:
            continue
        both = f"{path(layer)} + {path(norm)}"
        if reason := obstacle(layer, norm):
            refused.append(Refusal(WHAT, both, reason))
        else:
            fold(traced, layer, norm)
            rewrites.append(Rewrite(WHAT, both, WHY))
    traced.graph.eliminate_dead_code()
    traced.delete_all_unused_submodules()  # with the weights that nobody reads any more
    traced.recompile()
    return traced, rewrites, refused


def obstacle(layer: Node, norm: Node) -> str:
    """Why the two must stay apart; "" if nothing is in the way."""
    of_layer, of_norm = arguments(layer), arguments(norm)
    if len(layer.users) > 1:
        return f"what {path(layer)} gives is also used elsewhere, before normalization"
    if of_norm["training"]:
        return "it normalizes by each batch's own statistics (training mode, or track_running_stats=False)"
    if layer.meta["val"].dim() != of_layer["weight"].meta["val"].dim():
        return f"it normalizes axis 1, and that is not where {path(layer)} has its channels"
    tensors = [value for value in (*of_layer.values(), *of_norm.values()) if isinstance(value, Node)]
    for tensor in tensors:
        if tensor.op != "get_attr" and tensor not in (layer, layer.args[0]):
            return f"{tensor.name} is computed anew at each call"
    return ""


def fold(traced: GraphModule, layer: Node, norm: Node) -> None:
    """Gives the layer's call a scaled weight and the shift as its bias, and its result to whoever read the norm's."""
    of_layer, of_norm = arguments(layer), arguments(norm)

    def number(node: Node) -> Tensor:
        return attribute(traced, str(node.target)).double()

    with torch.no_grad():
        weight, mean = number(of_layer["weight"]), number(of_norm["running_mean"])
        gamma = number(of_norm["weight"]) if of_norm["weight"] else torch.ones_like(mean)  # (channels,)
        beta = number(of_norm["bias"]) if of_norm["bias"] else torch.zeros_like(mean)
        bias = number(of_layer["bias"]) if of_layer["bias"] else torch.zeros_like(mean)
        scale = gamma / torch.sqrt(number(of_norm["running_var"]) + of_norm["eps"])
        layout = operation(layer) in TRANSPOSED, of_layer.get("groups", 1)
        new = {"weight": scaled_outputs(weight, scale, *layout), "bias": scale * (bias - mean) + beta}
    given = attribute(traced, str(of_layer["weight"].target))
    own = []
    for name, tensor in new.items():
        target = f"{layer.name}_{name}"
        while hasattr(traced, target):
            target += "_"
        traced.register_parameter(target, nn.Parameter(tensor.to(given.dtype), given.requires_grad))
        with traced.graph.inserting_before(layer):
            own.append(traced.graph.get_attr(target))
        own[-1].meta["val"] = tensor  # where the next pass looks for a shape
    layer.args = (layer.args[0], *own, *layer.args[3:])  # every layer of aten begins: input, weight, bias
    norm.replace_all_uses_with(layer)
    traced.graph.erase_node(norm)


def arguments(node: Node) -> dict[str, Any]:
    """What an operation is called with, by the names in its schema, defaults included."""
    schema = node.target._schema.arguments  # type: ignore[union-attr]
    given = {argument.name: value for argument, value in zip(schema, node.args, strict=False)}
    return {argument.name: argument.default_value for argument in schema} | given | node.kwargs


def operation(node: object) -> object:
    """The operation that a node calls, whichever of its overloads; None for other nodes."""
    return getattr(node.target, "overloadpacket", None) if isinstance(node, Node) else None


def path(node: Node) -> str:
    """The module whose call a node comes from; its own name where that is the model itself."""
    stack = list(node.meta.get("nn_module_stack", {}).values())
    return (stack[-1][0].partition("@")[0] if stack else "") or node.name  # "bn@1": the second call of bn


def attribute(traced: GraphModule, target: str) -> Tensor:
    """The parameter or buffer at a path."""
    owner, _, name = target.rpartition(".")
    tensor = getattr(traced.get_submodule(owner), name)
    assert isinstance(tensor, Tensor)
    return tensor


def _double(value: Any) -> Any:
    return value.double() if isinstance(value, Tensor) and value.is_floating_point() else value
