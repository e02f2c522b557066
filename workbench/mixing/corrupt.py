"""Spoiling an input on purpose, to see which fusion still works when one modality goes bad.

`amount` is the share that is spoiled, from 0 (the input itself) to 1 (noise that knows nothing of the input):

- picture: each pixel is replaced, with probability `amount`, by a color drawn evenly from all colors;
- name: each character is lost with probability `amount`, and each of 14 random letters (emoji names have 14
  characters on average) slips in, with the same probability, at a random place.

One seed draws the same noise for every amount: what is spoiled at 0.25 is still spoiled at 0.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

import numpy as np
import torch
from torch import Tensor

LETTERS = list("abcdefghijklmnopqrstuvwxyz ")
NOISE_LETTERS = 14


@overload
def corrupt(modality: Tensor, amount: float, seed: int = 0) -> Tensor: ...
@overload
def corrupt(modality: Sequence[str], amount: float, seed: int = 0) -> list[str]: ...
def corrupt(modality: Tensor | Sequence[str], amount: float, seed: int = 0) -> Tensor | list[str]:
    """A spoiled copy of uint8 pictures (batch, height, width[, channels]) or of a list of names.

    The input is never changed. Raises ValueError naming `amount` outside 0..1, TypeError for another modality.
    """
    if not 0 <= amount <= 1:
        raise ValueError(f"amount: expected a number from 0 to 1, got {amount}")
    if isinstance(modality, Tensor):
        return _corrupt_pictures(modality, amount, np.random.default_rng(seed))
    if isinstance(modality, str) or not all(isinstance(name, str) for name in modality):
        raise TypeError("modality: expected a uint8 tensor of pictures or a list of str")
    # a generator per name: the noise must not depend on how long the names before it were
    return [_corrupt_name(name, amount, np.random.default_rng([seed, i])) for i, name in enumerate(modality)]


def _corrupt_pictures(pictures: Tensor, amount: float, random: np.random.Generator) -> Tensor:
    if pictures.dtype != torch.uint8 or pictures.dim() not in (3, 4):
        got = f"{pictures.dtype} {tuple(pictures.shape)}"
        raise TypeError(f"modality: expected uint8 pictures (batch, height, width[, channels]), got {got}")
    spoiled = torch.from_numpy(random.random(pictures.shape[:3]) < amount)  # (batch, height, width)
    if pictures.dim() == 4:
        spoiled = spoiled.unsqueeze(-1)  # a pixel is spoiled in all its channels
    noise = torch.from_numpy(random.integers(0, 256, pictures.shape, dtype=np.uint8))
    return torch.where(spoiled.to(pictures.device), noise.to(pictures.device), pictures)


def _corrupt_name(name: str, amount: float, random: np.random.Generator) -> str:
    entering = random.random(NOISE_LETTERS) < amount
    letters = random.choice(LETTERS, NOISE_LETTERS)
    places = random.random(NOISE_LETTERS)  # 0 is before the first character, 1 behind the last
    kept = random.random(len(name)) >= amount
    own = [((i + 0.5) / len(name), character) for i, character in enumerate(name) if kept[i]]
    noise = [(places[i], letters[i]) for i in range(NOISE_LETTERS) if entering[i]]
    return "".join(character for _, character in sorted(own + noise))
