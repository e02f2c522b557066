"""A fresh task after `fold_all`: a pass over a graph that merges linear layers which follow each other.

    W2·(W1·x + b1) + b2  =  (W2·W1)·x + (W2·b1 + b2)         one layer for two, exactly

The new bias is what the two layers make of x = 0, whichever of them has a bias. The product W2·W1 holds more numbers
than W1 and W2 together where the value between is narrow, so merging may cost FLOPs: as an exercise in passes it is
done all the same.

Source: A. Saxe, J. McClelland, S. Ganguli, Exact solutions to the nonlinear dynamics of learning in deep linear neural
networks, arXiv 1312.6120: as a map, a chain of linear layers is the product of their weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, fx, nn

from workbench.exercises.exercise import Exercise
from workbench.exercises.fusion.fresh.chain_networks import chain_networks
from workbench.exercises.fusion.graph_passes import calls_left, is_called_once, module_of, run
from workbench.exercises.fusion.trap_networks import Network

LESSON = "3_fusion/3_hard"


class Pair(NamedTuple):
    """Two layers, one directly after the other: their calls in the graph, and the modules called."""

    first_call: fx.Node
    second_call: fx.Node
    first: nn.Linear
    second: nn.Linear


def pairs(traced: fx.GraphModule) -> Iterator[Pair]:
    """Each linear layer that directly follows another; the graph may be changed on the way."""
    for node in list(traced.graph.nodes):
        before = node.args[0] if node.args else None
        first, second = module_of(traced, before), module_of(traced, node)
        if isinstance(before, fx.Node) and isinstance(first, nn.Linear) and isinstance(second, nn.Linear):
            yield Pair(before, node, first, second)


def merged(first: nn.Linear, second: nn.Linear) -> nn.Linear:
    """A new layer that does what `second(first(x))` does."""
    layer = nn.Linear(first.in_features, second.out_features, dtype=first.weight.dtype)
    with torch.no_grad():
        layer.weight.copy_(second.weight @ first.weight)
        layer.bias.copy_(second(first(first.weight.new_zeros(first.in_features))))
    return layer


def rewrite(traced: fx.GraphModule, pair: Pair, layer: nn.Linear) -> None:
    """`layer` takes the place of the first module; who read the second call reads the first, and the second goes."""
    traced.set_submodule(str(pair.first_call.target), layer)
    pair.second_call.replace_all_uses_with(pair.first_call)
    traced.graph.erase_node(pair.second_call)


def chain_all(traced: fx.GraphModule) -> fx.GraphModule:
    """Merges where only the second layer reads the value between, and the module replaced has no other call."""
    for pair in pairs(traced):
        if len(pair.first_call.users) == 1 and is_called_once(traced, pair.first):
            rewrite(traced, pair, merged(pair.first, pair.second))
    traced.recompile()
    return traced


def _fits_the_pattern(traced: fx.GraphModule) -> fx.GraphModule:
    """That one layer follows another is not enough. Ask who else reads the value between, and who calls the modules."""
    for pair in pairs(traced):
        rewrite(traced, pair, merged(pair.first, pair.second))
    traced.recompile()
    return traced


def _ignores_other_readers(traced: fx.GraphModule) -> fx.GraphModule:
    """Once the layers are merged, the value between is nowhere. Whoever else reads it now gets another number."""
    for pair in pairs(traced):
        if is_called_once(traced, pair.first):
            rewrite(traced, pair, merged(pair.first, pair.second))
    traced.recompile()
    return traced


def _replaces_the_first(traced: fx.GraphModule) -> fx.GraphModule:
    """The new module is in every call of the first layer now, also where no second layer follows: count its calls."""
    for pair in pairs(traced):
        if len(pair.first_call.users) == 1:
            rewrite(traced, pair, merged(pair.first, pair.second))
    traced.recompile()
    return traced


def _replaces_the_second(traced: fx.GraphModule) -> fx.GraphModule:
    """The new module is in every call of the second layer now, also where no first layer is before it."""
    for pair in pairs(traced):
        if len(pair.first_call.users) == 1:
            traced.set_submodule(str(pair.second_call.target), merged(pair.first, pair.second))
            pair.second_call.args = pair.first_call.args
            traced.graph.erase_node(pair.first_call)
    traced.recompile()
    return traced


def _writes_into_the_weight(traced: fx.GraphModule) -> fx.GraphModule:
    """The weight may be another module's too, which now computes something else: make a new module instead."""
    for pair in pairs(traced):
        if len(pair.first_call.users) == 1 and is_called_once(traced, pair.first):
            layer = merged(pair.first, pair.second)
            pair.first.weight.data, pair.first.bias = layer.weight.data, layer.bias
            rewrite(traced, pair, pair.first)
    traced.recompile()
    return traced


def _adds_the_biases(traced: fx.GraphModule) -> fx.GraphModule:
    """The first bias goes through the second layer like all that the first layer gives: W2·b1 + b2."""
    for pair in pairs(traced):
        if len(pair.first_call.users) == 1 and is_called_once(traced, pair.first):
            layer = merged(pair.first, pair.second)
            given = [b.detach() for b in (pair.first.bias, pair.second.bias) if b is not None]
            layer.bias = nn.Parameter(sum(given, torch.zeros(1, dtype=layer.weight.dtype)))
            rewrite(traced, pair, layer)
    traced.recompile()
    return traced


def _inputs(rng: np.random.Generator) -> dict[str, tuple[Network, Tensor]]:
    def draw(network: Network) -> tuple[Network, Tensor]:
        return network, torch.from_numpy(rng.standard_normal((2, 3)))

    return {trap: draw(network) for trap, network in chain_networks(rng).items()}


CHAIN_ALL = Exercise(
    name="fusion.chain_all",
    lesson=LESSON,
    title="A pass that merges chains of linear layers",
    statement=(
        "traced is an fx.GraphModule in float64. Where one nn.Linear is called directly on the result of another, make "
        "one new nn.Linear of the two; a chain of three or more becomes one layer too. Merge even where that costs "
        "FLOPs. Biases may be missing. The model's results must stay the same: leave a pair alone where another part "
        "of the model would notice. Return the graph module, rewritten in place. The check counts the calls of "
        "nn.Linear that are left."
    ),
    signature="chain_all(traced)",
    solution=chain_all,
    wrong={
        "merges wherever the pattern fits": _fits_the_pattern,
        "merges although the value between is read elsewhere": _ignores_other_readers,
        "replaces a first layer that is called elsewhere": _replaces_the_first,
        "replaces a second layer that is called elsewhere": _replaces_the_second,
        "writes into a weight that is tied to another": _writes_into_the_weight,
        "adds the first bias as it is": _adds_the_biases,
    },
    inputs=_inputs,
    run=run,
    budgets={"merge where it is right": calls_left(nn.Linear, "calls of nn.Linear")},
    hints=(
        "Write W2·(W1·x + b1) + b2 without brackets. Then, for each formula that fails: who else reads the value that "
        "goes away, who else calls the module that you replace, who else has its weight?",
        "The new weight is W2·W1, the new bias what the two layers make of zeros. Merge if the first call has one user "
        "and the module that you replace is called once. Look up modules anew at each node, as a chain goes on.",
        "For node in list(traced.graph.nodes), with before = node.args[0]: build layer = nn.Linear(first.in_features, "
        "second.out_features, dtype=first.weight.dtype), and under torch.no_grad() copy second.weight @ first.weight "
        "and second(first(zeros)) into it. Then traced.set_submodule(before.target, layer), "
        "node.replace_all_uses_with(before), traced.graph.erase_node(node). At the end traced.recompile().",
    ),
    points=4,
    tolerance=1e-12,
)
