"""Random fabrics: every valid one checks and runs as checked, every broken one is refused at its bad edge."""

from __future__ import annotations

import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from workbench.blocks.merge import Add, Concat
from workbench.fabric import EdgeError, Fabric

KINDS = ("linear", "relu", "norm", "add", "concat", "halves", "nested")
WIDTHS = st.sampled_from([2, 4, 6, 8])


class Halves(nn.Module):
    """The last axis in two halves."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.contract = f"... {width} -> left = ... {width // 2}, right = ... {width // 2}"

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        left, right = x.chunk(2, dim=-1)
        return left, right


@st.composite
def graphs(draw, broken: bool = False):
    """A fabric over (batch, time, width), and the name of the node whose input does not fit ("" when all do)."""
    widths = {"x": draw(WIDTHS)}  # of every source so far
    nodes: dict[str, tuple] = {}
    count = draw(st.integers(1, 7))
    bad = draw(st.integers(0, count - 1)) if broken else None
    for number in range(count):
        source = draw(st.sampled_from(sorted(widths)))
        width, name = widths[source], f"node{number}"
        wrong = number == bad
        kind = draw(st.sampled_from(("linear", "norm", "add", "nested") if wrong else KINDS))
        takes = width + 1 if wrong else width
        if kind == "add":
            other = draw(st.sampled_from([s for s in sorted(widths) if widths[s] == width]))
            if wrong:
                nodes["narrow"] = (source, nn.Linear(width, takes))
                other = "narrow"
            nodes[name] = (source, other, Add())
        elif kind == "concat":
            other = draw(st.sampled_from(sorted(widths)))
            nodes[name], width = (source, other, Concat()), width + widths[other]
        elif kind == "linear":
            nodes[name], width = (source, nn.Linear(takes, after := draw(WIDTHS))), after
        elif kind == "norm":
            nodes[name] = (source, nn.LayerNorm(takes))
        elif kind == "nested":
            inner = Fabric(f"batch time {takes} -> batch time 4", scale=nn.ReLU(), head=nn.Linear(takes, 4))
            nodes[name], width = (source, inner), 4
        elif kind == "halves" and width % 2 == 0:
            nodes[name] = (source, Halves(width))
            widths[f"{name}.right"] = width = width // 2
        else:
            nodes[name] = (source, nn.ReLU())
        widths[name] = width
    # everything that nobody reads is given back, so that no node is left over
    read = {source.partition(".")[0] for given in nodes.values() for source in given[:-1]}
    returns = [name for name in nodes if name not in read]
    promised = ", ".join(f"y{i} = batch time {widths[name]}" for i, name in enumerate(returns))
    fabric = Fabric(f"batch time {widths['x']} -> {promised}", returns=returns, **nodes)
    return fabric, "" if bad is None else f"node{bad}"


@settings(deadline=None)
@given(graphs(), st.integers(1, 4), st.integers(1, 4))
def test_every_valid_graph_checks_and_runs_as_checked(graph, batch, time):
    fabric, _ = graph
    x = torch.randn(batch, time, fabric.contract.inputs[0].axes[2].size({}))
    checked = fabric.check(x)
    assert len(fabric.check().edges) == len(checked.edges)
    shapes = {}
    for name, node in fabric.nodes.items():
        node.part.register_forward_pre_hook(
            lambda part, inputs, name=name: shapes.update({name: [tuple(i.shape) for i in inputs]})
        )
    results = fabric(x)
    results = results if isinstance(results, tuple) else (results,)
    for name, seen in shapes.items():
        assert [edge.shape for edge in checked.edges if edge.target == name] == seen
    promised = [edge.shape for edge in checked.edges if edge.target == "output"]
    assert promised == [tuple(result.shape) for result in results]


@settings(deadline=None)
@given(graphs(broken=True))
def test_every_broken_graph_is_refused_with_the_right_edge(graph):
    fabric, bad = graph
    with pytest.raises(EdgeError) as caught:
        fabric.check()
    edge = caught.value.edge
    assert edge.target == bad
    assert f"edge {edge.source} -> {bad}." in str(caught.value)
    # both sides' shapes: what is there with its numbers, and what is taken
    width = edge.shape[-1]
    assert f"{width}) float32, {bad} takes" in str(caught.value)
    assert re.search(rf": .*\b{width}\)?, not ", str(caught.value))
