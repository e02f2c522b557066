"""What a fusion rule finds in a traced model: sites where it applies, and places that only look like one.

A *rule* is a function that looks through a traced model and yields, from the first operation to the last,

- a `Site` for each place where it may rewrite: the rewrite in words, and `apply`, which does it;
- a `Refusal` for each place that a reader would expect to be rewritten and that is left alone, with the reason.

Looking changes nothing. `fuse` applies one site, then has the rule look again: so no rule needs to know what its own
rewriting does to other sites.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from torch.fx import GraphModule


@dataclass(frozen=True)
class Rewrite:
    """One change to the graph: `what` was done `where` (module paths or operations), and `why` it is right and pays."""

    what: str
    where: str
    why: str


@dataclass(frozen=True)
class Refusal:
    """A place that looks as if `what` could be done `where`, and `why` it was not."""

    what: str
    where: str
    why: str


@dataclass(frozen=True)
class Site:
    """A place where a rule applies; `apply` rewrites the traced model that was looked through."""

    rewrite: Rewrite
    apply: Callable[[], None]


Rule = Callable[[GraphModule], Iterator[Site | Refusal]]
