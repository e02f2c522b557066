"""Whether two models compute the same, found out by running both.

A graph that looks right may still be wrong: a random number that was drawn while tracing is a constant in it, a counter
may no longer count. So both models run on the inputs given and on others drawn anew, twice in a row, from the same
random state. Compared are all results, the buffers afterwards, and how far the random state has moved.

Errors are relative to the largest number of a result. In float64 the sums of a rewritten model may differ by rounding,
1e-12 at most; anything larger is taken for a mistake. With fewer digits rounding may do more: up to ten times what it
does to the original, which float64 tells (the tests of FlashAttention allow twice).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from workbench.fusion.trial import Run, drawn_anew, run

TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-3, torch.float16: 3e-2, torch.bfloat16: 2e-1}


class Differs(ValueError):
    """Two models do not compute the same; the message says where and by how much."""


class Reference:
    """What a model computes, on the inputs given and on some drawn anew, to hold rewritten ones against."""

    def __init__(self, model: nn.Module, inputs: tuple[Any, ...]) -> None:
        generator = torch.Generator().manual_seed(0)
        self.runs = [(inputs, run(model, inputs))]
        others = tree_map(lambda value: drawn_anew(value, generator), inputs)
        with suppress(Exception):  # a model may refuse numbers that are not like the example's
            self.runs.append((others, run(model, others)))

    def compare(self, rewritten: nn.Module, tolerance: Mapping[torch.dtype, float] = TOLERANCE) -> float:
        """The largest relative error of any result. Raises Differs."""
        worst = 0.0
        for inputs, expected in self.runs:
            try:
                got = run(rewritten, inputs)
            except Exception as error:
                raise Differs(f"{type(error).__name__}: {str(error).strip().splitlines()[0]}") from error
            worst = max(worst, difference(got, expected, tolerance))
        return worst


def compare(original: nn.Module, rewritten: nn.Module, inputs: tuple[Any, ...]) -> float:
    """The largest relative error of any result, over both runs of each. Raises Differs."""
    return Reference(original, inputs).compare(rewritten)


def rounding(narrow: Reference, wide: Reference) -> float:
    """How far the results of a model are off because they are not in float64; 0 if that cannot be told."""
    worst = 0.0
    for (_, one), (_, other) in zip(narrow.runs, wide.runs, strict=False):
        for rough, fine in zip(one.results, other.results, strict=False):
            if isinstance(rough, Tensor) and rough.is_floating_point() and rough.shape == fine.shape:
                worst = max(worst, relative_error(rough.to(fine.dtype), fine))
    return worst if math.isfinite(worst) else 0.0


def difference(got: Run, expected: Run, tolerance: Mapping[torch.dtype, float] = TOLERANCE) -> float:
    """The largest relative error of one run against another. Raises Differs."""
    if not torch.equal(got.random[0], expected.random[0]) or got.random[1] != expected.random[1]:
        raise Differs("the original draws other random numbers: drawn while tracing, a number is a constant")
    if len(got.results) != len(expected.results):
        raise Differs(f"expected {len(expected.results) // 2} results, got {len(got.results) // 2}")
    for name in sorted(expected.changed - got.changed):
        raise Differs(f"the original changes its buffer {name}, the graph does not")
    pairs = [("the result is", *pair) for pair in zip(got.results, expected.results, strict=True)]
    both = sorted(got.buffers.keys() & expected.buffers.keys())
    pairs += [(f"buffer {name} is", got.buffers[name], expected.buffers[name]) for name in both]
    worst = 0.0
    for what, one, other in pairs:
        error = relative_error(one, other)
        if not error <= tolerance.get(getattr(other, "dtype", torch.float64), 0.0):
            raise Differs(f"{what} off by {error:.1e}, relative to the largest number")
        worst = max(worst, error)
    return worst


def relative_error(got: Any, expected: Any) -> float:
    """The largest difference of two elements over the largest element expected; what is no number must be equal."""
    if isinstance(got, float) and isinstance(expected, float):  # as `.item()` gives them
        got, expected = (torch.tensor(value, dtype=torch.float64) for value in (got, expected))
    if not isinstance(got, Tensor) or not isinstance(expected, Tensor):
        return 0.0 if type(got) is type(expected) and _same(got, expected) else math.inf
    if got.shape != expected.shape or got.dtype != expected.dtype:
        shapes = tuple(expected.shape), tuple(got.shape)
        raise Differs(f"expected {expected.dtype} {shapes[0]}, got {got.dtype} {shapes[1]}")
    if got.is_complex():
        got, expected = torch.view_as_real(got), torch.view_as_real(expected)
    one, other = got.detach().double(), expected.detach().double()
    off = torch.where((one == other) | (one.isnan() & other.isnan()), 0.0, (one - other).abs())
    if not off.any():
        return 0.0
    largest = other[other.isfinite()].abs().max() if other.isfinite().any() else torch.tensor(0.0)
    return float(off.nan_to_num(math.inf, math.inf).max() / largest.clamp_min(1e-300))


def _same(one: Any, other: Any) -> bool:
    """Equality of what is no tensor; of what cannot tell, only the type counts."""
    if not isinstance(one, bool | int | float | str | bytes):
        return True
    return bool(one == other)
