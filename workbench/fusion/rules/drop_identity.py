"""What gives back what it got is left out: `nn.Identity` always, dropout in evaluation mode.

Dropout multiplies by a random mask in training only (Srivastava et al., JMLR 15, 2014); in evaluation it, and all its
kinds, return their input. So does dropout with p = 0, in training, too. No bytes are saved, as nothing was computed;
a call is, and the operations before and after become neighbors, which other rules look for.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from functools import partial

from torch import nn
from torch.fx import GraphModule, Node
from torch.nn import functional
from torch.nn.modules.dropout import _DropoutNd

from workbench.fusion.graph.sites import module_of, replace, watched
from workbench.fusion.rewrite import Refusal, Rewrite, Site

FUNCTIONS = (
    functional.dropout,
    functional.dropout1d,
    functional.dropout2d,
    functional.dropout3d,
    functional.alpha_dropout,
    functional.feature_alpha_dropout,
)
WHY = "in evaluation mode it returns its input"


def find(traced: GraphModule) -> Iterator[Site | Refusal]:
    """Each identity and each dropout."""
    for node in traced.graph.nodes:
        module, source = module_of(traced, node), _source(node)
        if source is None:
            continue
        if isinstance(module, nn.Identity):
            what, where, reason = "drop identity", str(node.target), watched(module, str(node.target))
        elif isinstance(module, _DropoutNd):
            what, where = "drop dropout", str(node.target)
            reason = watched(module, where) or _at_random(module.p, module.training)
        elif node.target in FUNCTIONS:
            what, where = "drop dropout", node.name
            called = inspect.signature(node.target).bind(*node.args, **node.kwargs)
            called.apply_defaults()
            reason = _at_random(called.arguments["p"], called.arguments["training"])
        else:
            continue
        if reason:
            yield Refusal(what, where, reason)
        else:
            why = WHY if what == "drop dropout" else "it returns its input"
            yield Site(Rewrite(what, where, why), partial(replace, traced, node, source))


def _source(node: Node) -> Node | None:
    """What a node is given first, by position or by name."""
    given = node.args[0] if node.args else node.kwargs.get("input")
    return given if isinstance(given, Node) else None


def _at_random(p: float, training: object) -> str:
    if p == 0 or training is False:
        return ""
    return "in training mode it sets numbers to zero at random"
