"""A multiplication or addition of constants after a convolution or linear layer goes into the layer's weights.

    s·y, y·s, y/s        scale of each channel                y = W∗x + b:   (s·W)∗x + s·b
    y + t, y − t, t − y  shift of each channel (and sign)                    W∗x + (b + t)

s and t may be a number, or a parameter or buffer that has one number for all channels or one for each: along the axis
of the channels, and nowhere else. The arithmetic is that of `workbench/fusion/absorb.py`. Saved: one read and one write
of the layer's whole result.

Exact in evaluation. In training it would be another model: with s·W one tensor, no step changes s and W apart; so it is
refused there, and who trains a model that was fused before trains the product.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.fx import GraphModule, Node

from workbench.fusion.absorb import CHANNEL_AXIS, Layer, absorb, output_channels
from workbench.fusion.graph.constants import constant
from workbench.fusion.graph.sites import dtype_of, module_of, obstacle, only_user, replace, shape_of
from workbench.fusion.graph.spellings import ADD, DIVIDE, MULTIPLY, Spelling, operands
from workbench.fusion.rewrite import Refusal, Rewrite, Site

SUBTRACT = Spelling((operator.sub, torch.sub, torch.subtract), ("sub", "subtract"))

# from the constant, (channels,), to scale and shift
Arithmetic = Callable[[Tensor], tuple[Tensor, Tensor | None]]
FORMS: tuple[tuple[Spelling, str, Arithmetic, Arithmetic | None], ...] = (
    # the operation, what it does, with the layer's result first, with the constant first
    (MULTIPLY, "scale", lambda s: (s, None), lambda s: (s, None)),
    (DIVIDE, "scale", lambda s: (1 / s, None), None),  # s / y is not linear in y
    (ADD, "shift", lambda t: (torch.ones_like(t), t), lambda t: (torch.ones_like(t), t)),
    (SUBTRACT, "shift", lambda t: (torch.ones_like(t), -t), lambda t: (-torch.ones_like(t), t)),
)


@dataclass(frozen=True)
class Affine:
    """A node that computes with a layer's result and a constant."""

    node: Node
    layer: Node
    constant: Tensor
    arithmetic: Arithmetic


def find(traced: GraphModule) -> Iterator[Site | Refusal]:
    """Each operation of a layer's result with a constant."""
    for spelling, verb, result_first, constant_first in FORMS:
        for node in spelling.among(traced):
            found = _affine(traced, node, result_first, constant_first)
            if found is None:
                continue
            what, where = f"fold {verb}", f"{found.layer.target} + {node.name}"
            if reason := _objection(traced, found):
                yield Refusal(what, where, reason)
            else:
                why = f"a {verb} of each channel goes into the weights; one read and one write less"
                yield Site(Rewrite(what, where, why), partial(_apply, traced, found))


def _affine(
    traced: GraphModule, node: Node, result_first: Arithmetic, constant_first: Arithmetic | None
) -> Affine | None:
    """The layer and the constant that a node takes, in either order; None if it takes others."""
    one, other = operands(node) or (None, None)
    for layer, value, arithmetic in ((one, other, result_first), (other, one, constant_first)):
        if arithmetic and isinstance(layer, Node) and isinstance(module_of(traced, layer), Layer):
            held = constant(traced, value)
            if held is not None:
                return Affine(node, layer, held, arithmetic)
    return None


def _objection(traced: GraphModule, found: Affine) -> str:
    """Why the constant must stay outside; "" if nothing is in the way."""
    node, layer = found.node, found.layer
    if only_user(layer) is not node:
        return f"what {layer.target} gives is also used elsewhere, as it is"
    if reason := obstacle(traced, layer):
        return reason
    module = _layer(traced, found)
    if module.training:
        return "in training mode: with the constant in its weights the layer would learn otherwise"
    if shape_of(node) != shape_of(layer) or dtype_of(node) != dtype_of(layer):
        return "the result has another shape or type than the layer's"
    channels = per_channel(found.constant, CHANNEL_AXIS[type(module)], output_channels(module))
    if channels is None:
        return f"a constant of shape {tuple(found.constant.shape)} is not one number for each output channel"
    if channels.device != module.weight.device and found.constant.dim():
        return f"the constant is on {channels.device}, the layer on {module.weight.device}"
    scale, shift = found.arithmetic(channels)
    if not scale.isfinite().all() or (shift is not None and not shift.isfinite().all()):
        return "the scale or the shift is not finite"
    return ""


def per_channel(value: Tensor, axis: int, channels: int) -> Tensor | None:
    """A constant as (channels,), `axis` being theirs counted from the last; None if it differs along another axis."""
    shape = list(value.shape)
    if len(shape) >= -axis:
        if shape[axis] not in (1, channels):
            return None
        shape[axis] = 1
    return value.reshape(-1).expand(channels) if all(size == 1 for size in shape) else None


def _layer(traced: GraphModule, found: Affine) -> Layer:
    module = module_of(traced, found.layer)
    assert isinstance(module, Layer)
    return module


def _apply(traced: GraphModule, found: Affine) -> None:
    module = _layer(traced, found)
    channels = per_channel(found.constant, CHANNEL_AXIS[type(module)], output_channels(module))
    assert channels is not None
    folded = absorb(module, *found.arithmetic(channels.to(module.weight.device)))
    traced.set_submodule(str(found.layer.target), folded)
    replace(traced, found.node, found.layer)
