"""From a model to a graph of its operations, by torch.fx: the model runs once on stand-ins that note what is done.

What Python does is done once, while tracing: a loop is unrolled, `if self.training` is decided. Where Python would have
to look at a tensor's numbers or sizes to go on, there is no graph, and `TracingError` names the line.

Modules of torch.nn are not opened (a rule knows what they compute); nor are blocks of ours that have no parts, nor
modules with hooks, as a hook would run on stand-ins, once, and never again.

Source: J. Reed et al., torch.fx: Practical Program Capture and Transformation, arXiv 2112.08429.
"""

from __future__ import annotations

import inspect
import io
import math
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr
from typing import Any

import torch
from torch import fx, nn
from torch.fx.passes.shape_prop import ShapeProp
from torch.utils._pytree import tree_map

import kernels
from workbench.blocks import arguments, attention
from workbench.fusion.graph.effects import check_same, clean
from workbench.fusion.graph.sites import watched
from workbench.fusion.graph.trouble import TracingError, where
from workbench.fusion.rewrite import Refusal
from workbench.fusion.trial import fresh, unchanged

OWN = ("workbench.blocks.", "workbench.fusion.")  # where modules are that rules know, or put in
# what our blocks look at before they compute: noted as a call instead, and dropped as nobody reads its result
CHECKS = tuple(function for name, function in vars(arguments).items() if name.startswith("check_"))
# functions that may take sizes and no tensor, or a type, and so do not see that it is a stand-in
MAKERS = (
    torch.arange, torch.zeros, torch.ones, torch.full, torch.empty, torch.eye, torch.rand, torch.randn, torch.finfo,
)  # fmt: skip


class Tracer(fx.Tracer):
    """torch.fx's, with more modules left closed, and a stand-in for each given tensor only.

    An argument that is None, a number or a text, or that is left at its default, is taken as it is: a model may ask
    `if mask is not None`.
    """

    proxy_buffer_attributes = True  # else what is done to a buffer would be done while tracing

    def __init__(self, inputs: tuple[Any, ...] | None = None) -> None:
        super().__init__(autowrap_modules=(math, kernels), autowrap_functions=(*CHECKS, *MAKERS))  # type: ignore[arg-type]
        self._autowrap_search += [torch, attention]  # whose names stand for them
        self.inputs = inputs

    def is_leaf_module(self, module: nn.Module, path: str) -> bool:
        """Whether a module is called as it is, not opened."""
        elementary = type(module).__module__.startswith(OWN) and not any(True for _ in module.children())
        return bool(super().is_leaf_module(module, path) or elementary or watched(module, path))

    def create_args_for_root(
        self, root_fn: Callable[..., Any], is_module: bool, concrete_args: Any = None
    ) -> tuple[Callable[..., Any], list[Any]]:
        """The model's forward and what tracing calls it with: itself, then a stand-in for each input."""
        if self.inputs is None:  # as when a traced model is read from a file
            return super().create_args_for_root(root_fn, is_module, concrete_args)
        args: list[Any] = [self.root]
        for name, value in zip(_names(root_fn, len(self.inputs)), self.inputs, strict=True):
            stand_in = self.create_proxy("placeholder", name, (), {})
            fixed = value is None or isinstance(value, bool | int | float | str)
            args.append(value if fixed else stand_in)
            if fixed:
                self.create_proxy("call_function", check_same, (name, stand_in, value), {})
        return root_fn, args

    def to_bool(self, obj: fx.Proxy) -> bool:
        raise fx.proxy.TraceError(
            "which way to go depends on a tensor's numbers or size: there is no one graph"
        )

    def iter(self, obj: fx.Proxy) -> Iterator[Any]:
        raise fx.proxy.TraceError("how often to go round depends on a tensor's size: there is no one graph")


class Whole(nn.Module):
    """Around a model that is not to be opened: tracing always opens the outermost module."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.training = model.training

    def forward(self, *inputs: Any) -> Any:
        return self.model(*inputs)


def openable(model: nn.Module) -> nn.Module:
    """The model, or something around it, that tracing may open."""
    return Whole(model) if Tracer().is_leaf_module(model, "") else model


def trace(model: nn.Module, inputs: tuple[Any, ...]) -> fx.GraphModule:
    """The graph of `model`, which it takes over (give it a copy), with the shapes it has on these inputs.

    Each node's `meta["tensor_meta"]` has shape and dtype of its value. Raises TracingError.
    """
    tracer = Tracer(inputs)
    try:
        with unchanged(model):  # a buffer that forward replaces would be left a stand-in
            graph = tracer.trace(model)
    except Exception as error:  # whatever a model's own code makes of a stand-in
        raise TracingError(where(error)) from error
    for (
        node
    ) in graph.nodes:  # else the traced model's code would ask torch.fx to wrap functions of torch ever after
        node.meta.pop("is_wrapped", None)
    traced = fx.GraphModule(tracer.root, graph, type(model).__name__)
    clean(traced)
    for (
        node
    ) in traced.graph.nodes:  # a node that takes over this one's meta stands for it: a picture follows that
        node.meta["origin"] = node.name
    for path, module in traced.named_modules():  # train() would set the mode of all alike
        module.training = model.get_submodule(path).training
    try:
        with torch.no_grad(), unchanged(traced), redirect_stderr(io.StringIO()):  # which prints its errors
            ShapeProp(traced).propagate(*tree_map(fresh, inputs))
    except Exception as error:
        raise TracingError(f"the graph does not run as the model does: {where(error)}") from error
    return traced


def closed(traced: fx.GraphModule) -> Iterator[Refusal]:
    """The modules that were not opened only because somebody watches them."""
    for node in traced.graph.find_nodes(op="call_module"):
        module, path = traced.get_submodule(str(node.target)), str(node.target)
        opened_else = any(True for _ in module.children()) and not fx.Tracer().is_leaf_module(module, path)
        if opened_else and (reason := watched(module, path)):
            yield Refusal("look inside", path, reason)


def _names(forward: Callable[..., Any], count: int) -> list[str]:
    """The names of a method's first arguments after `self`; those of *inputs are numbered."""
    names: list[str] = []
    for name, parameter in list(inspect.signature(forward).parameters.items())[1:]:
        if parameter.kind is parameter.VAR_POSITIONAL:
            names += [f"{name}_{place}" for place in range(count - len(names))]
        elif parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            names.append(name)
    return names[:count]
