"""Small networks, each with one trap for a pass that folds batch normalization into the convolution before it.

A pass may fold where a normalization in evaluation mode, with running statistics, follows a call of a convolution
whose result goes nowhere else, and where the convolution has no other call. Whoever is in training mode is so by
itself: a network's own flag says evaluation, as after `model.eval()`. `most_left` is how many normalizations a
pass may leave in place: those which it is right, or at least careful, to leave.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn


class Network(nn.Module):
    """A network of a few named modules, shown as the formula that it computes."""

    def __init__(
        self, formula: str, compute: Callable[[Any, Tensor], Tensor], most_left: int, **parts: nn.Module
    ) -> None:
        super().__init__()
        self.formula, self.compute, self.most_left = formula, compute, most_left
        self.training = False  # its own flag; each part has one of its own
        for name, part in parts.items():
            self.add_module(name, part)
        self.double()

    def forward(self, x: Tensor) -> Tensor:
        return self.compute(self, x)

    def __repr__(self) -> str:
        return self.formula


def networks(rng: np.random.Generator) -> dict[str, Network]:
    """One network for each trap, with random weights; all take (batch, 3, height, width) and are in evaluation mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng.integers(2**31)))
        return {**_foldable(), **_not_foldable()}


def _foldable() -> dict[str, Network]:
    tied, other = _conv(3, 3), _conv(3, 3)
    other.weight = tied.weight
    return {
        "ragged": Network(
            "second_norm(second(norm(conv(x)).relu()))",
            lambda net, x: net.second_norm(net.second(net.norm(net.conv(x)).relu())),
            0,
            conv=_conv(3, 5),
            norm=_norm(5),
            second=_conv(5, 4, bias=True),
            second_norm=_norm(4),
        ),
        "extreme": Network(  # variances so small that the normalization's own ε decides
            "norm(conv(x))", lambda net, x: net.norm(net.conv(x)), 0, conv=_conv(3, 4), norm=_norm(4, 1e-6)
        ),
        "no affine": Network(
            "norm(conv(x))",
            lambda net, x: net.norm(net.conv(x)),
            0,
            conv=_conv(3, 4),
            norm=_norm(4, affine=False),
        ),
        "shared normalization": Network(
            "norm(conv(x)) + norm(other(x))",
            lambda net, x: net.norm(net.conv(x)) + net.norm(net.other(x)),
            0,
            conv=_conv(3, 4),
            other=_conv(3, 4),
            norm=_norm(4),
        ),
        "nested": Network(
            "block(x)   (block is nn.Sequential(conv, norm))",
            lambda net, x: net.block(x),
            0,
            block=nn.Sequential(_conv(3, 4), _norm(4)).eval(),
        ),
        "another between": Network(
            "a, b = conv(x), other(x); norm(a) + b",
            lambda net, x: net.norm((both := (net.conv(x), net.other(x)))[0]) + both[1],
            0,
            conv=_conv(3, 4),
            other=_conv(3, 4),
            norm=_norm(4),
        ),
        "tied weights": Network(
            "norm(conv(x)) + other(x)   (conv.weight is other.weight)",
            lambda net, x: net.norm(net.conv(x)) + net.other(x),
            1,
            conv=tied,
            other=other,
            norm=_norm(3),
        ),
    }


def _not_foldable() -> dict[str, Network]:
    training = _norm(4).train()
    return {
        "called twice": Network(
            "norm(conv(conv(x)))",
            lambda net, x: net.norm(net.conv(net.conv(x))),
            1,
            conv=_conv(3, 3),
            norm=_norm(3),
        ),
        "needed elsewhere": Network(
            "seen = conv(x); norm(seen) + seen",
            lambda net, x: net.norm(seen := net.conv(x)) + seen,
            1,
            conv=_conv(3, 4),
            norm=_norm(4),
        ),
        "no running statistics": Network(
            "norm(conv(x))   (track_running_stats=False)",
            lambda net, x: net.norm(net.conv(x)),
            1,
            conv=_conv(3, 4),
            norm=_norm(4, track_running_stats=False),
        ),
        "training": Network(
            "norm(conv(x))   (in training mode)",
            lambda net, x: net.norm(net.conv(x)),
            1,
            conv=_conv(3, 4),
            norm=training,
        ),
        "normalization first": Network(
            "conv(norm(x))", lambda net, x: net.conv(net.norm(x)), 1, conv=_conv(3, 4), norm=_norm(3)
        ),
    }


def _conv(channels: int, filters: int, bias: bool = False) -> nn.Conv2d:
    return nn.Conv2d(channels, filters, 3, padding=1, bias=bias).eval()


def _norm(channels: int, variance: float = 1.0, **options: bool) -> nn.BatchNorm2d:
    """A normalization as training leaves it: no statistic and no weight is 0 or 1."""
    norm = nn.BatchNorm2d(channels, **options).eval()
    if norm.running_mean is not None and norm.running_var is not None:
        nn.init.normal_(norm.running_mean)
        nn.init.uniform_(norm.running_var, variance / 2, 2 * variance)
    if norm.affine:
        nn.init.uniform_(norm.weight, 0.5, 2)
        nn.init.normal_(norm.bias)
    return norm
