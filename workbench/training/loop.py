"""A plain training loop that can be killed at any moment.

Every random draw of an epoch (the order of the examples, dropout) comes from a generator seeded by (seed, epoch)
alone. So an epoch needs nothing from the one before but the weights and the optimizer's state; these are saved after
each, and a resumed run ends with the same bits, on the same machine and number of threads, as one never interrupted.
"""

from __future__ import annotations

import copy
import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional
from tqdm.auto import tqdm

from workbench.training import checkpoint as checkpoints
from workbench.training.denormals import denormals_flushed
from workbench.training.history import Epoch, History, memory_now
from workbench.training.identity import identity
from workbench.training.measure import Examples, Loss, check_examples, evaluate, forward, mean
from workbench.training.seeding import seeded


@dataclass(frozen=True)
class Settings:
    """The numbers of a run, checked. Raises ValueError naming the one that does not fit."""

    batch: int
    seed: int
    clip: float | None
    patience: int | None

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise ValueError(f"batch: expected at least 1, got {self.batch}")
        if self.seed < 0:
            raise ValueError(f"seed: expected at least 0, got {self.seed}")
        if self.clip is not None and not self.clip > 0:
            raise ValueError(f"clip: expected a number above 0 or None, got {self.clip}")
        if self.patience is not None and self.patience < 1:
            raise ValueError(f"patience: expected at least 1 or None, got {self.patience}")


def fit(
    model: nn.Module,
    train: Examples,
    validate: Examples | None = None,
    *,
    epochs: int,
    batch: int,
    learning_rate: float,
    loss: Loss = functional.cross_entropy,
    optimizer: Callable[..., torch.optim.Optimizer] = torch.optim.AdamW,
    seed: int = 0,
    clip: float | None = 1.0,
    patience: int | None = None,
    checkpoint: str | Path | None = None,
    progress: bool = True,
    device: torch.device | str | None = None,
) -> History:
    """Trains `model` in place and leaves it in evaluation mode.

    `train` and `validate` are tensors of equal length: the model's inputs, then the target; `loss(output, target)`
    is a mean over the batch. `clip` bounds the norm of the gradient over all parameters. With `patience`, training
    stops after that many epochs without a lower validation loss, and the best weights are restored. With
    `checkpoint`, a path, state is saved after every epoch, and a run that finds it there goes on from it; `epochs`
    may then be larger than before. `device` None means where the model is. The caller's random state is untouched.

    Raises ValueError naming the argument that does not fit, CheckpointError for a checkpoint that is damaged or of
    another run, FloatingPointError when the loss is no longer finite (the last checkpoint stays).
    """
    # 1 check everything before anything is changed
    settings = Settings(batch, seed, clip, patience)
    if epochs < 1:
        raise ValueError(f"epochs: expected at least 1, got {epochs}")
    check_examples("train", train)
    if validate is not None:
        check_examples("validate", validate)
    elif patience is not None:
        raise ValueError("patience: early stopping needs `validate`")

    # 2 take up the thread where there is one
    model.to(device)
    update = optimizer(model.parameters(), lr=learning_rate)
    run = identity(model, train, validate, update, loss) | vars(settings)
    path = None if checkpoint is None else Path(checkpoint)
    saved = None if path is None else checkpoints.load(path, run)
    history, best = History(), None
    if saved is not None:
        history, best = History.from_dicts(saved["history"]), saved["best"]
        if len(history) > epochs:
            raise ValueError(f"epochs: the checkpoint has {len(history)} already, more than {epochs}")
        model.load_state_dict(saved["model"])
        update.load_state_dict(saved["optimizer"])

    # 3 train, saving after every epoch
    bar = tqdm(
        total=epochs, initial=len(history), unit="epoch", file=sys.stdout, disable=not progress, leave=False
    )
    with bar, denormals_flushed():
        while len(history) < epochs and not (patience is not None and history.epochs_since_best >= patience):
            history.epochs.append(_epoch(model, train, validate, update, loss, len(history) + 1, settings))
            if patience is not None and history.epochs_since_best == 0:
                best = copy.deepcopy(model.state_dict())
            if path is not None:
                state = {"run": run, "history": history.to_dicts(), "best": best}
                checkpoints.save(
                    path, state | {"model": model.state_dict(), "optimizer": update.state_dict()}
                )
            bar.set_postfix(loss=f"{history[-1].loss:.3f}", accuracy=f"{history[-1].accuracy:.3f}")
            bar.update()

    if best is not None:
        model.load_state_dict(best)
    model.eval()
    return history


def _epoch(
    model: nn.Module,
    train: Examples,
    validate: Examples | None,
    update: torch.optim.Optimizer,
    loss: Loss,
    number: int,
    settings: Settings,
) -> Epoch:
    start = time.perf_counter()
    if torch.cuda.is_initialized():
        torch.cuda.reset_peak_memory_stats()
    model.train()
    batches = []
    with seeded(settings.seed, number):
        for index in torch.randperm(len(train[-1])).split(settings.batch):
            value, measured = forward(model, train, index, loss)
            if not math.isfinite(measured.loss):
                raise FloatingPointError(
                    f"the loss is {measured.loss} in epoch {number}: try a smaller learning_rate or clip"
                )
            update.zero_grad()
            value.backward()
            if settings.clip is not None:
                nn.utils.clip_grad_norm_(model.parameters(), settings.clip)
            update.step()
            batches.append(measured)
    validated = (math.nan, math.nan) if validate is None else evaluate(model, validate, loss, settings.batch)
    seconds = time.perf_counter() - start
    return Epoch(number, *mean(batches), *validated, seconds, *memory_now())
