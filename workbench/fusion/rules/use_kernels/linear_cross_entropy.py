"""Where a model ends in a linear layer and its cross-entropy, the logits need not exist.

    cross_entropy(h Wᵀ + b, target)  =  linear_cross_entropy(h, W, target, b)

Exact: the loss of a row needs the largest of its logits and the sum of their exponentials, and both can be had a part
of the logits at a time (E. Wijmans et al., arXiv 2411.09009, section 4). The logits, rows × classes, are often the
largest tensor of a language model and are not written. Where classes are few nothing is gained. It applies only where
nothing but the loss reads them; class weights and targets that are probabilities are not for the kernel.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch.fx import GraphModule, Node

import kernels
from workbench.fusion.graph.sites import module_of, only_user, shape_of
from workbench.fusion.graph.spellings import CROSS_ENTROPY, LINEAR, Spelling, input_of, options, watchers
from workbench.fusion.rewrite import Refusal, Rewrite, Site
from workbench.fusion.rules.use_kernels.calls import (
    call,
    imagined,
    objection,
    put_in_place,
    read_weight,
    weight_of,
)

WHAT = "kernels.linear_cross_entropy"
WHY = "the logits, rows × classes, are never in memory as a whole"
RESHAPE = Spelling((torch.flatten, torch.reshape), ("flatten", "reshape", "view"))
OPTIONS = {"ignore_index": -100, "label_smoothing": 0.0, "reduction": "mean"}
ORDER = "input", "target", "weight", "size_average", "ignore_index", "reduce", "reduction", "label_smoothing"


def find(traced: GraphModule) -> Iterator[Site | Refusal]:
    """Each cross-entropy of a linear layer's result, whose rows may have been put one under the other between."""
    for loss in CROSS_ENTROPY.among(traced):
        given = _given(traced, loss)
        rows = given.get("input")
        linear = input_of(rows) if RESHAPE.fits(rows, traced) else rows
        if not isinstance(rows, Node) or not LINEAR.fits(linear, traced):
            continue
        if reason := _obstacle(traced, linear, rows, loss, given):
            yield Refusal(WHAT, f"{linear.target} + {loss.name}", reason)
        else:
            site = partial(_apply, traced, linear, loss, given)
            yield Site(Rewrite(WHAT, f"{linear.target} + {loss.name}", WHY), site)


def _given(traced: GraphModule, loss: Node) -> dict[str, Any]:
    """The arguments of a cross-entropy by name, be it a function or a module."""
    module, given = module_of(traced, loss), options(loss, *ORDER)
    if module is not None:
        given |= {name: getattr(module, name) for name in ("weight", *OPTIONS)}
    return OPTIONS | given


def _obstacle(traced: GraphModule, linear: Node, rows: Node, loss: Node, given: dict[str, Any]) -> str:
    readers = () if rows is linear else linear.users
    if only_user(rows) is not loss or not all(_serves(rows, reader) for reader in readers):
        return f"what {linear.target} gives is also used elsewhere: the logits have to be written"
    if given.get("weight") is not None:
        return "classes have weights, which the kernel does not know"
    if given.get("size_average") is not None or given.get("reduce") is not None:
        return "it is told how to reduce in the old way: use `reduction`"
    hidden, seen, written = imagined(input_of(linear)), shape_of(rows) or (), shape_of(linear) or ()
    if len(seen) != 2 or seen[-1:] != written[-1:]:
        return "the logits do not come as (rows, classes)"
    weight, bias = weight_of(traced, linear, "weight"), weight_of(traced, linear, "bias")
    hidden, rest = hidden.flatten(0, -2), [given[name] for name in OPTIONS]
    return watchers(traced, linear, loss) or objection(
        kernels.linear_cross_entropy, hidden, weight, given["target"], bias, *rest
    )


def _serves(rows: Node, node: Node) -> bool:
    """Whether a node is needed for these rows alone, such as a size in `logits.view(-1, logits.size(-1))`."""
    size = shape_of(node) is None and node.op != "output"
    return node is rows or (size and all(_serves(rows, user) for user in node.users))


def _apply(traced: GraphModule, linear: Node, loss: Node, given: dict[str, Any]) -> None:
    with traced.graph.inserting_before(loss):
        hidden = traced.graph.call_method("flatten", (input_of(linear), 0, -2))  # (rows, width)
        weight, bias = read_weight(traced, linear, "weight"), read_weight(traced, linear, "bias")
        given_on = given["target"], bias, *(given[name] for name in OPTIONS)
        fused = call(traced, kernels.linear_cross_entropy, hidden, weight, *given_on, like=loss)
    put_in_place(traced, fused, loss)
