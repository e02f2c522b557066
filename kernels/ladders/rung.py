"""A rung of a ladder: one version of a kernel, with the one idea that sets it apart from the version before."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Rung:
    """A kernel and how to launch it: `shape(...)` gives (grid, block) for the sizes of the problem."""

    name: str
    idea: str  # in one sentence: what is new, and what it saves
    kernel: Any
    shape: Callable[..., tuple[tuple[int, ...], tuple[int, ...]]]
