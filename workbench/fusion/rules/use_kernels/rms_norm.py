"""Where root-mean-square normalization is written out, or is the readable block, it becomes `kernels.rms_norm`.

    w x / √(mean(x²) + ε)  =  rms_norm(x, w, ε)

Exact: the same formula. Square, mean, sum, root and two products move 7n numbers where one pass moves 2n.
`nn.RMSNorm` and `F.rms_norm` stay as they are: whether they are one pass is PyTorch's business.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from torch.fx import GraphModule

import kernels
from workbench.fusion.graph.spellings import name_of, watchers
from workbench.fusion.rewrite import Refusal, Rewrite, Site
from workbench.fusion.rules.use_kernels.calls import call, objection, put_in_place
from workbench.fusion.rules.use_kernels.rms_norms import Found, rms_norms

WHAT = "kernels.rms_norm"
WHY = "written out it reads and writes its input several times; here it is one pass"


def find(traced: GraphModule) -> Iterator[Site | Refusal]:
    """Each normalization that takes more than one operation."""
    for found in rms_norms(traced):
        if found.one_pass:
            continue
        where = name_of(found.node)
        reason = watchers(traced, found.node)
        reason = reason or objection(kernels.rms_norm, found.x, found.weight, found.eps)
        if reason:
            yield Refusal(WHAT, where, reason)
        else:
            yield Site(Rewrite(WHAT, where, WHY), partial(_apply, traced, found))


def _apply(traced: GraphModule, found: Found) -> None:
    with traced.graph.inserting_before(found.node):
        weight = found.weight_in(traced)
        fused = call(traced, kernels.rms_norm, found.x, weight, found.eps, like=found.node)
    put_in_place(traced, fused, found.node)
