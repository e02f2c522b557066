"""Normalization: bring activations to one scale, so that no layer has to follow the drift of the one before.

All three have the form y = γ ⊙ (x − μ)/√(σ² + ε) + β, with learned γ (`weight`) and β (`bias`). They differ in what the
statistics are taken over:

| block | μ and σ² over | one μ and σ² for each | remarks |
|---|---|---|---|
| `BatchNorm` | batch and places | channel | in evaluation: running averages, a fixed scale and shift |
| `LayerNorm` | the last axis | example and place | the same in training and evaluation; batch of one is fine |
| `RMSNorm` | the last axis | example and place | no μ, no β: y = γ ⊙ x/√(mean(x²) + ε) |

γ starts at 1 and β at 0, and so each begins as plain normalization. ε keeps the root away from 0 where all inputs are
equal. σ² is the mean of (x − μ)², over n; only the *running* variance is over n − 1, an unbiased estimate.

Written out, LayerNorm and BatchNorm read and write their input several times. On one core, forward and backward, that
takes 2 to 5 times as long as PyTorch's own, which are one operation each; `kernels/norms/rms_norm.py` shows how that
is done.

Sources: Ioffe and Szegedy, arXiv 1502.03167, §3; Ba et al., arXiv 1607.06450, §3; Zhang and Sennrich, arXiv 1910.07467.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from workbench.blocks.arguments import at_least, check_shape


class Norm(nn.Module):
    """Base of the three: learned scale and shift of `width` numbers, None where `affine` is False."""

    weight: nn.Parameter | None
    bias: nn.Parameter | None
    shifts = True  # whether there is a β

    def __init__(self, width: int, eps: float, affine: bool) -> None:
        super().__init__()
        at_least(1, width=width)
        self.width, self.eps = width, eps
        self.register_parameter("weight", nn.Parameter(torch.ones(width)) if affine else None)
        if self.shifts:
            self.register_parameter("bias", nn.Parameter(torch.zeros(width)) if affine else None)

    @property
    def contract(self) -> str:
        return f"... {self.width} -> ... {self.width}"

    def extra_repr(self) -> str:
        return f"{self.width}, eps={self.eps}, affine={self.weight is not None}"


def widened(x: Tensor) -> Tensor:
    """x in float32 where its type is narrower: summed in bfloat16's 8 bits, a thousand numbers lose all but a digit."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


class LayerNorm(Norm):
    """Each vector by its own mean and variance, equal to `torch.nn.LayerNorm`: (..., width) -> (..., width).

    Raises ValueError naming `x` when its last axis is not `width`.
    """

    def __init__(self, width: int, eps: float = 1e-5, affine: bool = True) -> None:
        super().__init__(width, eps, affine)

    def forward(self, x: Tensor) -> Tensor:
        check_shape("x", x, "...", self.width)
        wide = widened(x)
        centered = wide - wide.mean(-1, keepdim=True)  # (..., width)
        variance = centered.square().mean(-1, keepdim=True)  # (..., 1)
        normed = centered * torch.rsqrt(variance + self.eps)  # (..., width)
        if self.weight is not None and self.bias is not None:
            normed = normed * self.weight + self.bias
        return normed.to(x.dtype)


class RMSNorm(Norm):
    """Each vector by its own root mean square, equal to `torch.nn.RMSNorm`: (..., width) -> (..., width).

    PyTorch's own default for eps is that of the type (1.2e-7 in float32); 1e-6 is what language models use.
    Raises ValueError naming `x` when its last axis is not `width`.
    """

    shifts = False

    def __init__(self, width: int, eps: float = 1e-6, affine: bool = True) -> None:
        super().__init__(width, eps, affine)

    def forward(self, x: Tensor) -> Tensor:
        check_shape("x", x, "...", self.width)
        wide = widened(x)
        mean_square = wide.square().mean(-1, keepdim=True)  # (..., 1)
        normed = wide * torch.rsqrt(mean_square + self.eps)  # (..., width)
        return (normed if self.weight is None else normed * self.weight).to(x.dtype)


class BatchNorm(Norm):
    """Each channel by its statistics over the batch, equal to `torch.nn.BatchNorm1d` and `2d`.

    Takes (batch, channels), (batch, channels, length) or (batch, channels, height, width). In training it keeps
    running averages, running += momentum·(batch's − running), or the plain mean of all batches where `momentum` is
    None; evaluation uses them, so that no example's result depends on its neighbors. Raises ValueError naming `x` for
    other channels, and in training for a single value per channel, which would equal its own mean.
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(
        self, channels: int, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True
    ) -> None:
        super().__init__(channels, eps, affine)
        self.channels = channels
        self.momentum = momentum
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))
        self.register_buffer("num_batches_tracked", torch.tensor(0))

    @property
    def contract(self) -> str:
        return f"batch {self.channels} ... -> batch {self.channels} ..."

    def forward(self, x: Tensor) -> Tensor:
        check_shape("x", x, "batch", self.channels, "...")
        wide = widened(x)
        if self.training:
            mean, variance = self._statistics(wide)
        else:
            mean, variance = self.running_mean, self.running_var  # (channels,) each
        per_channel = (-1, *[1] * (x.dim() - 2))  # beside (batch, channels, places…)
        scale = torch.rsqrt(variance + self.eps)  # (channels,)
        scale = scale if self.weight is None else scale * self.weight
        shift = -mean * scale if self.bias is None else self.bias - mean * scale  # (channels,)
        return (wide * scale.view(per_channel) + shift.view(per_channel)).to(x.dtype)

    def _statistics(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """This batch's mean and variance, (channels,) each; the running ones move towards them."""
        count = x.numel() // self.channels
        if count == 1:
            raise ValueError(f"x: expected more than one value per channel in training, got {tuple(x.shape)}")
        self.num_batches_tracked += 1
        if count == 0:
            return self.running_mean, self.running_var  # of no numbers there are no statistics
        over = (0, *range(2, x.dim()))  # all axes but the channels'
        mean = x.mean(over, keepdim=True)
        variance = (x - mean).square().mean(over)
        mean = mean.flatten()
        with torch.no_grad():
            share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
            self.running_mean += share * (mean - self.running_mean)
            self.running_var += share * (variance * count / (count - 1) - self.running_var)
        return mean, variance

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, momentum={self.momentum}"
