"""A weighted sum of all inputs for each output, and a stack of such sums.

    linear      y = x Wᵀ + b            y_j = Σ_i W_ji·x_i + b_j
    MLP         y = W₂ f(W₁ x + b₁) + b₂

W has one row per output. Two linear maps in a row are one linear map, W₂(W₁x) = (W₂W₁)x, so between them stands a
function f that bends: that is all a multi-layer perceptron is (Rumelhart, Hinton and Williams, Nature 323, 1986).

*Where the weights start.* A sum of n inputs has n times the variance of one weighted input, so weights must be of
size 1/√n if signals are neither to explode nor to fade from layer to layer (LeCun et al., Efficient BackProp, 1998,
§4.6). PyTorch draws from the uniform distribution U(−1/√n, 1/√n). Its variance is 1/(3n), so each layer passes on a
third of the variance; He et al. (arXiv 1502.01852, §2.2) derive 2/n for layers followed by a ReLU.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from workbench.blocks.arguments import at_least, check_shape


def draw_uniform(weight: Tensor, bias: Tensor | None) -> None:
    """Fill both from U(−1/√n, 1/√n) in place, n being the number of inputs that each output sums (its fan-in).

    `torch.nn.init.kaiming_uniform_(weight, a=√5)`, PyTorch's default, gives the same: √(6 / ((1 + a²)·n)) = 1/√n.
    """
    bound = 1 / math.sqrt(weight[0].numel())
    nn.init.uniform_(weight, -bound, bound)
    if bias is not None:
        nn.init.uniform_(bias, -bound, bound)


class Linear(nn.Module):
    """y = x Wᵀ + b over the last axis, equal to `torch.nn.Linear`: (..., inputs) -> (..., outputs).

    Raises ValueError naming `x` when its last axis is not `inputs`.
    """

    bias: nn.Parameter | None

    def __init__(self, inputs: int, outputs: int, bias: bool = True) -> None:
        super().__init__()
        at_least(1, inputs=inputs, outputs=outputs)
        self.inputs, self.outputs = inputs, outputs
        self.weight = nn.Parameter(torch.empty(outputs, inputs))
        self.register_parameter("bias", nn.Parameter(torch.empty(outputs)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        draw_uniform(self.weight, self.bias)

    @property
    def contract(self) -> str:
        return f"... {self.inputs} -> ... {self.outputs}"

    def forward(self, x: Tensor) -> Tensor:
        check_shape("x", x, "...", self.inputs)
        y = x @ self.weight.T  # (..., outputs)
        if self.bias is None:
            return y
        return y + self.bias.to(y.dtype)  # under autocast y is of a half type, the bias is not

    def extra_repr(self) -> str:
        return f"{self.inputs}, {self.outputs}, bias={self.bias is not None}"


class MLP(nn.Module):
    """Linear layers of the given widths, an activation (and dropout) after each but the last.

    `MLP([784, 128, 10])` takes (..., 784) through 128 hidden units to (..., 10). `activation` makes a module, one for
    each hidden layer: a class of `activation.py` or of `torch.nn`. Raises ValueError naming `widths` or `x`.
    """

    def __init__(
        self, widths: Sequence[int], activation: Callable[[], nn.Module] = nn.ReLU, dropout: float = 0.0
    ) -> None:
        super().__init__()
        if len(widths) < 2:
            raise ValueError(f"widths: expected those of the input, hidden layers and output, got {widths}")
        self.widths = tuple(widths)
        self.layers = nn.ModuleList(Linear(inputs, outputs) for inputs, outputs in pairwise(widths))
        self.activations = nn.ModuleList(activation() for _ in widths[1:-1])
        self.dropout = nn.Dropout(dropout)

    @property
    def contract(self) -> str:
        return f"... {self.widths[0]} -> ... {self.widths[-1]}"

    def forward(self, x: Tensor) -> Tensor:  # (..., first width)
        *hidden, last = self.layers
        for layer, activation in zip(hidden, self.activations, strict=True):
            x = self.dropout(activation(layer(x)))  # (..., next width)
        return last(x)  # (..., last width)
