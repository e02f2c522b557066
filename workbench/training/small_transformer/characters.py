"""Shakespeare as numbers, and batches of passages drawn from them."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from workbench.data import load_shakespeare

Batch = tuple[Tensor, Tensor]  # characters, and those that follow them: int64 (batch, time) each


def shakespeare() -> tuple[Tensor, int]:
    """The training text as int64 (characters,), numbered in the order of the alphabet, and how many are different."""
    text = torch.frombuffer(bytearray(load_shakespeare().train, "ascii"), dtype=torch.uint8)
    known, numbers = text.unique(return_inverse=True)
    return numbers, len(known)


def batches(numbers: Tensor, batch: int, time: int, steps: int, seed: int) -> Iterator[Batch]:
    """`steps` batches of passages that begin anywhere: they follow from the seed alone."""
    draw = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        starts = torch.randint(len(numbers) - time, (batch, 1), generator=draw)
        passages = numbers[starts + torch.arange(time + 1)]  # (batch, time + 1)
        yield passages[:, :-1], passages[:, 1:]
