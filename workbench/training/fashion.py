"""A small convolutional network for Fashion-MNIST, really trained, whose batch normalization can be folded.

    python -m workbench.training.fashion

trains it and writes `assets/models/fashion_conv_bn.safetensors`; `load_fashion_conv_bn()` reads it. Each convolution
is followed directly by its BatchNorm, with the running statistics of five epochs in it.
"""

from __future__ import annotations

import safetensors.torch
import torch
from torch import Tensor, nn

from workbench.data import PicturePart, load_fashion_mnist, read_asset, write_asset
from workbench.training.loop import fit
from workbench.training.measure import evaluate
from workbench.training.seeding import seeded

ASSET = "models/fashion_conv_bn.safetensors"


def build() -> nn.Sequential:
    """The untrained network: (batch, 1, 28, 28) floating point in 0..1 -> logits (batch, 10); 29,290 parameters."""
    return nn.Sequential(
        *_stage(1, 16),  # (batch, 16, 14, 14)
        *_stage(16, 32),  # (batch, 32, 7, 7)
        *_stage(32, 64),  # (batch, 64, 3, 3)
        nn.Flatten(),  # (batch, 576)
        nn.Linear(576, 10),  # (batch, 10)
    )


def _stage(inside: int, outside: int) -> list[nn.Module]:
    convolution = nn.Conv2d(inside, outside, 3, padding=1)
    return [convolution, nn.BatchNorm2d(outside), nn.ReLU(), nn.MaxPool2d(2)]


def examples(part: PicturePart) -> tuple[Tensor, Tensor]:
    """Pictures as the network takes them, float32 (n, 1, 28, 28) in 0..1, and labels (n,)."""
    return part.pictures.unsqueeze(1) / 255, part.labels


def load_fashion_conv_bn() -> nn.Sequential:
    """The trained network in evaluation mode. Raises DataError when the asset is missing or damaged."""
    model = build()
    model.load_state_dict(safetensors.torch.load(read_asset(ASSET)))
    return model.eval()


def main() -> None:
    torch.set_num_threads(1)  # another number, other last digits
    data = load_fashion_mnist()
    with seeded(0):
        model = build()
    fit(model, examples(data.train), epochs=5, batch=64, learning_rate=1e-3)
    loss, accuracy = evaluate(model, examples(data.test))
    parameters = sum(weights.numel() for weights in model.parameters())
    print(
        f"{parameters} parameters, torch {torch.__version__}: test loss {loss:.3f}, accuracy {accuracy:.4f}"
    )
    write_asset(ASSET, safetensors.torch.save(model.state_dict()))


if __name__ == "__main__":
    main()
