"""A traced model is what the model does; where it cannot be traced, the line is named."""

import os
import subprocess
import sys

import pytest
import torch
from torch import nn

import kernels
from workbench import blocks
from workbench.fusion import TracingError
from workbench.fusion.graph.sites import dtype_of, module_of, shape_of
from workbench.fusion.graph.tracing import trace
from workbench.fusion.graph.trouble import where

X = torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(0))


class Model(nn.Module):
    """One function as a model, with a linear layer and a buffer at hand."""

    def __init__(self, does=None):
        super().__init__()
        self.linear = nn.Linear(5, 5)
        self.register_buffer("cos", torch.randn(9))
        self.does = does

    def forward(self, x, *others):
        return self.does(self, x, *others)


def test_nodes_know_shapes_and_dtypes():
    model = Model(lambda m, x: (m.linear(x).mean(-1).double(), x.shape[0]))
    traced = trace(model, (X,))
    nodes = {node.name: node for node in traced.graph.nodes}
    assert shape_of(nodes["linear"]) == (2, 3, 5)
    assert shape_of(nodes["mean"]) == (2, 3)
    assert dtype_of(nodes["mean"]) is torch.float32
    assert dtype_of(nodes["double"]) is torch.float64
    assert shape_of(nodes["getattr_1"]) is None
    assert module_of(traced, nodes["linear"]) is model.linear
    assert traced(torch.randn(7, 2, 5))[1] == 7  # sizes are read at each call


def test_modes_are_kept_part_by_part():
    model = nn.Sequential(nn.Sequential(nn.Linear(5, 4), nn.Dropout()), nn.Linear(4, 3)).train()
    model[0][1].eval()
    traced = trace(model, (X,))
    assert traced.training
    assert not traced.get_submodule("0.1").training
    assert traced.get_submodule("1").training
    assert not any(module.training for module in trace(model.eval(), (X,)).modules())


def test_our_blocks_are_opened_down_to_those_without_parts():
    traced = trace(blocks.MLP([5, 4, 3], blocks.GELU).eval(), (X,))
    called = [type(module_of(traced, node)) for node in traced.graph.find_nodes(op="call_module")]
    assert called == [blocks.Linear, blocks.GELU, nn.Dropout, blocks.Linear]


@pytest.mark.parametrize(
    "build",
    [
        lambda: (blocks.EncoderLayer(8, 2, 16), (torch.randn(2, 3, 8),)),
        lambda: (blocks.SwiGLU(8, 6, 8), (torch.randn(2, 3, 8),)),
        lambda: (blocks.Separable(3, 4, 3), (torch.randn(2, 3, 6, 6),)),
        lambda: (blocks.MLP([5, 4, 3]), (X,)),
    ],
)
def test_our_blocks_can_be_traced(build):
    model, inputs = build()
    traced = trace(model.eval(), inputs)
    torch.testing.assert_close(traced(*inputs), model(*inputs))


def test_kernels_and_makers_of_tensors_are_noted():
    arange = torch.arange

    def forward(model, x):
        places = torch.arange(x.shape[1])
        mask = torch.ones(x.shape[1], x.shape[1]).tril()
        return kernels.softmax(mask @ model.linear(x)) * places[:, None] + model.cos[: x.shape[1], None]

    model = Model(forward)
    traced = trace(model, (X,))
    for length in (3, 6):
        x = torch.randn(2, length, 5)
        torch.testing.assert_close(traced(x), model(x))
    assert torch.arange is arange  # tracing has put back what it wrapped


def test_arguments_that_are_no_tensors_are_as_they_are():
    def forward(model, x, mask=None, times=2, name="sum"):
        for _ in range(times):
            x = model.linear(x)
        return (x if mask is None else x * mask).sum() if name == "sum" else x

    model = Model(forward)
    for others in ((), (None,), (torch.randn(5),), (None, 3), (None, 1, "all")):
        torch.testing.assert_close(trace(model, (X, *others))(X, *others), model(X, *others))
    with pytest.raises(ValueError, match=r"others_1: expected 3, as when the model was traced, got 4"):
        trace(model, (X, None, 3))(X, None, 4)
    with pytest.raises(TypeError):
        trace(model, (X,))(X, torch.randn(5))


class Named(nn.Module):
    def forward(self, x, mask=None, *, scale=3.0):
        return (x if mask is None else x * mask) * scale


def test_defaults_are_kept():
    traced = trace(Named(), (X,))
    torch.testing.assert_close(traced(X), X * 3)
    assert [node.target for node in traced.graph.find_nodes(op="placeholder")] == ["x"]


def test_structures_go_in_and_out():
    class Structured(nn.Module):
        def forward(self, batch):
            one, other = batch["pair"]
            return {"sum": one + other, "parts": [one, (other, None, 3)]}

    batch = {"pair": (X, X + 1)}
    got = trace(Structured(), (batch,))(batch)
    torch.testing.assert_close(got, Structured()(batch))


@pytest.mark.parametrize(
    ("forward", "message"),
    [
        (lambda m, x: x if x.sum() > 0 else -x, r"which way to go depends on a tensor"),
        (lambda m, x: x if x.shape[0] > 1 else -x, r"which way to go depends on a tensor's numbers or size"),
        (lambda m, x: sum(row for row in x), r"how often to go round depends on a tensor's size"),
        (lambda m, x: x * float(x.mean()), r"not 'Proxy'; while tracing, tensors are stand-ins"),
        (lambda m, x: x * len(x), r"'len' is not supported"),
        (lambda m, x: m.missing(x), r"no attribute 'missing'"),
    ],
)
def test_the_line_is_named(forward, message):
    with pytest.raises(TracingError, match=rf"^test_tracing\.py line \d+, `.*lambda m, x.*`: .*{message}"):
        trace(Model(forward), (X,))


def test_a_cell_and_a_command_are_named_too():
    code = compile("def forward(m, x):\n    return x if x.sum() else -x\n", "/tmp/ipykernel_17/55.py", "exec")
    names: dict = {}
    exec(code, names)
    with pytest.raises(TracingError, match=r"^notebook cell, line 2: which way"):
        trace(Model(names["forward"]), (X,))
    program = """
import torch
from workbench.fusion import fuse
class Model(torch.nn.Module):
    def forward(self, x):
        if x.sum() > 0:
            return x
        return -x
fuse(Model(), torch.ones(3))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env={**os.environ}, check=False
    )
    assert "TracingError: <string> line 6" in done.stderr


def test_errors_without_a_line_of_the_models_own():
    assert where(ValueError("no luck\nat all")) == "no luck"
    assert where(ValueError()) == "ValueError"
