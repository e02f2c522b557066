"""What an operation must move and compute: numbers that can be known before anything runs.

Most operations between two matrix multiplications do little arithmetic: their time is the time it takes to carry bytes
to and from memory. The **ledger** of a fused operation is the least it can carry: each byte of its inputs read once,
each byte of its outputs written once. Unfused, every step reads its own inputs and writes its own outputs, and what one
step writes the next one reads again; the arithmetic stays the same.

FLOPs are counted as the formula has them: one for each addition, multiplication, division, root, exponential or erfc.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Ledger:
    """Bytes read and written, and FLOPs; `steps` is the chain of unfused operations with the same result."""

    name: str
    bytes_read: int
    bytes_written: int
    flops: int
    steps: tuple["Ledger", ...] = ()

    @property
    def bytes(self) -> int:
        """All bytes that pass through memory."""
        return self.bytes_read + self.bytes_written

    @property
    def unfused(self) -> "Ledger":
        """The ledger of the unfused chain: the sum of its steps."""
        return Ledger(
            f"{self.name}, unfused",
            sum(step.bytes_read for step in self.steps),
            sum(step.bytes_written for step in self.steps),
            sum(step.flops for step in self.steps),
            self.steps,
        )


def entry(
    name: str,
    reads: Iterable[torch.Tensor | None],
    writes: Iterable[torch.Tensor | None],
    flops: int,
    steps: tuple[Ledger, ...] = (),
) -> Ledger:
    """A ledger over tensors, which may be meta tensors; None stands for an argument left out."""
    return Ledger(name, sum(map(unique_bytes, reads)), sum(map(unique_bytes, writes)), flops, steps)


def unique_bytes(tensor: torch.Tensor | None) -> int:
    """The distinct bytes a tensor shows: an expanded dimension shows the same bytes again."""
    if tensor is None:
        return 0
    elements = 1
    for size, stride in zip(tensor.shape, tensor.stride(), strict=True):
        elements *= size if stride != 0 else min(size, 1)
    return elements * tensor.element_size()


def imagine(like: torch.Tensor, *shape: int, dtype: torch.dtype | None = None) -> torch.Tensor:
    """A meta tensor: a result between two steps that has a size but no data."""
    return torch.empty(shape, dtype=dtype or like.dtype, device="meta")
