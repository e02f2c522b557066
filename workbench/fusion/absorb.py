"""A layer takes a scale and a shift of its outputs into its weights.

Convolution and linear layer are linear in their weights, so what multiplies an output channel may as well multiply the
weights that make it:

    s·(W∗x + b) + t  =  (s·W)∗x + (s·b + t)          s and t: one number per output channel

Everything is computed in float64 and rounded once to the layer's own type.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from workbench import blocks

Layer = (
    nn.Linear
    | nn.Conv1d
    | nn.Conv2d
    | nn.Conv3d
    | nn.ConvTranspose1d
    | nn.ConvTranspose2d
    | nn.ConvTranspose3d
    | blocks.Linear
    | blocks.Conv1d
    | blocks.Conv2d
)

# the axis of the outputs' channels, counted from the last: places come after the channels
CHANNEL_AXIS: dict[type[nn.Module], int] = {
    **dict.fromkeys((nn.Linear, blocks.Linear), -1),
    **dict.fromkeys((nn.Conv1d, nn.ConvTranspose1d, blocks.Conv1d, blocks.Depthwise1d), -2),
    **dict.fromkeys((nn.Conv2d, nn.ConvTranspose2d, blocks.Conv2d, blocks.Depthwise2d), -3),
    **dict.fromkeys((nn.Conv3d, nn.ConvTranspose3d), -4),
}
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


def absorb(layer: Layer, scale: Tensor, shift: Tensor | None) -> Layer:
    """A new layer that computes `scale·layer(x) + shift`; it has a bias if `layer` has one or there is a shift.

    scale, shift: (output channels,), in float64.
    """
    with torch.no_grad():
        absorbed = copy.deepcopy(layer)
        bias = shift if layer.bias is None else scale * layer.bias.double() + (0 if shift is None else shift)
        transposed, groups = isinstance(layer, TRANSPOSED), getattr(layer, "groups", 1)
        weight = scaled_outputs(layer.weight.double(), scale, transposed, groups)
        trained = layer.weight.requires_grad
        absorbed.weight = nn.Parameter(weight.to(layer.weight.dtype), requires_grad=trained)
        if bias is not None:
            absorbed.bias = nn.Parameter(bias.to(layer.weight.dtype), requires_grad=trained)
    return absorbed


def scaled_outputs(weight: Tensor, scale: Tensor, transposed: bool = False, groups: int = 1) -> Tensor:
    """The weights with those of each output channel multiplied by its number of `scale`: the same shape."""
    if not transposed:
        return weight * scale.reshape(-1, *[1] * (weight.dim() - 1))  # (out, in / groups, kernel…)
    # (in, out / groups, kernel…), and the inputs of one group lie together
    grouped = weight.unflatten(0, (groups, -1))  # (groups, in / groups, out / groups, kernel…)
    per_group = scale.reshape(groups, 1, -1, *[1] * (weight.dim() - 2))
    return (grouped * per_group).flatten(0, 1)


def output_channels(layer: Layer) -> int:
    """How many channels a layer gives."""
    if isinstance(layer, TRANSPOSED):
        return layer.weight.shape[1] * layer.groups
    return layer.weight.shape[0]
