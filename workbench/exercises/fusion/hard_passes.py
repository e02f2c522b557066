"""Exercise of the hard lesson: a pass over a graph that folds batch normalization, and leaves alone what it must.

torch.fx gives a model as a graph of calls. A pass looks for a pattern and rewrites it: here a call of a normalization
whose input is a call of a convolution. The formula is the easy half. What a pass has to know is who *else* would
notice (`trap_networks.py` has a network for each way). Answers are compared in float64, where a rewriting that is right
differs by rounding alone.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, fx, nn

from workbench.exercises.exercise import Budget, Exercise
from workbench.exercises.fusion.trap_networks import Network, networks
from workbench.fusion import fold_batchnorm

LESSON = "3_fusion/3_hard"


class Pair(NamedTuple):
    """A normalization that follows a convolution: the two calls in the graph, and the modules that they call."""

    conv_call: fx.Node
    norm_call: fx.Node
    conv: nn.Conv2d
    norm: nn.BatchNorm2d


def module_of(traced: fx.GraphModule, node: object) -> nn.Module | None:
    """The module that a node calls, if it is a call of one."""
    if isinstance(node, fx.Node) and node.op == "call_module":
        return traced.get_submodule(str(node.target))
    return None


def pairs(traced: fx.GraphModule) -> Iterator[Pair]:
    """Each normalization that directly follows a convolution; the graph may be changed on the way."""
    for node in list(traced.graph.nodes):
        before = node.args[0] if node.args else None
        conv, norm = module_of(traced, before), module_of(traced, node)
        if isinstance(before, fx.Node) and isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            yield Pair(before, node, conv, norm)


def is_called_once(traced: fx.GraphModule, module: nn.Module) -> bool:
    return sum(module_of(traced, node) is module for node in traced.graph.nodes) == 1


def has_fixed_statistics(norm: nn.BatchNorm2d) -> bool:
    """In training mode, or without running statistics, a normalization uses those of each batch."""
    return not norm.training and norm.running_mean is not None


def rewrite(traced: fx.GraphModule, pair: Pair) -> None:
    """A new convolution for the old one; of the normalization the *call* goes, not the module."""
    traced.set_submodule(str(pair.conv_call.target), fold_batchnorm(pair.conv, pair.norm))
    pair.norm_call.replace_all_uses_with(pair.conv_call)
    traced.graph.erase_node(pair.norm_call)


def fold_all(traced: fx.GraphModule) -> fx.GraphModule:
    """Folds where only one reads the convolution's result, by only one call, and the statistics are fixed."""
    for pair in pairs(traced):
        alone = len(pair.conv_call.users) == 1 and is_called_once(traced, pair.conv)
        if alone and has_fixed_statistics(pair.norm):
            rewrite(traced, pair)
    traced.recompile()
    return traced


def _fits_the_pattern(traced: fx.GraphModule) -> fx.GraphModule:
    """A pattern says what stands next to what. Ask who else reads the result, calls the module, and in which mode."""
    for pair in pairs(traced):
        rewrite(traced, pair)
    traced.recompile()
    return traced


def _ignores_other_calls(traced: fx.GraphModule) -> fx.GraphModule:
    """The convolution is called twice, and the new weights are in both calls; only one of them is normalized."""
    for pair in pairs(traced):
        if len(pair.conv_call.users) == 1 and has_fixed_statistics(pair.norm):
            rewrite(traced, pair)
    traced.recompile()
    return traced


def _ignores_other_users(traced: fx.GraphModule) -> fx.GraphModule:
    """What the convolution gives is needed before normalization too: whoever reads it there now gets it normalized."""
    for pair in pairs(traced):
        if is_called_once(traced, pair.conv) and has_fixed_statistics(pair.norm):
            rewrite(traced, pair)
    traced.recompile()
    return traced


def _stops_at_batch_statistics(traced: fx.GraphModule) -> fx.GraphModule:
    """Where the statistics are each batch's own there is nothing to fold, and no reason to stop: leave it as it is."""
    for pair in pairs(traced):
        if len(pair.conv_call.users) == 1 and is_called_once(traced, pair.conv):
            rewrite(traced, pair)
    traced.recompile()
    return traced


def _folds_while_training(traced: fx.GraphModule) -> fx.GraphModule:
    """In training mode a normalization uses the batch's own statistics, whatever the running ones are."""
    for pair in pairs(traced):
        if pair.norm.running_mean is not None:
            pair.norm.eval()
    return fold_all(traced)


def _takes_the_module_out(traced: fx.GraphModule) -> fx.GraphModule:
    """The module may be called elsewhere too. What is replaced is one call: a node of the graph."""
    for pair in pairs(traced):
        alone = len(pair.conv_call.users) == 1 and is_called_once(traced, pair.conv)
        if alone and has_fixed_statistics(pair.norm):
            traced.set_submodule(str(pair.conv_call.target), fold_batchnorm(pair.conv, pair.norm))
            traced.set_submodule(str(pair.norm_call.target), nn.Identity())
    return traced


def _scales_in_place(traced: fx.GraphModule) -> fx.GraphModule:
    """The weight may be another module's too: give this convolution a weight of its own, as a new module."""
    for pair in list(pairs(traced)):
        alone = len(pair.conv_call.users) == 1 and is_called_once(traced, pair.conv)
        if alone and has_fixed_statistics(pair.norm):
            folded = fold_batchnorm(pair.conv, pair.norm)
            pair.conv.weight.data.copy_(folded.weight)
            pair.conv.bias = folded.bias
            pair.norm_call.replace_all_uses_with(pair.conv_call)
            traced.graph.erase_node(pair.norm_call)
    traced.recompile()
    return traced


def _forgets_to_recompile(traced: fx.GraphModule) -> fx.GraphModule:
    """The graph has changed, the Python code made from it has not: traced.recompile() makes it anew."""
    for pair in pairs(traced):
        alone = len(pair.conv_call.users) == 1 and is_called_once(traced, pair.conv)
        if alone and has_fixed_statistics(pair.norm):
            rewrite(traced, pair)
    return traced


def _expects_a_module_before(traced: fx.GraphModule) -> fx.GraphModule:
    """What stands before a normalization need not be a module: ask for its `op` before you look one up."""
    for node in traced.graph.nodes:
        if isinstance(module_of(traced, node), nn.BatchNorm2d):
            traced.get_submodule(node.args[0].target)
    return fold_all(traced)


def _refuses_shared_norm(traced: fx.GraphModule) -> fx.GraphModule:
    """Careful, but too much so: the normalization is only read, and each convolution can take over its numbers."""
    shared = {pair.norm for pair in pairs(traced) if not is_called_once(traced, pair.norm)}
    return traced if shared else fold_all(traced)


def _folds_nothing(traced: fx.GraphModule) -> fx.GraphModule:
    """Never wrong, and no use. Where nobody else would notice, folding is exact."""
    return traced


def _run(answer: Callable[..., fx.GraphModule], network: Network, x: Tensor) -> Tensor | None:
    folded = answer(fx.symbolic_trace(copy.deepcopy(network)))
    return None if folded is None else folded(x)


def _norms_left(answer: Callable[..., fx.GraphModule], network: Network, x: Tensor) -> int:
    folded = answer(fx.symbolic_trace(copy.deepcopy(network)))
    return sum(isinstance(module_of(folded, node), nn.BatchNorm2d) for node in folded.graph.nodes)


def _inputs(rng: np.random.Generator) -> dict[str, tuple[Network, Tensor]]:
    def draw(network: Network) -> tuple[Network, Tensor]:
        return network, torch.from_numpy(rng.standard_normal((2, 3, 5, 6)))

    return {trap: draw(network) for trap, network in networks(rng).items()}


FOLD_ALL = Exercise(
    name="fusion.fold_all",
    lesson=LESSON,
    title="A pass that survives the traps",
    statement=(
        "Fold every nn.BatchNorm2d of the traced model into the nn.Conv2d before it, by fold_batchnorm(conv, norm), "
        "where the results stay the same; leave the others as they are. Return the graph module."
    ),
    signature="fold_all(traced)",
    solution=fold_all,
    wrong={
        "folds wherever the pattern fits": _fits_the_pattern,
        "folds a convolution that is called twice": _ignores_other_calls,
        "folds what is needed unfolded elsewhere": _ignores_other_users,
        "stops at a normalization that it should leave alone": _stops_at_batch_statistics,
        "takes running statistics in training mode": _folds_while_training,
        "takes out the module instead of the call": _takes_the_module_out,
        "scales a weight that is tied to another": _scales_in_place,
        "forgets to recompile": _forgets_to_recompile,
        "expects a module before every normalization": _expects_a_module_before,
        "leaves a shared normalization alone": _refuses_shared_norm,
        "folds nothing": _folds_nothing,
    },
    inputs=_inputs,
    run=_run,
    budgets={
        "fold where it is right": Budget(
            _norms_left, lambda network, x: network.most_left, "normalizations in the graph"
        )
    },
    hints=(
        "Print traced.graph for each formula that fails. Who else reads the number you are about to change?",
        "Fold if the node before is a call of a convolution with one user, the module is called once in the whole "
        "graph, and the normalization has running statistics and is in evaluation mode. Replace calls, not modules.",
        "For node in list(traced.graph.nodes): the module of node, the module of node.args[0]; the four tests; then "
        "traced.set_submodule(before.target, fold_batchnorm(conv, norm)), node.replace_all_uses_with(before), "
        "traced.graph.erase_node(node). At the end traced.recompile().",
    ),
    points=4,
    tolerance=1e-12,
)
