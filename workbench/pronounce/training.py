"""One recipe for every variant, so that a difference in the results is a difference of the models.

The learning rate falls to a tenth for the last pass over the words: large steps first, to get far, then small ones, to
settle. Each leg is a `fit` of its own, and AdamW begins it with fresh averages. Seconds are processor time of the one
thread that computes (set torch to one), which other programs on the machine disturb far less than wall clock.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from workbench.data import load_cmudict
from workbench.fabric import Fabric
from workbench.pronounce.data import IGNORED, choose, examples
from workbench.pronounce.variants import make
from workbench.training import fit, seeded


@dataclass(frozen=True)
class Recipe:
    """How a model is trained: on how many words, in which batches, and legs of (passes, learning rate)."""

    words: int = 40_000
    batch: int = 256
    legs: tuple[tuple[int, float], ...] = ((2, 8e-3), (1, 8e-4))


RECIPE = Recipe()


@dataclass(frozen=True)
class Trained:
    """A trained model, its mean loss over the last pass, and the seconds of processor time it took."""

    model: Fabric
    loss: float
    cpu_seconds: float


def train(variant: str, seed: int = 0, recipe: Recipe = RECIPE) -> Trained:
    """A fresh model of one of `VARIANTS`, trained on cmudict. Raises ValueError for an unknown variant."""
    seen = examples(choose(load_cmudict().train, recipe.words))
    with seeded(seed):
        model = make(variant)
    return train_on(model, seen, seed, recipe)


def train_on(
    model: Fabric, seen: tuple[Tensor, Tensor, Tensor, Tensor], seed: int = 0, recipe: Recipe = RECIPE
) -> Trained:
    """Trains `model` in place on (letters, mask, said, target), however far it is already."""
    loss = 0.0
    start = time.thread_time()
    for leg, (epochs, rate) in enumerate(recipe.legs):
        history = fit(
            model,
            seen,
            epochs=epochs,
            batch=recipe.batch,
            learning_rate=rate,
            loss=sound_loss,
            optimizer=partial(torch.optim.AdamW, fused=True),
            seed=seed * len(recipe.legs) + leg,  # or a leg would see the words in the order of the one before
            progress=False,
        )
        loss = history[-1].loss
    return Trained(model, loss, time.thread_time() - start)


def sound_loss(scores: Tensor, target: Tensor) -> Tensor:
    """Mean cross-entropy of the steps that count: scores (batch, steps, sounds), target (batch, steps)."""
    return functional.cross_entropy(scores.flatten(0, 1), target.flatten(), ignore_index=IGNORED)
