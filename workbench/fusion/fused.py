"""Layers made of weights that a rule has computed, and the products they are computed with.

A product of two weights is one more rounding. Taken in float64 and rounded once to the layers' own type, it is the
number that exact arithmetic would have given, but for the last bit.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import type_before_parametrizations

from workbench.fusion.graph.spellings import LINEAR

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


def linear_map(layer: nn.Module) -> Tensor | None:
    """The matrix (outputs, inputs) that a layer applies to each row, or to the channels of each place; else None.

    Rows are the business of a linear layer; places that of a convolution with windows of one place, which neither
    skips any nor puts zeros around them.
    """
    kind = type_before_parametrizations(layer)
    if kind in LINEAR.modules:
        return layer.weight if isinstance(layer.weight, Tensor) else None
    if kind not in CONVOLUTIONS:
        return None
    assert isinstance(layer, CONVOLUTIONS)
    ones, zeros = (1,) * len(layer.kernel_size), (0,) * len(layer.kernel_size)
    plain = (layer.kernel_size, layer.stride) == (ones, ones) and layer.padding in (zeros, "valid", "same")
    return layer.weight.flatten(1) if plain and layer.groups == 1 else None


def layer_like(layer: nn.Module, weight: Tensor, bias: Tensor | None) -> nn.Module:
    """A layer for this matrix (outputs, inputs): a convolution with windows of one place where `layer` is one.

    It is in the mode of `layer`, and learns if that does. Its first weights are drawn on the meta device, that is not
    at all: random numbers are left as they were.
    """
    outputs, inputs = weight.shape
    made: nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d
    if isinstance(layer, CONVOLUTIONS):
        made = type(layer)(inputs, outputs, 1, bias=bias is not None, device="meta")
        weight = weight.reshape(outputs, inputs, *[1] * len(layer.kernel_size))
    else:
        made = nn.Linear(inputs, outputs, bias=bias is not None, device="meta")
    learns = any(param.requires_grad for param in layer.parameters())
    made.weight = nn.Parameter(weight.detach(), requires_grad=learns)
    if bias is not None:
        made.bias = nn.Parameter(bias.detach(), requires_grad=learns)
    return made.train(layer.training)


def product_of_layers(second: nn.Module, first: nn.Module) -> nn.Module:
    """One layer for `second(first(x))`: the matrix W₂W₁ and the bias W₂b₁ + b₂. Both as `linear_map` knows them."""
    inner, outer = linear_map(first), linear_map(second)
    assert inner is not None
    assert outer is not None
    with torch.no_grad():
        weight = outer.double() @ inner.double()  # (outputs, inputs)
        bias, last = bias_of(first), bias_of(second)
        if bias is not None:
            bias = outer.double() @ bias.double()  # (outputs,)
        if last is not None:
            bias = last.double() if bias is None else bias + last.double()
        return layer_like(first, weight.to(inner.dtype), None if bias is None else bias.to(inner.dtype))


def stack_of_layers(layers: Sequence[nn.Module]) -> nn.Module:
    """One linear layer for several: their outputs one behind the other; zeros stand in for a bias left out."""
    weights = [weight for layer in layers if (weight := linear_map(layer)) is not None]
    biases = [bias_of(layer) for layer in layers]
    stacked: Tensor | None = None
    if any(bias is not None for bias in biases):
        pairs = zip(weights, biases, strict=True)
        stacked = torch.cat(
            [weight.new_zeros(len(weight)) if bias is None else bias for weight, bias in pairs]
        )
    return layer_like(layers[0], torch.cat(weights), stacked)  # (sum of outputs, inputs)


def bias_of(layer: nn.Module) -> Tensor | None:
    """The bias of a layer, None if it has none."""
    found = layer.bias
    return found if isinstance(found, Tensor) else None
