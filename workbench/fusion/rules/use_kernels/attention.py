"""Where attention is written out, product, softmax, product, it becomes `kernels.attention`.

    softmax(s · q kᵀ) v  =  attention(q, k, v, scale=s)

Exact: the softmax is taken a tile at a time, with the sums corrected as larger scores come up (T. Dao, arXiv
2307.08691, section 3.1). The scores, time × time for each head, are never in memory as a whole: that, more than time,
is what it saves, and the more the longer the sequence. So nothing else may want to see them: no mask other than the
causal one, which this rule does not recognize, no dropout, nobody who reads the shares.
`F.scaled_dot_product_attention` is left alone, as it is one operation already.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch.fx import GraphModule, Node
from torch.nn import functional

import kernels
from workbench.fusion.graph.sites import module_of, only_user, shape_of
from workbench.fusion.graph.spellings import (
    ADD,
    DIVIDE,
    DROPOUT,
    MATMUL,
    MULTIPLY,
    SOFTMAX,
    Spelling,
    either_way,
    input_of,
    name_of,
    operands,
    options,
    watchers,
)
from workbench.fusion.rewrite import Refusal, Rewrite, Site
from workbench.fusion.rules.use_kernels.calls import call, imagined, objection, put_in_place

WHAT = "kernels.attention"
WHY = "the scores, time × time for each head, are never in memory as a whole"
TORCH = Spelling((functional.scaled_dot_product_attention,))
TRANSPOSE = Spelling((torch.transpose,), ("transpose",))
MASK = Spelling((torch.masked_fill, torch.where), ("masked_fill", "where"))


@dataclass(frozen=True)
class Scores:
    """How scores come about: the product of queries and (transposed) keys, and what it is multiplied by."""

    product: Node
    scale: Any = 1.0  # a number, or a node whose value is one
    inverse: bool = False  # whether it is divided by that node


def find(traced: GraphModule) -> Iterator[Site | Refusal]:
    """Each softmax between two products."""
    for node in TORCH.among(traced):
        yield Refusal(WHAT, node.name, "torch has fused it already: this is one operation")
    for softmax in SOFTMAX.among(traced):
        before, reader = input_of(softmax), only_user(softmax)
        scores = _scores(traced, before)
        if scores is None:
            if _masked(traced, before):
                reason = "a mask stands between scores and softmax, and the kernel knows only the causal one"
                yield Refusal(WHAT, name_of(softmax), reason)
            continue
        if not any(MATMUL.fits(user, traced) or DROPOUT.fits(user, traced) for user in softmax.users):
            continue  # no attention: shares that nothing is weighted by
        if reason := _obstacle(traced, softmax, reader, scores):
            yield Refusal(WHAT, name_of(softmax), reason)
        elif reader is not None:
            where = f"{scores.product.name} + {name_of(softmax)} + {reader.name}"
            yield Site(Rewrite(WHAT, where, WHY), partial(_apply, traced, reader, scores))


def _scores(traced: GraphModule, node: Any) -> Scores | None:
    """The product behind scores, with its scale; None if they are something else."""
    if MATMUL.fits(node, traced):
        return Scores(node) if operands(node) else None
    if MULTIPLY.fits(node, traced):
        pairs, inverse = either_way(node), False
    elif DIVIDE.fits(node, traced) and (pair := operands(node)):
        pairs, inverse = (pair,), True
    else:
        return None
    for product, scale in pairs:
        if MATMUL.fits(product, traced) and operands(product):
            if isinstance(scale, Node) and scale.meta.get("type") in (int, float):
                return Scores(product, scale, inverse)
            if isinstance(scale, int | float) and not (inverse and scale == 0):
                return Scores(product, 1 / scale if inverse else scale)
    return None


def _masked(traced: GraphModule, node: Any) -> bool:
    masks = ADD.fits(node, traced) or MASK.fits(node, traced)
    return masks and any(_scores(traced, before) is not None for before in node.all_input_nodes)


def _obstacle(traced: GraphModule, softmax: Node, reader: Node | None, scores: Scores) -> str:
    module, given = module_of(traced, softmax), options(softmax, "input", "dim")
    axis, rank = given.get("dim") if module is None else module.dim, len(shape_of(softmax) or ())
    if axis not in (-1, rank - 1) or given.get("dtype") is not None:
        return "the softmax is not over the last axis in the type of the scores"
    if reader is None:
        return "the shares are also used elsewhere, and the kernel never has all of them"
    if not MATMUL.fits(reader, traced):
        return "dropout stands between shares and values: the kernel has none"
    pair = operands(reader)
    if pair is None or pair[0] is not softmax or pair[1] is softmax:
        return "the shares are not what is multiplied by the values, from the left"
    if only_user(input_of(softmax)) is not softmax or len(scores.product.users) > 1:
        return "the scores are also used elsewhere, and the kernel never has all of them"
    return watchers(traced, softmax) or _unfit(scores, reader)


def _unfit(scores: Scores, reader: Node) -> str:
    """What the kernel says against these shapes and types."""
    tensors = [imagined(node) for node in (*scores.product.args, reader.args[1])]
    ranks = {0 if tensor is None else tensor.dim() for tensor in tensors}
    if ranks not in ({3}, {4}):
        return "queries, keys and values have to be (batch, heads, time, width), or all without heads"
    q, keys, v = (tensor.unsqueeze(1) for tensor in tensors) if ranks == {3} else tensors
    scale = 1.0 if isinstance(scores.scale, Node) else scores.scale
    return objection(kernels.attention, q, keys.mT, v, scale=scale)


def _apply(traced: GraphModule, reader: Node, scores: Scores) -> None:
    graph, single = traced.graph, len(shape_of(reader) or ()) == 3
    with graph.inserting_before(reader):
        q, keys = scores.product.args
        three = [q, _transposed(traced, keys), reader.args[1]]
        if single:  # (batch, time, width): one head, as the kernel wants to have it said
            three = [graph.call_method("unsqueeze", (tensor, 1)) for tensor in three]
        scale = scores.scale
        if scores.inverse:
            scale = call(traced, operator.truediv, 1.0, scale)
        fused = call(traced, kernels.attention, *three, False, scale)
        if single:
            fused = graph.call_method("squeeze", (fused, 1))
        fused.meta = dict(reader.meta)
    put_in_place(traced, fused, reader)


def _transposed(traced: GraphModule, keys: Any) -> Node:
    """The keys as they were before their last two axes were swapped, or swapped back: a view, free."""
    if TRANSPOSE.fits(keys, traced) and set(keys.args[1:]) == {-2, -1} and isinstance(input_of(keys), Node):
        return input_of(keys)
    return traced.graph.call_method("transpose", (keys, -2, -1))
