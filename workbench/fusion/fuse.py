"""Rewrite a model so that it computes the same with fewer operations and fewer bytes, and prove that it does.

    trace     the model as a graph of operations                                     graph/
    rules     each finds places where it may rewrite; one is rewritten at a time     rules/, rewriting.py
    verify    original and rewritten on the same inputs, in float32 and float64      verify.py
    report    what was done, what was not and why, what it saved                     report.py

A rewriting is exact or it is not done. Should a rule be wrong about a place, verification finds which place it was:
that one is left as it was and reported among the refused.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import GraphModule
from torch.utils._pytree import tree_map

from workbench.fusion.graph.sites import dtype_of
from workbench.fusion.graph.tracing import openable
from workbench.fusion.report import FusionReport
from workbench.fusion.rewrite import Rule
from workbench.fusion.rewriting import LeftAlone, Rewritten, rewritten
from workbench.fusion.rules import RULES
from workbench.fusion.trial import copied
from workbench.fusion.verify import TOLERANCE, Differs, Reference, rounding


class FusionError(ValueError):
    """A model cannot be copied, or does not compute what its graph says; the message says which."""


@dataclass(frozen=True)
class Original:
    """A copy of the model in one precision, with what it computes."""

    model: nn.Module
    inputs: tuple[Any, ...]
    reference: Reference
    slack: float = 0.0  # how far rounding may take its results, if further than usual


def fuse(model: nn.Module, example_inputs: Any, rules: Sequence[Rule] = RULES) -> FusionReport:
    """A new model that computes what `model` does, with what could be fused fused; `model` stays as it is.

    example_inputs: what the model is called with, a tensor or a tuple. The mode, train or eval, is kept: most rules
    apply in evaluation mode only. The new model shares no weights with the given one. It takes as many inputs as were
    given here; those that are no tensors must be the same at each call.

    Raises TypeError for what is no module, TracingError (naming the line) for Python that depends on a tensor's
    numbers, FusionError for a model that its graph cannot stand for, such as one that draws random numbers of its own,
    and whatever the model itself raises on these inputs.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model: expected a torch.nn.Module, got {type(model).__name__}")
    inputs = example_inputs if isinstance(example_inputs, tuple) else (example_inputs,)
    originals = _in_both_precisions(model, inputs)
    left_alone: dict[tuple[str, str], str] = {}
    while True:
        try:
            fused, errors = attempt(originals, rules, left_alone)
        except Differs:
            left_alone |= culprit(originals, rules, left_alone)
        else:
            break
    error, exact = errors if len(errors) == 2 else (errors[0], math.nan)
    return FusionReport(model, fused.model, inputs, fused.rewrites, fused.refused, error, exact)


def attempt(
    originals: Sequence[Original], rules: Sequence[Rule], left_alone: LeftAlone, most: int | None = None
) -> tuple[Rewritten, list[float]]:
    """The first original after at most so many rewrites, and the largest error in each precision. Raises Differs."""
    done = [rewritten(original.model, original.inputs, rules, left_alone, most) for original in originals]
    errors = [
        original.reference.compare(result.model, _tolerance(result.model, original.slack))
        for original, result in zip(originals, done, strict=True)
    ]
    return done[0], errors


def culprit(
    originals: Sequence[Original], rules: Sequence[Rule], left_alone: LeftAlone
) -> dict[tuple[str, str], str]:
    """A rewrite that changes the result, and how, by bisection. Raises FusionError if the graph alone does."""

    def trouble(most: int) -> str:
        try:
            attempt(originals, rules, left_alone, most)
        except Differs as difference:
            return str(difference)
        return ""

    if reason := trouble(0):
        raise FusionError(f"the graph of the model does not compute what the model does: {reason}")
    done = [rewritten(one.model, one.inputs, rules, left_alone) for one in originals]
    rewrites = max((one.rewrites for one in done), key=len)
    good, bad = 0, len(rewrites)  # after so many rewrites all is well, after so many it is not
    while bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (good, middle) if trouble(middle) else (middle, bad)
    wrong = rewrites[bad - 1]
    return {(wrong.what, wrong.where): f"it would change the result: {trouble(bad)}"}


def _in_both_precisions(model: nn.Module, inputs: tuple[Any, ...]) -> list[Original]:
    """The model as it is and in float64; as it is only, if it insists on its own precision."""
    try:
        narrow, wide = openable(copied(model)), openable(copied(model)).double()
    except Exception as error:
        raise FusionError(f"the model cannot be copied: {error}") from error
    reference, wide_inputs = Reference(narrow, inputs), tree_map(_double, inputs)
    try:
        exact = Original(wide, wide_inputs, Reference(wide, wide_inputs))
    except Exception:  # as when a model mixes its weights with float32 numbers of its own
        return [Original(narrow, inputs, reference)]
    slack = 10 * rounding(reference, exact.reference)
    return [Original(narrow, inputs, reference, slack), exact]


def _tolerance(traced: GraphModule, slack: float) -> dict[torch.dtype, float]:
    """How far each type may be off, given that the model may round to a narrower one on the way."""
    dtypes = {dtype_of(node) for node in traced.graph.nodes}
    least = max((slack, *(TOLERANCE[dtype] for dtype in dtypes if dtype in TOLERANCE)))
    return {dtype: max(bound, least) for dtype, bound in TOLERANCE.items()}


def _double(value: Any) -> Any:
    return value.double() if isinstance(value, Tensor) and value.is_floating_point() else value
