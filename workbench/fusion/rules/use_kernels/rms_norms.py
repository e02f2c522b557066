"""Root-mean-square normalization in a graph, be it a module, a function or written out:

    y = w x / √(mean(x²) + ε)        x · torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps) * w

Written out, ε and the way to x² are to be found among the operations; w is there if one multiplication follows.

Source: B. Zhang, R. Sennrich, Root Mean Square Layer Normalization, arXiv 1910.07467, equation 4.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.fx import GraphModule, Node

from workbench import blocks
from workbench.fusion.graph.sites import module_of, only_user, shape_of
from workbench.fusion.graph.spellings import (
    ADD,
    DIVIDE,
    MEAN,
    MULTIPLY,
    POWER,
    RECIPROCAL_ROOT,
    RMS_NORM,
    SQUARE,
    SQUARE_ROOT,
    either_way,
    input_of,
    operands,
    options,
)
from workbench.fusion.rules.use_kernels.calls import read_weight, weight_of


@dataclass(frozen=True)
class Found:
    """A normalization: the node with its result, the node that it normalizes, its weight and ε."""

    node: Node
    x: Node
    weight: Node | Tensor | None  # a node that reads it, or the weight of the module that `node` calls
    eps: float | None  # None: that of the type, as PyTorch has it
    one_pass: bool  # whether PyTorch has an operation of its own for this spelling

    def weight_in(self, traced: GraphModule) -> Node | None:
        """A new node that reads the weight, where the graph is being written; None if there is none."""
        if isinstance(self.weight, Node):
            return traced.graph.get_attr(str(self.weight.target))
        return read_weight(traced, self.node, "weight")


def rms_norms(traced: GraphModule) -> Iterator[Found]:
    """All of them over the last axis, from first to last."""
    for node in list(traced.graph.nodes):
        found = _called(traced, node) if RMS_NORM.fits(node, traced) else _written_out(traced, node)
        if found is not None:
            yield found


def _called(traced: GraphModule, node: Node) -> Found | None:
    module = module_of(traced, node)
    given = options(node, "input", "normalized_shape", "weight", "eps")
    x = input_of(node)
    if not isinstance(x, Node):
        return None
    if module is None:
        axes, weight, eps = given["normalized_shape"], given.get("weight"), given.get("eps")
        if isinstance(weight, Node) and weight.op != "get_attr":
            return None
    else:
        axes = getattr(module, "normalized_shape", (None,))
        weight, eps = weight_of(traced, node, "weight"), module.eps
    return Found(node, x, weight, eps, not isinstance(module, blocks.RMSNorm)) if len(axes) == 1 else None


def _written_out(traced: GraphModule, root: Node) -> Found | None:
    """The normalization whose root is this node, be it 1/√… or √…; None if the node is no such thing."""
    normed = only_user(root)
    if normed is None:
        return None
    if RECIPROCAL_ROOT.fits(root, traced) and MULTIPLY.fits(normed, traced):
        numerators = [x for x, factor in either_way(normed) if factor is root]
    elif SQUARE_ROOT.fits(root, traced) and DIVIDE.fits(normed, traced):
        pair = operands(normed)
        numerators = [pair[0]] if pair and pair[1] is root else []
    else:
        return None
    for x in numerators:
        eps = _eps_of(traced, input_of(root), x)
        if eps is not None:
            return _with_weight(traced, Found(normed, x, None, eps, one_pass=False))
    return None


def _eps_of(traced: GraphModule, sum_: Any, x: Any) -> float | None:
    """ε, if a node is mean(x²) + ε over the last axis and nobody else reads what leads there."""
    if not ADD.fits(sum_, traced) or only_user(sum_) is None:
        return None
    for mean, eps in either_way(sum_):
        if not isinstance(eps, float) or not MEAN.fits(mean, traced) or only_user(mean) is None:
            continue
        given = options(mean, "input", "dim", "keepdim")
        square = input_of(mean)
        last = given.get("dim") in (-1, [-1], (-1,)) and given.get("keepdim") is True and "dtype" not in given
        if last and _is_square(traced, square, x) and only_user(square) is not None:
            return eps
    return None


def _is_square(traced: GraphModule, node: Any, x: Any) -> bool:
    if not isinstance(node, Node) or not isinstance(x, Node) or input_of(node) is not x:
        return False
    if SQUARE.fits(node, traced):
        return True
    pair = operands(node)
    if POWER.fits(node, traced):
        return pair is not None and pair[1] == 2
    return MULTIPLY.fits(node, traced) and pair is not None and pair[1] is x


def _with_weight(traced: GraphModule, bare: Found) -> Found:
    """The same with its weight, if the next operation multiplies by one number for each column."""
    after, width = only_user(bare.node), (shape_of(bare.x) or ())[-1:]
    if after is None or not MULTIPLY.fits(after, traced):
        return bare
    for normed, weight in either_way(after):
        parameter = isinstance(weight, Node) and weight.op == "get_attr"
        if normed is bare.node and parameter and shape_of(weight) == width:
            return Found(after, bare.x, weight, bare.eps, one_pass=False)
    return bare
