"""Where a sum is normalized by its root mean square, both happen in one pass: `kernels.add_rms_norm`.

    s = x + y,  w s / √(mean(s²) + ε)  =  add_rms_norm(x, y, w, ε)

In a transformer every normalization but the first follows the addition of a residual, whose result lives on: the kernel
gives both. Exact: the norm's own ε is taken over, and where it has none that of the type. Unfused the addition moves 3n
numbers and the normalization at least 2n, fused they move 4n; of a half type, the sum is normalized before it is
rounded, not after. The sum has to be of equal shapes: the kernel repeats no rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from operator import getitem

from torch.fx import GraphModule, Node

import kernels
from workbench.fusion.graph.spellings import ADD, name_of, operands, watchers
from workbench.fusion.rewrite import Refusal, Rewrite, Site
from workbench.fusion.rules.use_kernels.calls import call, objection, put_in_place
from workbench.fusion.rules.use_kernels.rms_norms import Found, rms_norms

WHAT = "kernels.add_rms_norm"
WHY = "the sum is normalized while it is at hand; it stays available"


def find(traced: GraphModule) -> Iterator[Site | Refusal]:
    """Each root-mean-square normalization of a sum of two tensors."""
    for found in rms_norms(traced):
        pair = operands(found.x) if ADD.fits(found.x, traced) else None
        if pair is None or not all(isinstance(operand, Node) for operand in pair):
            continue
        where = f"{name_of(found.x)} + {name_of(found.node)}"
        reason = watchers(traced, found.x, found.node)
        reason = reason or objection(kernels.add_rms_norm, *pair, found.weight, found.eps)
        if reason:
            yield Refusal(WHAT, where, reason)
        else:
            yield Site(Rewrite(WHAT, where, WHY), partial(_apply, traced, found, *pair))


def _apply(traced: GraphModule, found: Found, x: Node, residual: Node) -> None:
    with traced.graph.inserting_before(found.x):
        weight = found.weight_in(traced)
        both = call(traced, kernels.add_rms_norm, x, residual, weight, found.eps)
        normed = call(traced, getitem, both, 0, like=found.node)
        summed = call(traced, getitem, both, 1, like=found.x)
    put_in_place(traced, summed, found.x)
    put_in_place(traced, normed, found.node)
