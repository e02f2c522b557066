"""What the numbers of an optimizer must be."""

import math
from collections.abc import Sequence

from torch import Tensor


def check_number(name: str, number: float) -> float:
    """A finite number that is not negative."""
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise TypeError(f"{name} must be a number, got {type(number).__name__}")
    if not 0 <= number < math.inf:
        raise ValueError(f"{name} must be finite and 0 or more, got {number}")
    return float(number)


def check_betas(betas: tuple[float, float]) -> tuple[float, float]:
    """How much of each moment stays: two numbers from 0 to less than 1, as 1 would never let a gradient in."""
    if not isinstance(betas, Sequence) or len(betas) != 2:
        raise ValueError(f"betas must be two numbers, got {betas!r}")
    for place, beta in enumerate(betas):
        if check_number(f"betas[{place}]", beta) >= 1:
            raise ValueError(f"betas[{place}] must be less than 1, got {beta}")
    return float(betas[0]), float(betas[1])


def check_step(step: int | Tensor) -> int:
    """The number of this step, counted from 1; of a tensor its one element."""
    if isinstance(step, Tensor):
        if step.numel() != 1:
            raise ValueError(f"step must be a tensor of one element, got shape {tuple(step.shape)}")
        step = int(step)
    if isinstance(step, bool) or not isinstance(step, int):
        raise TypeError(f"step must be a whole number, got {type(step).__name__}")
    if step < 1:
        raise ValueError(f"step must be 1 or more, got {step}")
    return step
