"""Many models, one answer: average what they *say*, not what they *are*.

The mean of several models' probabilities is usually better than each of them, because their errors differ
(Lakshminarayanan et al., arXiv 1612.01474, §2.4). The mean of their *weights* is a model too, but a good one only
when all started from one trained ancestor (Wortsman et al., "Model soups", arXiv 2203.05482, §2): hidden units have
no fixed order, so unit 7 of two models trained apart means different things, and their average means neither.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from workbench.mixing.modalities import log_of_mean


class Ensemble(nn.Module):
    """The log of the mean of the models' probabilities: (batch, classes). All models get the same inputs."""

    def __init__(self, models: Iterable[nn.Module]) -> None:
        super().__init__()
        self.models = nn.ModuleList(models)
        if len(self.models) == 0:
            raise ValueError("models: expected at least one, got none")

    def forward(self, *inputs: object) -> Tensor:
        return log_of_mean([torch.softmax(model(*inputs), -1) for model in self.models])


def average_weights(models: Sequence[nn.Module]) -> nn.Module:
    """A new model whose every floating-point parameter and buffer is the mean over `models`.

    Integers (such as a count of batches) are the first model's. The given models stay as they are.
    Raises ValueError when the models do not have the same parameters and buffers.
    """
    if len(models) == 0:
        raise ValueError("models: expected at least one, got none")
    states = [model.state_dict() for model in models]
    for place, state in enumerate(states):
        shapes, first = ({name: value.shape for name, value in s.items()} for s in (state, states[0]))
        if shapes != first:
            differing = sorted(name for name in shapes.keys() | first if shapes.get(name) != first.get(name))
            raise ValueError(f"models[{place}]: differs from models[0] in {', '.join(differing)}")
    averaged = {
        name: torch.stack([state[name] for state in states]).mean(0) if value.is_floating_point() else value
        for name, value in states[0].items()
    }
    result = copy.deepcopy(models[0])
    result.load_state_dict(averaged)
    return result
