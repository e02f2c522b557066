"""Numbers too small for a normal float, and why training switches them off.

Below 1.2e-38 a float32 keeps its exponent and gives up digits instead: a *denormal*. CPUs compute those in slow
microcode. Adam's running averages of a gradient that stays zero decay right through that range, so a network with
pruned or dead weights trains several times slower after some hundred steps, with the same result to every digit
that matters. Flushing makes them zero.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


def flushes_denormals() -> bool:
    """Whether this thread flushes denormals now (torch can set the mode, but not tell it)."""
    return (torch.full((), 1e-38) * 0.01).item() == 0.0


@contextmanager
def denormals_flushed() -> Iterator[None]:
    """Flushes denormals inside the block and restores the mode behind it; does nothing where the CPU cannot.

    The mode belongs to the thread: worker threads that torch already started keep theirs.
    """
    before = flushes_denormals()
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)
