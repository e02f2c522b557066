"""Saying words: the most likely sound at each step, and how far that is from the dictionary.

The *phoneme error* is what word error is to sentences: the fewest insertions, deletions and substitutions that turn
what was said into the reference (Levenshtein distance), over the length of the reference, summed over all words. A word
with several pronunciations is compared with the one it comes closest to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from workbench.pronounce.data import BOUNDARY, STEPS, Pronunciation, read, spell


@dataclass(frozen=True)
class Errors:
    """Shares in 0..1 (the first may exceed 1): edits per phoneme of the references, and words not said right."""

    phoneme: float
    word: float


@torch.no_grad()
def greedy(model: nn.Module, letters: Tensor, mask: Tensor, steps: int = STEPS) -> Tensor:
    """The sounds of a batch of words, each the likeliest after those before it: int64 (batch, steps).

    Behind its "#" a row is all "#". `model` takes (letters, mask, said) and gives scores (batch, steps, sounds).
    All is run again for each step, which costs steps/2 times as much as needed and asks nothing of the model's inside.
    """
    said = letters.new_full((len(letters), 1), BOUNDARY)
    ended = torch.zeros(len(letters), dtype=torch.bool, device=letters.device)
    for _ in range(steps):
        sound = model(letters, mask, said)[:, -1].argmax(-1)  # (batch,)
        sound = sound.masked_fill(ended, BOUNDARY)
        ended = ended | (sound == BOUNDARY)
        said = torch.cat([said, sound.unsqueeze(1)], dim=1)  # (batch, steps so far + 1)
    return said[:, 1:]


def pronounce(model: nn.Module, words: Sequence[str], batch: int = 512) -> list[Pronunciation]:
    """What the model says to each word, in evaluation mode; its mode is restored. Raises as `spell` does."""
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    try:
        spoken: list[Pronunciation] = []
        for letters, mask in zip(*(values.split(batch) for values in spell(words)), strict=True):
            spoken += read(greedy(model, letters.to(device), mask.to(device)))
        return spoken
    finally:
        model.train(was_training)


def measure(model: nn.Module, words: Mapping[str, Sequence[Pronunciation]]) -> Errors:
    """Phoneme and word error over `words`. Raises ValueError when there are none."""
    if not words:
        raise ValueError("words: expected at least one")
    edits = length = wrong = 0
    for spoken, references in zip(pronounce(model, list(words)), words.values(), strict=True):
        pairs = [(edit_distance(spoken, reference), len(reference)) for reference in references]
        distance, size = min(pairs, key=lambda pair: pair[0] / pair[1])
        edits, length, wrong = edits + distance, length + size, wrong + (distance > 0)
    return Errors(edits / length, wrong / len(words))


def edit_distance(first: Sequence[str], second: Sequence[str]) -> int:
    """The fewest insertions, deletions and substitutions that turn one into the other (Wagner and Fischer, 1974)."""
    row = list(range(len(second) + 1))  # from nothing to each beginning of `second`
    for i, one in enumerate(first, start=1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(second, start=1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (one != other))
    return row[-1]
