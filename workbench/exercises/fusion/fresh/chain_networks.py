"""Small networks, each with one trap for a pass that merges linear layers which follow each other.

The number of each network is how many calls of nn.Linear a pass may leave: where a module has another call, or shares
its weight, it is right to merge by a new module and careful not to.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from workbench.exercises.fusion.trap_networks import Network


def chain_networks(rng: np.random.Generator) -> dict[str, Network]:
    """One network for each trap, with random weights; all take (batch, 3)."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng.integers(2**31)))
        return _drawn()


def _drawn() -> dict[str, Network]:
    like_first, like_second, first, second = (nn.Linear(3, 3) for _ in range(4))
    like_first.weight, like_second.weight = first.weight, second.weight
    return {
        "extreme": Network(  # one number between: merging costs FLOPs
            "second(first(x))",
            lambda net, x: net.second(net.first(x)),
            1,
            first=nn.Linear(3, 1),
            second=nn.Linear(1, 6),
        ),
        "ragged": Network(
            "third(second(first(x)))",
            lambda net, x: net.third(net.second(net.first(x))),
            1,
            first=nn.Linear(3, 5),
            second=nn.Linear(5, 2, bias=False),
            third=nn.Linear(2, 4),
        ),
        "first bias missing": Network(
            "second(first(x)) + fourth(third(x))   (only fourth has a bias)",
            lambda net, x: net.second(net.first(x)) + net.fourth(net.third(x)),
            2,
            first=nn.Linear(3, 4, bias=False),
            second=nn.Linear(4, 2, bias=False),
            third=nn.Linear(3, 4, bias=False),
            fourth=nn.Linear(4, 2),
        ),
        "something between": Network(
            "third(second(first(x).relu()) + x)",
            lambda net, x: net.third(net.second(net.first(x).relu()) + x),
            3,
            first=nn.Linear(3, 4),
            second=nn.Linear(4, 3),
            third=nn.Linear(3, 2),
        ),
        "read elsewhere": Network(
            "seen = first(x); second(seen) + seen",
            lambda net, x: net.second(seen := net.first(x)) + seen,
            2,
            first=nn.Linear(3, 3),
            second=nn.Linear(3, 3),
        ),
        "first called twice": Network(
            "second(first(x)) + first(x.relu())",
            lambda net, x: net.second(net.first(x)) + net.first(x.relu()),
            3,
            first=nn.Linear(3, 3),
            second=nn.Linear(3, 3),
        ),
        "second called twice": Network(
            "second(first(x)) + second(x)",
            lambda net, x: net.second(net.first(x)) + net.second(x),
            3,
            first=nn.Linear(3, 3),
            second=nn.Linear(3, 3),
        ),
        "one layer three times": Network(
            "layer(layer(layer(x)))",
            lambda net, x: net.layer(net.layer(net.layer(x))),
            3,
            layer=nn.Linear(3, 3),
        ),
        "tied weights": Network(
            "second(first(x)) + a(x) + b(x)   (a.weight is first.weight, b.weight is second.weight)",
            lambda net, x: net.second(net.first(x)) + net.a(x) + net.b(x),
            4,
            first=first,
            second=second,
            a=like_first,
            b=like_second,
        ),
    }
