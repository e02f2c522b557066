"""A rule that never applies: dropout and the addition of a residual, which `kernels.dropout_add` does in one pass.

    y = dropout(x) + residual

Both drop each number with the same probability. But torch takes random numbers from a state that every draw moves on,
the kernel from a counter and a seed (Philox; J. Salmon et al., SC 2011), so that other numbers would drop out. That
is as good for training, but it is not the same result, and so it is a decision for who writes the model. In evaluation
mode there is no dropout, and `drop_identity` has removed it.
"""

from __future__ import annotations

from collections.abc import Iterator

from torch.fx import GraphModule, Node

from workbench.fusion.graph.sites import module_of
from workbench.fusion.graph.spellings import ADD, DROPOUT, name_of, options
from workbench.fusion.rewrite import Refusal, Site

WHAT = "kernels.dropout_add"
WHY = (
    "it would drop other numbers: torch draws them from a state, the kernel from a counter and a seed; "
    "as good for training, but not the same"
)


def find(traced: GraphModule) -> Iterator[Site | Refusal]:
    """Each dropout whose result is added to something."""
    for node in ADD.among(traced):
        for term in node.all_input_nodes:
            if DROPOUT.fits(term, traced) and _draws(traced, term):
                yield Refusal(WHAT, f"{name_of(term)} + {name_of(node)}", WHY)
                break


def _draws(traced: GraphModule, node: Node) -> bool:
    """Whether a dropout draws numbers at all."""
    module = module_of(traced, node)
    return bool(
        options(node, "input", "p", "training").get("training", True) if module is None else module.training
    )
