"""Exercise of the moderate lesson: one step of training in which a modality may be noise, its lines put in order.

    spoil the inputs → scores → loss → gradients → new weights

Each line needs what another has made: the model must see the spoiled inputs, the step must find this batch's gradients,
and those of the batch before must be gone before new ones are added to them.

Source: N. Neverova et al., ModDrop, arXiv 1501.00102, section 3.3 (there a modality is dropped, here it becomes noise).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import SGD, Optimizer

from workbench.exercises.exercise import Exercise
from workbench.exercises.ordering import Ordering

LESSON = "3_fusion/2_moderate"
CLASSES = 3

Spoil = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
ORDERING = Ordering(
    setup="from torch.nn import functional",
    head="def noisy_step(pictures, names, labels, model, optimizer, spoil):",
    lines=(
        "    pictures, names = spoil(pictures, names)",
        "    scores = model(pictures, names)",
        "    loss = functional.cross_entropy(scores, labels)",
        "    optimizer.zero_grad()",
        "    loss.backward()",
        "    optimizer.step()",
    ),
    tail="    return loss.item()",
)


class Joined(nn.Module):
    """A linear classifier of a picture and a name side by side, (batch, n) and (batch, m)."""

    def __init__(self, pictures: int, names: int) -> None:
        super().__init__()
        self.linear = nn.Linear(pictures + names, CLASSES).double()

    def forward(self, pictures: Tensor, names: Tensor) -> Tensor:
        return self.linear(torch.cat([pictures, names], dim=-1))


def noisy_step(
    pictures: Tensor, names: Tensor, labels: Tensor, model: nn.Module, optimizer: Optimizer, spoil: Spoil
) -> float:
    """Spoil, look, compare, forget the old gradients, find the new ones, step."""
    pictures, names = spoil(pictures, names)
    scores = model(pictures, names)
    loss = functional.cross_entropy(scores, labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def _spoils_too_late(
    pictures: Tensor, names: Tensor, labels: Tensor, model: nn.Module, optimizer: Optimizer, spoil: Spoil
) -> float:
    """The model has looked already: it never sees the noise, and learns nothing about it. Spoil before it looks."""
    return noisy_step(pictures, names, labels, model, optimizer, lambda *clean: clean)


def _clears_too_late(
    pictures: Tensor, names: Tensor, labels: Tensor, model: nn.Module, optimizer: Optimizer, spoil: Spoil
) -> float:
    """The gradients are gone when the step wants to use them: no weight moves. After clearing comes `backward`."""
    loss = functional.cross_entropy(model(*spoil(pictures, names)), labels)
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()
    return loss.item()


def _steps_too_early(
    pictures: Tensor, names: Tensor, labels: Tensor, model: nn.Module, optimizer: Optimizer, spoil: Spoil
) -> float:
    """The step goes by what `backward` has found. Taken before it, it goes by the gradients of the batch before."""
    loss = functional.cross_entropy(model(*spoil(pictures, names)), labels)
    optimizer.step()
    optimizer.zero_grad()
    loss.backward()
    return loss.item()


def _run(answer: Callable[..., Any], pictures: Tensor, names: Tensor, labels: Tensor) -> Any:
    """The losses of two steps and the weight after them; the model has old gradients before the first."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = Joined(pictures.shape[1], names.shape[1])
        noise = torch.randn(len(pictures), pictures.shape[1], dtype=pictures.dtype)
    model(pictures, names).sum().backward()
    optimizer = SGD(model.parameters(), lr=0.5)
    given = pictures, names, labels
    losses = [answer(*given, model, optimizer, lambda pictures, names: (noise, names)) for _ in range(2)]
    if losses == [None, None]:
        return None
    return [*losses, model.linear.weight.detach()]


def _inputs(rng: np.random.Generator) -> dict[str, tuple[Tensor, ...]]:
    def draw(batch: int, wide: int, narrow: int, scale: float = 1.0) -> tuple[Tensor, ...]:
        pictures, names = (torch.from_numpy(rng.normal(0, scale, (batch, n))) for n in (wide, narrow))
        return pictures, names, torch.from_numpy(rng.integers(0, CLASSES, batch))

    return {
        "one example": draw(1, 2, 2),
        "ragged": draw(int(rng.integers(5, 9)), 4, 3),
        "extreme": draw(4, 3, 2, scale=30.0),
    }


NOISY_STEP = Exercise(
    name="fusion.noisy_step",
    lesson=LESSON,
    title="A step of training with noise",
    statement=(
        "Put the lines in order: one step of training in which spoil(pictures, names) has replaced a modality by noise."
    ),
    signature="noisy_step(pictures, names, labels, model, optimizer, spoil)",
    solution=noisy_step,
    wrong={
        "spoils the inputs after the model has looked": _spoils_too_late,
        "clears the gradients before the step has used them": _clears_too_late,
        "steps before there are gradients of this batch": _steps_too_early,
    },
    inputs=_inputs,
    run=_run,
    hints=(
        "Start from the end: what does each line need, and which line makes it?",
        "The step needs gradients, backward needs a loss, the loss needs scores, the scores need spoiled inputs. "
        "Gradients add up until they are cleared.",
        "spoil, model, cross_entropy, then zero_grad, backward, step.",
    ),
    ordering=ORDERING,
)
