"""What happened in each epoch: loss, accuracy, seconds, memory."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, fields

import psutil
import torch


@dataclass(frozen=True)
class Epoch:
    """One pass over the training data. Accuracies are shares in 0..1, nan where targets are no classes."""

    epoch: int  # counted from 1
    loss: float  # mean over the epoch's examples, each measured just before its step
    accuracy: float
    validate_loss: float  # after the epoch, in evaluation mode; nan without validation data
    validate_accuracy: float
    seconds: float  # wall clock, validation included
    memory_bytes: int  # resident set of this process at the end of the epoch
    cuda_peak_bytes: int  # most memory torch held on the GPU during the epoch; 0 without one


@dataclass
class History:
    """The epochs of a training run, in order; `best` is the one with the lowest validation loss."""

    epochs: list[Epoch] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.epochs)

    def __getitem__(self, place: int) -> Epoch:
        return self.epochs[place]

    @property
    def best(self) -> Epoch | None:
        """The first epoch with the lowest validation loss; None without validation data."""
        measured = [epoch for epoch in self.epochs if not math.isnan(epoch.validate_loss)]
        return min(measured, key=lambda epoch: epoch.validate_loss, default=None)

    @property
    def epochs_since_best(self) -> int:
        return 0 if self.best is None else self.epochs[-1].epoch - self.best.epoch

    def column(self, name: str) -> list[float]:
        """One quantity over the epochs, such as "loss". Raises ValueError for an unknown name."""
        names = [f.name for f in fields(Epoch)]
        if name not in names:
            raise ValueError(f"name: expected one of {', '.join(names)}; got {name!r}")
        return [getattr(epoch, name) for epoch in self.epochs]

    def to_dicts(self) -> list[dict[str, float]]:
        """Plain numbers, for a checkpoint or a table."""
        return [asdict(epoch) for epoch in self.epochs]

    @classmethod
    def from_dicts(cls, rows: list[dict]) -> History:
        return cls([Epoch(**row) for row in rows])


def memory_now() -> tuple[int, int]:
    """Bytes resident in this process, and torch's peak on the GPU since its counter was last reset (else 0)."""
    cuda = torch.cuda.max_memory_allocated() if torch.cuda.is_initialized() else 0
    return psutil.Process().memory_info().rss, cuda
