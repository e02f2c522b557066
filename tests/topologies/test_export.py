"""Topologies, plain and as fabrics, can be exported and give the same in the exported program."""

import pytest
import torch

from workbench.blocks.convolution import Conv1d
from workbench.blocks.linear import MLP, Linear
from workbench.blocks.norm import LayerNorm
from workbench.topologies import Dense, Highway, Inception, Residual, deep_mlp

MODELS = {
    "residual": lambda: Residual(MLP([4, 6, 4]), LayerNorm(4)),
    "post": lambda: Residual(MLP([4, 6, 4]), LayerNorm(4), "post"),
    "highway": lambda: Highway(4, MLP([4, 6, 4])),
    "dense": lambda: Dense([Linear(4, 2), Linear(6, 3)]),
    "inception": lambda: Inception([Linear(4, 2), Linear(4, 3)], axis=-1),
    "convolutions": lambda: Inception([Conv1d(3, 2, 1), Conv1d(3, 4, 3, padding=1)]),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("as_fabric", [False, True])
def test_it_exports_for_any_batch(name, as_fabric):
    model = MODELS[name]()
    model = model.as_fabric() if as_fabric else model
    sizes = (3, 4)
    batch = torch.export.Dim("batch", min=2, max=64)
    # a fabric takes any number of inputs, *inputs: one level more
    shapes = (({0: batch},),) if as_fabric else ({0: batch},)
    exported = torch.export.export(model, (torch.randn(2, *sizes),), dynamic_shapes=shapes, strict=False)
    x = torch.randn(5, *sizes)
    torch.testing.assert_close(exported.module()(x), model(x))


def test_a_deep_stack_exports():
    model, x = deep_mlp(4, 3, "highway", "layer", "kaiming", inputs=2, outputs=5), torch.randn(3, 2)
    torch.testing.assert_close(torch.export.export(model, (x,), strict=False).module()(x), model(x))
