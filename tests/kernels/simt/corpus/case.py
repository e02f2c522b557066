"""A correct kernel as data: how to launch it, on what, and what must come out of it.

The kernels of this folder are written as a teacher would write them, one idea each. Whatever runs kernels (Numba's own
simulator, ours, a GPU) has to give the answers that NumPy gives here, in float64 or in integers, by another route.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from kernels.backend import blocks

WARP = 32  # threads of a small block
Arguments = tuple[Any, ...]
NO_SHUFFLES = "Numba's simulator has no shuffles"
NO_VOTES = "Numba's simulator has no votes"
NO_SYNCWARP = "Numba's simulator has no syncwarp"


@dataclass(frozen=True, eq=False)
class Case:
    """One launch of a correct kernel.

    arguments: draws those of the launch; expected: takes them, before the launch, and returns {position: what the
    argument at that position must hold after it}. tolerance: relative to the largest expected number, 0 for equality.
    """

    kernel: Any
    grid: tuple[int, ...]
    block: tuple[int, ...]
    arguments: Callable[[np.random.Generator], Arguments]
    expected: Callable[..., dict[int, Any]]
    label: str = ""
    shared_bytes: int = 0
    tolerance: float = 0.0
    formula: Any = None  # a device function: the last argument, element by element, from those before it
    not_in_numba: str = ""  # why Numba's own simulator cannot run it
    linked: str = (
        ""  # the library that a driver links before it is machine code: no further than PTX without one
    )
    notes: tuple[str, ...] = ()  # kinds of notes that it is right to make about it

    @property
    def name(self) -> str:
        """Unique in the corpus: file, kernel and label."""
        function = self.kernel.py_func
        return "-".join(
            part for part in (function.__module__.rpartition(".")[2], function.__name__, self.label) if part
        )

    def draw(self, seed: int) -> Arguments:
        """The arguments for a seed: the same in every process, and arrays of their own each time."""
        return self.arguments(np.random.default_rng(seed))

    def wanted(self, seed: int) -> dict[int, np.ndarray]:
        """What the outputs must be for a seed, by position."""
        return {place: np.asarray(value) for place, value in self.expected(*self.draw(seed)).items()}

    def check(self, got: dict[int, np.ndarray], seed: int, tolerance: float | None = None) -> None:
        """Raises AssertionError where an output is not what it must be."""
        allowed = self.tolerance if tolerance is None else tolerance
        for place, want in self.wanted(seed).items():
            assert got[place].shape == want.shape, (self.name, place, got[place].shape, want.shape)
            if allowed == 0:
                np.testing.assert_array_equal(got[place], want, f"{self.name}, argument {place}")
            else:
                wide = complex if np.iscomplexobj(want) else float
                scale = np.max(np.abs(want[np.isfinite(want)]), initial=0.0)
                np.testing.assert_allclose(
                    got[place].astype(wide),
                    want,
                    allowed,
                    allowed * scale,
                    err_msg=f"{self.name}, argument {place}",
                )


def normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """float32 numbers about 1 in size."""
    return rng.standard_normal(shape, dtype=np.float32)


def whole(rng: np.random.Generator, low: int, high: int, *shape: int) -> np.ndarray:
    """int32 numbers in [low, high)."""
    return rng.integers(low, high, shape, dtype=np.int32)


def each(function: Callable[[int], int]) -> Callable[..., dict[int, Any]]:
    """For an integer kernel (x, out): `function` of every input, in Python's integers."""
    return lambda x, out: {1: list(map(function, x.tolist()))}


def block_sums(x: np.ndarray, size: int) -> list[float]:
    """What each run of `size` numbers adds up to."""
    return [x[start : start + size].sum(dtype=np.float64) for start in range(0, x.size, size)]


def partial_sums(kernel: Any, n: int, group: int = 64, **options: Any) -> Case:
    """A kernel (x, partial) in blocks of 64 threads that adds up n numbers in groups, blocks or warps."""
    return Case(
        kernel,
        (blocks(n, 64),),
        (64,),
        lambda rng: (normal(rng, n), np.zeros(blocks(n, group), np.float32)),
        lambda x, partial: {1: block_sums(x, group)},
        str(n),
        tolerance=1e-6,
        **options,
    )


def zeros(n, *dtypes):
    """Arrays of n zeros, one of each type."""
    return tuple(np.zeros(n, dtype) for dtype in dtypes)


def one_each(kernel, draw, expected, tolerance=0.0, n=45, **options):
    """A case with a thread for each of n elements; `draw` gets the generator and n."""
    grid = (blocks(n, WARP),)
    return Case(kernel, grid, (WARP,), lambda rng: draw(rng, n), expected, tolerance=tolerance, **options)
