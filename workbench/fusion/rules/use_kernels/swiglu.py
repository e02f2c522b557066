"""Where one tensor passes through SiLU and then multiplies another, both happen in one pass: `kernels.swiglu`.

    silu(gate) · up,  silu(z) = z σ(z)

Exact: the same two factors. silu(gate) is no longer written and read, so that 3n numbers move in place of 5n; written
out as z · σ(z), 8n. It does not pay where gate and up are parts of one tensor, as a merged pair of layers gives them:
the kernel would copy both first. So this rule comes before `merge_parallel`, which leaves such pairs alone.

Source: N. Shazeer, GLU Variants Improve Transformer, arXiv 2002.05202, equation 6.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from functools import partial

import torch
from torch.fx import GraphModule, Node

import kernels
from workbench.fusion.graph.effects import writes
from workbench.fusion.graph.sites import only_user
from workbench.fusion.graph.spellings import (
    MULTIPLY,
    SIGMOID,
    SILU,
    Spelling,
    either_way,
    input_of,
    name_of,
    watchers,
)
from workbench.fusion.rewrite import Refusal, Rewrite, Site
from workbench.fusion.rules.use_kernels.calls import call, objection, put_in_place

WHAT = "kernels.swiglu"
WHY = "SiLU and the product in one pass: silu(gate) is not written and read"
CUT = Spelling((torch.split, torch.chunk, torch.tensor_split), ("split", "chunk", "tensor_split"))


def find(traced: GraphModule) -> Iterator[Site | Refusal]:
    """Each product of two tensors one of which is a SiLU."""
    for node in MULTIPLY.among(traced):
        for silu, up in either_way(node):
            gate = gate_of(traced, silu)
            if gate is None or not isinstance(up, Node):
                continue
            inside = [factor for factor in silu.all_input_nodes if factor is not gate]  # σ(gate), written out
            where = " + ".join(name_of(part) for part in (*inside, silu, node))
            if reason := _obstacle(traced, silu, node, gate, up):
                yield Refusal(WHAT, where, reason)
            else:
                yield Site(Rewrite(WHAT, where, WHY), partial(_apply, traced, node, gate, up))
            break


def gate_of(traced: GraphModule, node: Node) -> Node | None:
    """What a node takes the SiLU of, be it written out as z · σ(z); None for other nodes."""
    if SILU.fits(node, traced):
        gate = input_of(node)
        return gate if isinstance(gate, Node) else None
    if MULTIPLY.fits(node, traced):
        for gate, factor in either_way(node):
            if SIGMOID.fits(factor, traced) and input_of(factor) is gate and only_user(factor) is node:
                return gate if isinstance(gate, Node) and not watchers(traced, factor) else None
    return None


def _obstacle(traced: GraphModule, silu: Node, product: Node, gate: Node, up: Node) -> str:
    if only_user(silu) is not product:
        return f"what {name_of(silu)} gives is also used elsewhere"
    if writes(traced, silu):
        return f"{name_of(silu)} writes over its input (inplace=True)"
    for node in (gate, up):
        if node.target is operator.getitem and CUT.fits(input_of(node), traced):
            return f"{name_of(node)} is a part of a larger tensor, with gaps: the kernel would copy it first"
    return watchers(traced, silu) or objection(kernels.swiglu, gate, up)


def _apply(traced: GraphModule, product: Node, gate: Node, up: Node) -> None:
    with traced.graph.inserting_before(product):
        fused = call(traced, kernels.swiglu, gate, up, like=product)
    put_in_place(traced, fused, product)
