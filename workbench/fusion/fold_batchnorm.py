"""Folding batch normalization into the layer before it: two operations become one, exactly.

After training, batch normalization is a fixed scale and shift per channel (Ioffe and Szegedy, arXiv 1502.03167,
§3.1), and a convolution is linear, so the scale can go into its weights and the shift into its bias:

    y  = γ·(W∗x + b − μ)/√(σ² + ε) + β  =  W'∗x + b'
    s  = γ/√(σ² + ε)          one number per output channel; γ = 1 and β = 0 where affine=False
    W' = s·W                  s multiplies all weights of its output channel
    b' = s·b + (β − s·μ)      b = 0 where the convolution has no bias

One pass over memory, its read and its write, is gone. W' and b' are computed in float64 and rounded once to the
layer's type. It holds in evaluation mode only: in training mode μ and σ² are the batch's own.
"""

from __future__ import annotations

import torch
from torch import nn

from workbench import blocks
from workbench.fusion.absorb import Layer, absorb, output_channels

BatchNorm = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d | blocks.BatchNorm

# which normalization may follow which layer; BatchNorm1d follows Linear for inputs (batch, features)
PARTNERS: dict[type[nn.Module], tuple[type[nn.Module], ...]] = {
    **dict.fromkeys(
        (nn.Linear, nn.Conv1d, nn.ConvTranspose1d, blocks.Linear, blocks.Conv1d, blocks.Depthwise1d),
        (nn.BatchNorm1d, blocks.BatchNorm),
    ),
    **dict.fromkeys(
        (nn.Conv2d, nn.ConvTranspose2d, blocks.Conv2d, blocks.Depthwise2d),
        (nn.BatchNorm2d, blocks.BatchNorm),
    ),
    **dict.fromkeys((nn.Conv3d, nn.ConvTranspose3d), (nn.BatchNorm3d, blocks.BatchNorm)),
}


def fold_batchnorm(conv: Layer, batchnorm: BatchNorm) -> Layer:
    """One layer that computes `batchnorm(conv(x))`: a new module, with a bias; the given ones stay as they are.

    Takes convolutions, plain, grouped or transposed, and Linear on (batch, features). Whether `batchnorm` follows
    `conv` *directly*, and `conv` feeds nothing else, only the caller can know.
    Raises TypeError for other modules or a BatchNorm of another dimension, ValueError (naming the reason) in training
    mode, without running statistics, for differing channels or devices, and for layers with hooks or parametrizations.
    """
    reject(conv, batchnorm)
    with torch.no_grad():
        assert batchnorm.running_mean is not None  # seen to above
        assert batchnorm.running_var is not None
        mean, variance = batchnorm.running_mean.double(), batchnorm.running_var.double()  # (channels,)
        gamma = torch.ones_like(mean) if batchnorm.weight is None else batchnorm.weight.double()
        beta = torch.zeros_like(mean) if batchnorm.bias is None else batchnorm.bias.double()
        scale = gamma / torch.sqrt(variance + batchnorm.eps)  # (channels,)
        return absorb(conv, scale, beta - scale * mean)


def reject(conv: Layer, batchnorm: BatchNorm) -> None:
    """Raises what `fold_batchnorm` does for two modules that it cannot fold."""
    partner = PARTNERS.get(type(conv))
    if partner is None:
        known = ", ".join(dict.fromkeys(kind.__name__ for kind in PARTNERS))
        raise TypeError(f"conv: expected one of {known}; got {type(conv).__name__}")
    if type(batchnorm) not in partner:
        expected, got = partner[0].__name__, type(batchnorm).__name__
        raise TypeError(f"batchnorm: expected {expected} after {type(conv).__name__}, got {got}")
    if batchnorm.running_mean is None or batchnorm.running_var is None:
        raise ValueError(
            "batchnorm: track_running_stats=False uses each batch's own statistics; nothing to fold"
        )
    if batchnorm.training:
        raise ValueError("batchnorm: in training mode its statistics are the batch's; call .eval() first")
    channels, found = output_channels(conv), batchnorm.running_mean.numel()
    if channels != found:
        raise ValueError(f"batchnorm: expected {channels} channels, as conv gives, got {found}")
    if conv.weight.device != batchnorm.running_mean.device:
        raise ValueError(f"batchnorm: on {batchnorm.running_mean.device}, conv on {conv.weight.device}")
    for name, module in (("conv", conv), ("batchnorm", batchnorm)):
        if module._forward_hooks or module._forward_pre_hooks or nn.utils.parametrize.is_parametrized(module):
            raise ValueError(
                f"{name}: has hooks or parametrizations, which folding would silently drop or double"
            )
