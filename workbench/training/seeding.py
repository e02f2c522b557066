"""Random numbers that depend on a seed and on nothing that ran before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def seeded(seed: int, epoch: int = 0) -> Iterator[None]:
    """Inside the block torch's random state follows from (seed, epoch) alone; behind it the caller's is back.

    Raises ValueError naming `seed` when it is negative.
    """
    if seed < 0:
        raise ValueError(f"seed: expected 0 or more, got {seed}")
    # well mixed: (0, 1) and (1, 0) start unrelated streams
    mixed = int(np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)[0])
    # asking an idle GPU for its random state would start it
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices):
        torch.default_generator.manual_seed(mixed)
        if devices:
            torch.cuda.manual_seed_all(mixed)
        yield
