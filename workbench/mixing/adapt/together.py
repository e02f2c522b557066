"""Training with labels from the source while looking at the target.

Each step takes a batch of both: loss = cross-entropy(source) + penalty(features of source, features of target).
The two batches go through the encoder one after the other, so that batch normalization gives each domain its own
statistics while training; in the end it is given the target's (`adabn`), because that is where the model will work.
So a penalty of zero leaves exactly AdaBN, and what a penalty does beyond that is its own.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from workbench.mixing.adapt.adabn import adabn
from workbench.training import denormals_flushed, seeded


def fit_together(
    encoder: nn.Module,
    classifier: nn.Module,
    source: tuple[Tensor, Tensor],
    target: Tensor,
    penalty: nn.Module,
    *,
    epochs: int,
    batch: int = 64,
    learning_rate: float = 3e-3,
    seed: int = 0,
) -> nn.Module:
    """Trains all three in place on `source` (inputs, labels) and `target` (inputs); gives the model for the target.

    `penalty(source features, target features, progress)` is a scalar; progress grows from 0 to 1. Raises ValueError
    for sets that do not fit, FloatingPointError when the loss is no longer finite.
    """
    inputs, labels = source
    if len(inputs) != len(labels) or min(len(inputs), len(target)) < batch or batch < 2:
        sizes = f"{len(inputs)} inputs, {len(labels)} labels, {len(target)} target inputs"
        raise ValueError(
            f"source, target: expected one batch of {batch} (2 or more) each at least, got {sizes}"
        )
    model = nn.Sequential(encoder, classifier).train()
    parameters = [*model.parameters(), *penalty.parameters()]
    update = torch.optim.AdamW(parameters, lr=learning_rate)
    steps = min(len(inputs), len(target)) // batch  # what is left of an order waits for the next epoch's
    with seeded(seed), denormals_flushed():
        for epoch in range(epochs):
            here, there = (
                torch.randperm(len(x))[: steps * batch].view(steps, batch) for x in (inputs, target)
            )
            for step in range(steps):
                elsewhere = encoder(target[there[step]])  # (batch, width)
                features = encoder(inputs[here[step]])  # (batch, width)
                loss = functional.cross_entropy(classifier(features), labels[here[step]])
                loss = loss + penalty(features, elsewhere, (epoch + step / steps) / epochs)
                if not loss.isfinite():
                    raise FloatingPointError(
                        f"the loss is {loss.item()} in epoch {epoch + 1}: try less weight"
                    )
                update.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(parameters, 1.0)
                update.step()
    return adabn(model, target)
