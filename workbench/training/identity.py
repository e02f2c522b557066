"""What two training runs must have in common for one to go on from the other's checkpoint."""

from __future__ import annotations

from typing import Any
from zlib import crc32

import torch
from torch import Tensor, nn

from workbench.training.measure import Examples, Loss


def identity(
    model: nn.Module, train: Examples, validate: Examples | None, update: torch.optim.Optimizer, loss: Loss
) -> dict[str, Any]:
    """Model (names, shapes, types), optimizer with its settings, loss, and the data down to each byte."""
    shapes = {name: f"{tuple(value.shape)} {value.dtype}" for name, value in model.state_dict().items()}
    return {
        "model": f"{type(model).__name__} {crc32(repr(shapes).encode()):08x}",
        "optimizer": f"{type(update).__name__} {update.defaults}",
        "loss": getattr(loss, "__qualname__", type(loss).__name__),
        "train": [_fingerprint(values) for values in train],
        "validate": [_fingerprint(values) for values in validate or ()],
    }


def _fingerprint(values: Tensor) -> str:
    content = (
        values.detach().cpu().contiguous().flatten().view(torch.uint8).numpy()
    )  # bytes: NumPy has no bfloat16
    return f"{tuple(values.shape)} {values.dtype} {crc32(content.tobytes()):08x}"
