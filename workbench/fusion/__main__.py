"""What fusing saves on networks and pieces of networks, counted and measured on this machine.

    python -m workbench.fusion

prints for each how many operations there are before and after, how many bytes less they move, the error in float64, and
the speed-up with its spread (interleaved, in thread CPU time). A network whose package is missing is left out, and
said to be.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from workbench.blocks import RMSNorm, SwiGLU
from workbench.fusion.fuse import fuse
from workbench.topologies.efficientnet_lite import load_efficientnet_lite0
from workbench.topologies.silero_vad import load_silero_vad
from workbench.training.fashion import load_fashion_conv_bn
from workbench.training.seeding import seeded


class Projections(nn.Module):
    """Queries, keys and values of one input: (rows, width) -> three times (rows, width)."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.query(x), self.key(x), self.value(x)


class AddNorm(nn.Module):
    """The end of a transformer's layer: (rows, width) twice -> the normalized sum and the sum."""

    def __init__(self, width: int = 1024) -> None:
        super().__init__()
        self.norm = RMSNorm(width)

    def forward(self, x: Tensor, residual: Tensor) -> tuple[Tensor, Tensor]:
        summed = x + residual
        return self.norm(summed), summed


class Known(NamedTuple):
    """A network, and inputs for it, made when they are wanted."""

    build: Callable[[], nn.Module]
    inputs: Callable[[], tuple[Tensor, ...]]


def _draw(*shapes: tuple[int, ...]) -> Callable[[], tuple[Tensor, ...]]:
    return lambda: tuple(torch.randn(shape) for shape in shapes)


NETWORKS = {
    "Fashion network, 64 pictures": Known(load_fashion_conv_bn, _draw((64, 1, 28, 28))),
    "EfficientNet-Lite0, 1 of 224 × 224": Known(load_efficientnet_lite0, _draw((1, 3, 224, 224))),
    "EfficientNet-Lite0, 8 of 96 × 96": Known(load_efficientnet_lite0, _draw((8, 3, 96, 96))),
    "Silero VAD, 512 samples": Known(load_silero_vad, lambda: (torch.randn(1, 576), torch.zeros(2, 1, 128))),
    "three projections, 1 row": Known(Projections, _draw((1, 64))),
    "three projections, 1,024 rows": Known(Projections, _draw((1024, 64))),
    "linear 256 to 1,024 to 256, 64 rows": Known(
        lambda: nn.Sequential(nn.Linear(256, 1024), nn.Linear(1024, 256)), _draw((64, 256))
    ),
    "add and RMSNorm, 1,024 × 1,024": Known(AddNorm, _draw((1024, 1024), (1024, 1024))),
    "SwiGLU 256 to 512, 1,024 rows": Known(lambda: SwiGLU(256, 512, 256), _draw((1024, 256))),
}


def row(name: str, known: Known) -> str:
    """One line of the table; a network that cannot be loaded says why."""
    try:
        with seeded(0):
            network, inputs = known.build().eval(), known.inputs()
    except ModuleNotFoundError as missing:
        return f"{name:36} left out: {missing}"
    report = fuse(network, inputs)
    saved = f"{report.ops_before:>4} -> {report.ops_after:>3}  {report.bytes_after / report.bytes_before - 1:+5.0%}"
    return f"{name:36} {saved}  {report.max_error_float64:8.1e}  {report.speedup}"


def main() -> int:
    print(f"{'':36} operations   bytes  error64  speed-up, ± half the spread")
    for name, known in NETWORKS.items():
        print(row(name, known))
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
