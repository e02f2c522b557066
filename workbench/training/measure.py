"""Loss and accuracy of a model over examples, batch by batch."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

Examples = Sequence[Tensor]  # the model's inputs, then the target; all of the same first length
Loss = Callable[[Tensor, Tensor], Tensor]


class Measured(NamedTuple):
    """One batch: its mean loss, share of right answers (nan where targets are no classes) and size."""

    loss: float
    accuracy: float
    size: int


def forward(model: nn.Module, examples: Examples, index: Tensor, loss: Loss) -> tuple[Tensor, Measured]:
    """Runs the examples at `index`, on the model's device: the loss as a tensor, and what was measured."""
    device = next(model.parameters()).device
    *inputs, target = (values[index.to(values.device)].to(device) for values in examples)
    output = model(*inputs)
    value = loss(output, target)
    is_class = not target.is_floating_point() and output.dim() == target.dim() + 1
    accuracy = (output.argmax(-1) == target).double().mean().item() if is_class else math.nan
    return value, Measured(value.item(), accuracy, len(index))


def mean(batches: Sequence[Measured]) -> tuple[float, float]:
    """Mean loss and accuracy over examples: a short last batch counts for less."""
    total = sum(batch.size for batch in batches)
    return (
        sum(batch.loss * batch.size for batch in batches) / total,
        sum(batch.accuracy * batch.size for batch in batches) / total,
    )


def evaluate(
    model: nn.Module, examples: Examples, loss: Loss = functional.cross_entropy, batch: int = 256
) -> tuple[float, float]:
    """Mean loss and accuracy in evaluation mode; the model's mode is restored. Raises ValueError as `fit` does."""
    check_examples("examples", examples)
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            indices = torch.arange(len(examples[-1])).split(batch)
            return mean([forward(model, examples, index, loss)[1] for index in indices])
    finally:
        model.train(was_training)


def check_examples(name: str, examples: Examples) -> None:
    """Raises ValueError naming the argument unless it is two or more tensors of one length, at least 1."""
    if isinstance(examples, Tensor) or len(examples) < 2 or not all(isinstance(v, Tensor) for v in examples):
        raise ValueError(f"{name}: expected tensors (input, …, target), got {type(examples).__name__}")
    lengths = [len(values) if values.dim() else 0 for values in examples]
    if len(set(lengths)) > 1 or lengths[0] == 0:
        raise ValueError(f"{name}: expected tensors of the same length, at least 1; got lengths {lengths}")
