"""Where one linear layer follows another directly, both become one, if that takes fewer operations.

    W₂(W₁x + b₁) + b₂  =  (W₂W₁)x + (W₂b₁ + b₂)

For `in` inputs, `mid` numbers between and `out` outputs, a row takes 2(in·mid + mid·out) FLOPs in two layers and
2·in·out in one. One is cheaper unless the middle is narrow, mid < in·out/(in + out): such a *bottleneck* is why one
writes a matrix as a product (low rank, LoRA, the projections of MobileNetV2), and it stays. Where the layers merge, the
numbers between them are neither written nor read, 2·mid a row, and W₂W₁ is smaller than W₁ and W₂ together.

Exact: matrices associate; the product is taken in float64 and rounded once. In evaluation mode only: two matrices learn
otherwise than their product does (A. M. Saxe et al., arXiv 1312.6120). The same holds of convolutions with windows of
one place, which are linear layers on the channels of each place.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from torch import Tensor, nn
from torch.fx import GraphModule, Node

from workbench.fusion.fused import CONVOLUTIONS, linear_map, product_of_layers
from workbench.fusion.graph.sites import module_of, obstacle, only_user
from workbench.fusion.graph.spellings import input_of
from workbench.fusion.rewrite import Refusal, Rewrite, Site

WHAT = "merge chained linear layers"
WHY = "two matrices are one, W₂W₁: {} FLOPs for each {} in place of {}, and nothing written between them"
BOTTLENECK = "a bottleneck: merging would raise the FLOPs of each {} from {} to {}"


def find(traced: GraphModule) -> Iterator[Site | Refusal]:
    """Each linear layer that reads another's result."""
    for node in traced.graph.nodes:
        before = input_of(node)
        first, second = module_of(traced, before), module_of(traced, node)
        if not isinstance(before, Node) or first is None or second is None or not _one_kind(first, second):
            continue
        inner, outer = linear_map(first), linear_map(second)
        if inner is None or outer is None:
            continue
        where, each = f"{before.target} + {node.target}", _each(first)
        apart, merged = 2 * (inner.numel() + outer.numel()), 2 * outer.shape[0] * inner.shape[1]
        if reason := _obstacle(traced, before, node, inner, outer):
            yield Refusal(WHAT, where, reason)
        elif merged >= apart:
            yield Refusal(WHAT, where, BOTTLENECK.format(each, f"{apart:,}", f"{merged:,}"))
        else:
            why = WHY.format(f"{merged:,}", each, f"{apart:,}")
            yield Site(Rewrite(WHAT, where, why), partial(_apply, traced, before, node, first, second))


def _each(layer: nn.Module) -> str:
    """What a layer applies its matrix to."""
    return "place" if isinstance(layer, CONVOLUTIONS) else "row"


def _one_kind(first: nn.Module, second: nn.Module) -> bool:
    """Whether both work along the same axis: convolutions on the channels, linear layers on the last one."""
    if isinstance(first, CONVOLUTIONS) or isinstance(second, CONVOLUTIONS):
        return type(first) is type(second)
    return True


def _obstacle(traced: GraphModule, first: Node, second: Node, inner: Tensor, outer: Tensor) -> str:
    if only_user(first) is not second:
        return f"what {first.target} gives is also used elsewhere"
    if inner.dtype != outer.dtype:
        return f"{first.target} is {inner.dtype}, {second.target} {outer.dtype}"
    for node in (first, second):
        module = module_of(traced, node)
        if module is not None and module.training:
            return f"{node.target} is in training mode: two matrices learn otherwise than their product"
    return obstacle(traced, first) or obstacle(traced, second)


def _apply(traced: GraphModule, before: Node, node: Node, first: nn.Module, second: nn.Module) -> None:
    traced.set_submodule(str(before.target), product_of_layers(second, first))
    before.meta = dict(node.meta)
    node.replace_all_uses_with(before)
    traced.graph.erase_node(node)
