"""What a deep network does with the error on its way back and with the activations on their way forward.

Backpropagation hands the error δ = ∂loss/∂(what a layer gives) from layer to layer, and what a layer learns from is

    ∂loss/∂W = δ · (what entered the layer)ᵀ

so both factors must survive the depth. What a layer multiplies them by is the subject of `workbench.topologies.deep`;
here a network is really built and run forward and backward once, and the sizes of both are taken layer by layer.

Sources: Glorot and Bengio, AISTATS 2010 (both sizes, layer by layer); He et al., arXiv 1502.01852, §2.2;
He et al., arXiv 1603.05027, §2 (why the error survives in a residual network).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional

from workbench.topologies import deep_mlp
from workbench.training.seeding import seeded

SAMPLES, UNITS, CLASSES = 64, 64, 10  # a batch of random numbers, the network's width, random classes
INITIALIZATIONS = {
    "default": "torch's default",
    "kaiming": "Kaiming",
    "xavier": "Xavier",
    "small": "small (deviation 0.01)",
}
WIRINGS: dict[str, tuple[str, str | None]] = {  # as `deep_mlp` names them
    "plain": ("plain", None),
    "residual": ("residual", None),
    "plain with layer norm": ("plain", "layer"),
    "residual with layer norm": ("residual", "layer"),
}


@dataclass(frozen=True)
class Flow:
    """Norm of the error at each layer's output, and root mean square of that output; first layer first."""

    errors: tuple[float, ...]
    activations: tuple[float, ...]

    @property
    def heard(self) -> float:
        """The first layer's error as a share of the last's."""
        return self.errors[0] / self.errors[-1]


def flow(depth: int, initialization: str, wiring: str) -> Flow:
    """Runs a seeded network of `depth` layers, the scores' one among them, forward and backward once."""
    with seeded(0):
        model = deep_mlp(UNITS, depth - 1, *WIRINGS[wiring], initialization, outputs=CLASSES)
        x = torch.randn(SAMPLES, UNITS)
        target = torch.randint(CLASSES, (SAMPLES,))
    given = []
    for layer in model:
        x = layer(x)
        given.append(x)  # (samples, units)
    errors = torch.autograd.grad(functional.cross_entropy(x, target), given)
    # in float64, for a norm is a root of squares, and float32 has no square of anything below 10⁻²³
    return Flow(
        tuple(float(error.double().norm()) for error in errors),
        tuple(float(x.detach().double().square().mean().sqrt()) for x in given),
    )
