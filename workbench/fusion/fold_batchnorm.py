"""Folding batch normalization into the layer before it: two operations become one, exactly.

After training, batch normalization is a fixed scale and shift per channel (Ioffe and Szegedy, arXiv 1502.03167,
§3.1), and a convolution is linear, so the scale can go into its weights and the shift into its bias:

    y  = γ·(W∗x + b − μ)/√(σ² + ε) + β  =  W'∗x + b'
    s  = γ/√(σ² + ε)          one number per output channel; γ = 1 and β = 0 where affine=False
    W' = s·W                  s multiplies all weights of its output channel
    b' = s·(b − μ) + β        b = 0 where the convolution has no bias

One pass over memory, its read and its write, is gone. W' and b' are computed in float64 and rounded once to the
layer's type. It holds in evaluation mode only: in training mode μ and σ² are the batch's own.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

Layer = (
    nn.Conv1d
    | nn.Conv2d
    | nn.Conv3d
    | nn.ConvTranspose1d
    | nn.ConvTranspose2d
    | nn.ConvTranspose3d
    | nn.Linear
)
BatchNorm = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d

PARTNERS: dict[type[nn.Module], type[nn.Module]] = {
    nn.Linear: nn.BatchNorm1d,  # for inputs (batch, features)
    nn.Conv1d: nn.BatchNorm1d,
    nn.Conv2d: nn.BatchNorm2d,
    nn.Conv3d: nn.BatchNorm3d,
    nn.ConvTranspose1d: nn.BatchNorm1d,
    nn.ConvTranspose2d: nn.BatchNorm2d,
    nn.ConvTranspose3d: nn.BatchNorm3d,
}


def fold_batchnorm(conv: Layer, batchnorm: BatchNorm) -> Layer:
    """One layer that computes `batchnorm(conv(x))`: a new module, with a bias; the given ones stay as they are.

    Takes convolutions, plain, grouped or transposed, and Linear on (batch, features). Whether `batchnorm` follows
    `conv` *directly*, and `conv` feeds nothing else, only the caller can know.
    Raises TypeError for other modules or a BatchNorm of another dimension, ValueError (naming the reason) in training
    mode, without running statistics, for differing channels or devices, and for layers with hooks or parametrizations.
    """
    _check(conv, batchnorm)
    with torch.no_grad():
        assert batchnorm.running_mean is not None  # _check has seen both
        assert batchnorm.running_var is not None
        mean, variance = batchnorm.running_mean.double(), batchnorm.running_var.double()  # (channels,)
        gamma = torch.ones_like(mean) if batchnorm.weight is None else batchnorm.weight.double()
        beta = torch.zeros_like(mean) if batchnorm.bias is None else batchnorm.bias.double()
        bias = torch.zeros_like(mean) if conv.bias is None else conv.bias.double()
        scale = gamma / torch.sqrt(variance + batchnorm.eps)  # (channels,)

        folded = copy.deepcopy(conv)
        folded.weight.copy_(_scale_outputs(conv, scale))
        new_bias = (scale * (bias - mean) + beta).to(conv.weight.dtype)
        folded.bias = nn.Parameter(new_bias, requires_grad=conv.weight.requires_grad)
    return folded


def _scale_outputs(conv: Layer, scale: Tensor) -> Tensor:
    weight = conv.weight.double()
    if isinstance(conv, nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d):
        # (in, out / groups, kernel…), and the inputs of one group lie together
        grouped = weight.unflatten(0, (conv.groups, -1))  # (groups, in / groups, out / groups, kernel…)
        per_group = scale.reshape(conv.groups, 1, -1, *[1] * (weight.dim() - 2))
        return (grouped * per_group).flatten(0, 1)
    return weight * scale.reshape(-1, *[1] * (weight.dim() - 1))  # (out, in / groups, kernel…)


def _check(conv: Layer, batchnorm: BatchNorm) -> None:
    partner = PARTNERS.get(type(conv))
    if partner is None:
        known = ", ".join(kind.__name__ for kind in PARTNERS)
        raise TypeError(f"conv: expected one of {known}; got {type(conv).__name__}")
    if type(batchnorm) is not partner:
        got = type(batchnorm).__name__
        raise TypeError(f"batchnorm: expected {partner.__name__} after {type(conv).__name__}, got {got}")
    if batchnorm.running_mean is None or batchnorm.running_var is None:
        raise ValueError(
            "batchnorm: track_running_stats=False uses each batch's own statistics; nothing to fold"
        )
    if batchnorm.training:
        raise ValueError("batchnorm: in training mode its statistics are the batch's; call .eval() first")
    channels = conv.out_features if isinstance(conv, nn.Linear) else conv.out_channels
    if channels != batchnorm.num_features:
        raise ValueError(
            f"batchnorm: expected {channels} channels, as conv gives, got {batchnorm.num_features}"
        )
    if conv.weight.device != batchnorm.running_mean.device:
        raise ValueError(f"batchnorm: on {batchnorm.running_mean.device}, conv on {conv.weight.device}")
    for name, module in (("conv", conv), ("batchnorm", batchnorm)):
        if module._forward_hooks or module._forward_pre_hooks or nn.utils.parametrize.is_parametrized(module):
            raise ValueError(
                f"{name}: has hooks or parametrizations, which folding would silently drop or double"
            )
