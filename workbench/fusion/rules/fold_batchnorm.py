"""Where a batch normalization follows a convolution or linear layer directly, both become one layer.

The mathematics is in `workbench/fusion/fold_batchnorm.py`. What is to be found out here is whether the two belong
together: the layer's result must go to the normalization and nowhere else, the layer must have no other call, the
channels that it gives must be those that are normalized, and both must be as they seem.

Saved: one read and one write of the layer's whole result, and the call. The normalization itself may be used elsewhere,
too: it is only read.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from torch import nn
from torch.fx import GraphModule, Node

from workbench import blocks
from workbench.fusion.absorb import CHANNEL_AXIS
from workbench.fusion.fold_batchnorm import PARTNERS, fold_batchnorm, reject
from workbench.fusion.graph.sites import input_of, module_of, obstacle, only_user, replace, shape_of, watched
from workbench.fusion.rewrite import Refusal, Rewrite, Site

# what a reader takes for them: a parametrized layer is of a class of its own, and refused with that reason
LAYERS = tuple(PARTNERS)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm, blocks.BatchNorm)
WHAT = "fold BatchNorm"
WHY = "a scale and a shift of each channel go into the weights; one read and one write less"


def find(traced: GraphModule) -> Iterator[Site | Refusal]:
    """Each batch normalization that follows a layer."""
    for node in traced.graph.nodes:
        before = input_of(node)
        if before is None or not isinstance(module_of(traced, node), NORMS):
            continue
        if isinstance(module_of(traced, before), LAYERS):
            where = f"{before.target} + {node.target}"
            if reason := _objection(traced, before, node):
                yield Refusal(WHAT, where, reason)
            else:
                yield Site(Rewrite(WHAT, where, WHY), partial(_apply, traced, before, node))


def _objection(traced: GraphModule, before: Node, node: Node) -> str:
    """Why the two must stay apart; "" if nothing is in the way."""
    layer, norm = module_of(traced, before), module_of(traced, node)
    if only_user(before) is not node:
        return f"what {before.target} gives is also used elsewhere, before normalization"
    if reason := obstacle(traced, before) or watched(norm, str(node.target)):  # type: ignore[arg-type]
        return reason
    try:
        reject(layer, norm)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        return str(error)
    shape = shape_of(before)
    if shape is None or len(shape) + CHANNEL_AXIS[type(layer)] != 1:  # type: ignore[index]
        given = "unknown shape" if shape is None else f"shape {tuple(shape)}"
        return f"axis 1 is normalized, but in a result of {given} the channels of {before.target} are another axis"
    return ""


def _apply(traced: GraphModule, before: Node, node: Node) -> None:
    folded = fold_batchnorm(module_of(traced, before), module_of(traced, node))  # type: ignore[arg-type]
    traced.set_submodule(str(before.target), folded)
    replace(traced, node, before)
