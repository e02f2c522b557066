"""Functions that bend: without one between them, two linear layers are one.

| block | y | slope |
|---|---|---|
| `ReLU` | max(x, 0) | 0 below zero, 1 above: gradients pass unchanged or not at all |
| `LeakyReLU` | max(x, 0) + s·min(x, 0) | s below zero: a unit that is always negative still learns |
| `GELU` | x·Φ(x), Φ the normal distribution function | smooth; dips below zero to −0.17 |
| `SiLU` | x·σ(x), σ(x) = 1/(1 + e⁻ˣ) | smooth; dips below zero to −0.28 |
| `SwiGLU` | W₂(SiLU(W x) ⊙ V x) | a layer of its own: one projection gates another |

The first four work number by number on any shape. Their arithmetic is trivial; what they cost is reading and writing,
once for every operation. The first two are one operation of PyTorch each. The next two are written out, GELU in five,
which shows: `kernels/` does them in one.

Sources: rectifiers, Nair and Hinton, ICML 2010; leaky, Maas et al., ICML 2013 workshop; GELU, Hendrycks and Gimpel,
arXiv 1606.08415, §2 (SiLU is named there too); SwiGLU, Shazeer, arXiv 2002.05202, equation 6.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from workbench.blocks.arguments import check_shape
from workbench.blocks.linear import Linear


class Elementwise(nn.Module):
    """Base of the activations that see one number at a time: any shape, and out comes the same."""

    @property
    def contract(self) -> str:
        return "... -> ..."


class ReLU(Elementwise):
    """max(x, 0), with slope 0 at 0; equal to `torch.nn.ReLU`."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x)


class LeakyReLU(Elementwise):
    """x where positive, slope·x elsewhere; equal to `torch.nn.LeakyReLU`."""

    def __init__(self, slope: float = 0.01) -> None:
        super().__init__()
        self.slope = slope

    def forward(self, x: Tensor) -> Tensor:
        return functional.leaky_relu(x, self.slope)

    def extra_repr(self) -> str:
        return f"slope={self.slope}"


class GELU(Elementwise):
    """x·Φ(x): each number weighted by the share of a normal distribution that lies below it; as `torch.nn.GELU`.

    `approximate="tanh"` is the older formula without erf, up to 4.7e-4 off. Raises ValueError naming `approximate`.
    """

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        if approximate not in ("none", "tanh"):
            raise ValueError(f'approximate: expected "none" or "tanh", got {approximate!r}')
        self.approximate = approximate

    def forward(self, x: Tensor) -> Tensor:
        if self.approximate == "tanh":
            return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
        return 0.5 * x * (1 + torch.erf(x / math.sqrt(2)))

    def extra_repr(self) -> str:
        return f"approximate={self.approximate!r}"


class SiLU(Elementwise):
    """x·σ(x), also called Swish; equal to `torch.nn.SiLU`."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(x)


class SwiGLU(nn.Module):
    """A gated feed-forward layer, W₂(SiLU(W x) ⊙ V x), without biases: (..., inputs) -> (..., outputs).

    Three matrices stand where an MLP has two, so `hidden` is usually cut to two thirds (paper, §2), which keeps the
    number of parameters. Raises ValueError naming `x` when its last axis is not `inputs`.
    """

    def __init__(self, inputs: int, hidden: int, outputs: int) -> None:
        super().__init__()
        self.inputs, self.outputs = inputs, outputs
        self.gate = Linear(inputs, hidden, bias=False)  # W
        self.up = Linear(inputs, hidden, bias=False)  # V
        self.down = Linear(hidden, outputs, bias=False)  # W₂
        self.silu = SiLU()

    @property
    def contract(self) -> str:
        return f"... {self.inputs} -> ... {self.outputs}"

    def forward(self, x: Tensor) -> Tensor:
        check_shape("x", x, "...", self.inputs)
        hidden = self.silu(self.gate(x)) * self.up(x)  # (..., hidden)
        return self.down(hidden)  # (..., outputs)
