"""A traced copy of a model, rewritten place by place until no rule finds anything more to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn
from torch.fx import GraphModule

from workbench.fusion.graph.effects import clean
from workbench.fusion.graph.tracing import closed, trace
from workbench.fusion.rewrite import Refusal, Rewrite, Rule, Site
from workbench.fusion.trial import copied

LeftAlone = Mapping[tuple[str, str], str]  # why not to do what a rule would, by its (what, where)


@dataclass(frozen=True)
class Rewritten:
    """A traced model after its rules have been through it, with what they did and what they did not."""

    model: GraphModule
    rewrites: tuple[Rewrite, ...]
    refused: tuple[Refusal, ...]


def rewritten(
    model: nn.Module,
    inputs: tuple[Any, ...],
    rules: Sequence[Rule],
    left_alone: LeftAlone,
    most: int | None = None,
) -> Rewritten:
    """A traced copy of the model after at most so many rewrites, without those to be left alone."""
    traced = trace(copied(model), inputs)
    done: list[Rewrite] = []
    while (most is None or len(done) < most) and (site := _first_site(rules, traced, left_alone)):
        site.apply()
        done.append(site.rewrite)
    found = [one for rule in rules for one in rule(traced) if isinstance(one, Refusal)]
    found += [*closed(traced), *(Refusal(*place, why) for place, why in left_alone.items())]
    clean(traced)
    return Rewritten(traced, tuple(done), tuple(dict.fromkeys(found)))


def _first_site(rules: Sequence[Rule], traced: GraphModule, left_alone: LeftAlone) -> Site | None:
    """The first place of the first rule that finds one: what a late rule did may be work for an early one."""
    for rule in rules:
        for found in rule(traced):
            if isinstance(found, Site) and (found.rewrite.what, found.rewrite.where) not in left_alone:
                return found
    return None
