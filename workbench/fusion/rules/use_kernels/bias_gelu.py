"""Where a linear layer with a bias is followed by GELU, the bias is added inside it: `kernels.bias_gelu`.

    GELU(Wx + b)  =  bias_gelu(Wx, b)

Exact: the same sum, the same formula (`approximate` is taken over). Where the addition is an operation of its own, as
in `workbench.blocks.Linear`, its result is no longer written and read, 2n numbers; `workbench.blocks.GELU` writes
several more. PyTorch's `nn.Linear` adds the bias inside the product already, and its `nn.GELU` is one pass: nothing is
saved then, and the two are as fast as before.

Source: D. Hendrycks, K. Gimpel, arXiv 1606.08415, section 2; the pattern, D. Narayanan et al., arXiv 2104.04473,
section 4.2.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from torch.fx import GraphModule, Node
from torch.nn import functional

import kernels
from workbench.fusion.graph.sites import module_of, only_user
from workbench.fusion.graph.spellings import GELU, LINEAR, input_of, name_of, options, watchers
from workbench.fusion.rewrite import Refusal, Rewrite, Site
from workbench.fusion.rules.use_kernels.calls import call, objection, put_in_place, read_weight, weight_of

WHAT = "kernels.bias_gelu"
WHY = "the bias is added where GELU reads the product: one pass over it"


def find(traced: GraphModule) -> Iterator[Site | Refusal]:
    """Each GELU that reads a linear layer's result."""
    for node in GELU.among(traced):
        linear = input_of(node)
        if not isinstance(linear, Node) or not LINEAR.fits(linear, traced):
            continue
        where, approximate = f"{linear.target} + {name_of(node)}", _formula(traced, node)
        if reason := _obstacle(traced, linear, node, approximate):
            yield Refusal(WHAT, where, reason)
        else:
            yield Site(Rewrite(WHAT, where, WHY), partial(_apply, traced, linear, node, approximate))


def _formula(traced: GraphModule, node: Node) -> str:
    module = module_of(traced, node)
    return str(options(node).get("approximate", "none") if module is None else module.approximate)


def _obstacle(traced: GraphModule, linear: Node, node: Node, approximate: str) -> str:
    if only_user(linear) is not node:
        return f"what {linear.target} gives is also used elsewhere, before GELU"
    bias = weight_of(traced, linear, "bias")
    if bias is None:
        return f"{linear.target} has no bias to add"
    return watchers(traced, linear, node) or objection(kernels.bias_gelu, linear, bias, approximate)


def _apply(traced: GraphModule, linear: Node, node: Node, approximate: str) -> None:
    with traced.graph.inserting_before(linear):
        weight, bias = read_weight(traced, linear, "weight"), read_weight(traced, linear, "bias")
        product = call(traced, functional.linear, input_of(linear), weight, like=linear)
        fused = call(traced, kernels.bias_gelu, product, bias, approximate, like=node)
    put_in_place(traced, fused, node)
