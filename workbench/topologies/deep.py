"""Deep stacks, and how much of the loss reaches each of their blocks.

Back-propagation multiplies the gradient by each block's slope in turn. If a block scales it by 0.4, forty of them scale
it by 0.4⁴⁰ = 10⁻¹⁶, and the first blocks learn nothing; if by 2, by 10¹². Three things set that factor: how the
blocks are wired, the size of the first weights, and normalization.

| initialization | each weight of a layer with n inputs | after a ReLU the variance is multiplied by |
|---|---|---|
| `"default"` | U(−1/√n, 1/√n), bias too: PyTorch's own | 1/6 |
| `"small"` | normal, σ = 0.01: what was usual once | n/20,000 |
| `"xavier"` | normal, σ² = 2/(n + outputs), made for tanh (Glorot and Bengio, AISTATS 2010) | 1/2 |
| `"kaiming"` | normal, σ² = 2/n (He et al., arXiv 1502.01852, §2.2) | 1 |
| `"orthogonal"` | a random rotation times √2 (Saxe et al., arXiv 1312.6120, for linear layers) | 1 |

A residual connection *adds* to the variance what its block makes: with "kaiming" it doubles block by block unless a
norm stands inside. Batch normalization in a *plain* stack is no cure either: it makes the gradient grow by
√(π/(π − 1)) = 1.21 a layer whatever the weights' size (Yang et al., arXiv 1902.08129).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from workbench.blocks.activation import ReLU
from workbench.blocks.arguments import at_least
from workbench.blocks.linear import Linear
from workbench.blocks.norm import BatchNorm, LayerNorm
from workbench.topologies.highway import Highway
from workbench.topologies.residual import Residual

Key = TypeVar("Key")
Value = TypeVar("Value")
Wiring = Callable[[nn.Module], nn.Module]

WIRINGS: Mapping[str, Wiring] = {"plain": lambda block: block, "residual": Residual}
NORMS: Mapping[str | None, Callable[[int], nn.Module]] = {
    None: lambda _: nn.Identity(),
    "layer": LayerNorm,
    "batch": BatchNorm,
}
INITIALIZATIONS: Mapping[str, Callable[[Tensor], object]] = {
    "default": lambda weight: weight,
    "small": partial(nn.init.normal_, std=0.01),
    "xavier": nn.init.xavier_normal_,
    "kaiming": partial(nn.init.kaiming_normal_, nonlinearity="relu"),
    "orthogonal": partial(nn.init.orthogonal_, gain=2**0.5),
}


def deep_mlp(
    width: int,
    depth: int,
    wiring: str = "plain",
    norm: str | None = None,
    initialization: str = "default",
    inputs: int | None = None,
    outputs: int | None = None,
) -> nn.Sequential:
    """`depth` layers of one width, wired "plain", "residual" or "highway": (batch, width) -> (batch, width).

    `norm` is None, "layer" or "batch"; `initialization` one of the table above. With `inputs` a linear layer to
    `width` goes before, with `outputs` one last layer behind. Raises ValueError naming the argument.
    """
    at_least(1, width=width, depth=depth)
    wirings: dict[str, Wiring] = {**WIRINGS, "highway": partial(Highway, width)}
    wire = _choose("wiring", wiring, wirings)
    layers = stack(lambda: Layer(width, width, norm, initialization), depth, wire)
    if inputs is not None:
        layers.insert(0, Linear(inputs, width))
    if outputs is not None:
        layers.append(Layer(width, outputs, norm, initialization))
    return layers


def stack(make_block: Callable[[], nn.Module], depth: int, wiring: str | Wiring = "plain") -> nn.Sequential:
    """`depth` fresh blocks one after the other, each wired "plain", "residual", or by a function of the block.

    Raises ValueError naming `depth` below 1 or another `wiring`.
    """
    at_least(1, depth=depth)
    wire = wiring if callable(wiring) else _choose("wiring", wiring, WIRINGS)
    return nn.Sequential(*(wire(make_block()) for _ in range(depth)))


def gradient_by_layer(model: nn.Sequential, x: Tensor, target: Tensor) -> list[float]:
    """For each part of `model`, the norm of the gradient of the loss with respect to what that part gives.

    That is what back-propagation hands from part to part. (A weight's gradient is this times the layer's input, so it
    would show the signal on its way forward as well.) The loss is the cross entropy where `target` holds classes,
    the mean squared error where it holds numbers. Nothing is added to the parameters' `grad`; a batch norm in
    training counts this batch as any other. What float32 cannot hold, below 10⁻⁴⁵, is 0.
    """
    signals = []
    for part in model:
        x = part(x)
        signals.append(x)  # (batch, width)
    loss = functional.mse_loss if target.is_floating_point() else functional.cross_entropy
    gradients = torch.autograd.grad(loss(x, target), signals)
    # squares of what float32 just holds are 0 in float32
    return [gradient.double().norm().item() for gradient in gradients]


class Layer(nn.Module):
    """norm → ReLU → linear, (..., inputs) -> (..., outputs); with batch normalization (batch, inputs) only.

    In this order (He et al., arXiv 1603.05027, figure 4e) a residual block can add negative numbers as well; in a
    plain stack it is the usual chain of linear layers and ReLUs.
    """

    def __init__(
        self, inputs: int, outputs: int, norm: str | None = None, initialization: str = "default"
    ) -> None:
        super().__init__()
        self.norm = _choose("norm", norm, NORMS)(inputs)
        self.relu = ReLU()
        self.linear = Linear(inputs, outputs)
        if initialization != "default":
            nn.init.zeros_(self.linear.bias)  # type: ignore[arg-type]
        _choose("initialization", initialization, INITIALIZATIONS)(self.linear.weight)

    @property
    def contract(self) -> str:
        leading = "batch" if isinstance(self.norm, BatchNorm) else "..."
        return f"{leading} {self.linear.inputs} -> {leading} {self.linear.outputs}"

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.relu(self.norm(x)))  # (..., outputs)


def _choose(name: str, key: Key, table: Mapping[Key, Value]) -> Value:
    if key not in table:
        raise ValueError(f"{name}: expected one of {list(table)}, got {key!r}")
    return table[key]
