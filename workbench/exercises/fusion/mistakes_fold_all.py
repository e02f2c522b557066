"""The passes of the exercise on folding batch normalization: the right one, then those that people write first.

Every pass walks over the same pairs of calls; a mistake differs in the question that it does not ask, or in one step of
the rewriting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from torch import fx, nn

from workbench.exercises.fusion.graph_passes import is_called_once, module_of
from workbench.fusion import fold_batchnorm


class Pair(NamedTuple):
    """A normalization that follows a convolution: the graph, the two calls in it, and the modules that they call."""

    traced: fx.GraphModule
    conv_call: fx.Node
    norm_call: fx.Node
    conv: nn.Conv2d
    norm: nn.BatchNorm2d

    def alone(self) -> bool:
        """Whether only the normalization reads what the convolution gives."""
        return len(self.conv_call.users) == 1

    def called_once(self) -> bool:
        """Whether the convolution has no other call."""
        return is_called_once(self.traced, self.conv)

    def fixed(self) -> bool:
        """Whether the statistics stay: in training mode, or where none run along, they are those of each batch."""
        return not self.norm.training and self.norm.running_mean is not None

    def may_fold(self) -> bool:
        """Whether nobody else would notice."""
        return self.alone() and self.called_once() and self.fixed()


def pairs(traced: fx.GraphModule) -> Iterator[Pair]:
    """Each normalization that directly follows a convolution; the graph may be changed on the way."""
    for node in list(traced.graph.nodes):
        before = node.args[0] if node.args else None
        conv, norm = module_of(traced, before), module_of(traced, node)
        if isinstance(before, fx.Node) and isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            yield Pair(traced, before, node, conv, norm)


def rewrite(pair: Pair) -> None:
    """A new convolution for the old one; of the normalization the call goes, not the module."""
    pair.traced.set_submodule(str(pair.conv_call.target), fold_batchnorm(pair.conv, pair.norm))
    pair.norm_call.replace_all_uses_with(pair.conv_call)
    pair.traced.graph.erase_node(pair.norm_call)


def fold_where(
    traced: fx.GraphModule, may: Callable[[Pair], bool], how: Callable[[Pair], None] = rewrite
) -> fx.GraphModule:
    """Rewrites each pair that `may` be folded, then makes the graph code again."""
    for pair in pairs(traced):
        if may(pair):
            how(pair)
    traced.recompile()
    return traced


def fold_all(traced: fx.GraphModule) -> fx.GraphModule:
    """Folds where only one reads the convolution's result, by only one call, and the statistics are fixed."""
    return fold_where(traced, Pair.may_fold)


# What else would have to be asked.


def fits_the_pattern(traced: fx.GraphModule) -> fx.GraphModule:
    """A pattern says what stands next to what. Ask who else reads the result, calls the module, and in which mode."""
    return fold_where(traced, lambda pair: True)


def ignores_other_calls(traced: fx.GraphModule) -> fx.GraphModule:
    """The convolution is called twice, and the new weights are in both calls; only one of them is normalized."""
    return fold_where(traced, lambda pair: pair.alone() and pair.fixed())


def ignores_other_users(traced: fx.GraphModule) -> fx.GraphModule:
    """What the convolution gives is needed before normalization too: whoever reads it there now gets it normalized."""
    return fold_where(traced, lambda pair: pair.called_once() and pair.fixed())


def stops_at_batch_statistics(traced: fx.GraphModule) -> fx.GraphModule:
    """Where the statistics are each batch's own there is nothing to fold, and no reason to stop: leave it as it is."""
    return fold_where(traced, lambda pair: pair.alone() and pair.called_once())


def folds_while_training(traced: fx.GraphModule) -> fx.GraphModule:
    """In training mode a normalization uses the batch's own statistics, whatever the running ones are."""
    for pair in pairs(traced):
        if pair.norm.running_mean is not None:
            pair.norm.eval()
    return fold_all(traced)


def refuses_shared_norm(traced: fx.GraphModule) -> fx.GraphModule:
    """Careful, but too much so: the normalization is only read, and each convolution can take over its numbers."""
    shared = any(not is_called_once(traced, pair.norm) for pair in pairs(traced))
    return traced if shared else fold_all(traced)


# Where one looks for the two modules.


def expects_a_module_before(traced: fx.GraphModule) -> fx.GraphModule:
    """What stands before a normalization need not be a module: ask for its `op` before you look one up."""
    for node in traced.graph.nodes:
        if isinstance(module_of(traced, node), nn.BatchNorm2d):
            traced.get_submodule(node.args[0].target)
    return fold_all(traced)


def looks_at_the_top_only(traced: fx.GraphModule) -> fx.GraphModule:
    """A target such as block.0 is a path: traced.get_submodule and traced.set_submodule follow it, getattr does not."""
    for node in traced.graph.nodes:
        if node.op == "call_module":
            getattr(traced, node.target)
    return fold_all(traced)


def takes_the_node_before(traced: fx.GraphModule) -> fx.GraphModule:
    """The list is the order of execution, and node.prev may belong to another branch: node.args[0] is what is read."""
    for node in list(traced.graph.nodes):
        conv, norm = module_of(traced, node.prev), module_of(traced, node)
        if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            pair = Pair(traced, node.prev, node, conv, norm)
            if pair.may_fold():
                rewrite(pair)
    traced.recompile()
    return traced


# The rewriting, step by step.


def scales_in_place(traced: fx.GraphModule) -> fx.GraphModule:
    """The weight may be another module's too: give this convolution a weight of its own, as a new module."""

    def how(pair: Pair) -> None:
        folded = fold_batchnorm(pair.conv, pair.norm)
        pair.conv.weight.data.copy_(folded.weight)
        pair.conv.bias = folded.bias
        pair.norm_call.replace_all_uses_with(pair.conv_call)
        traced.graph.erase_node(pair.norm_call)

    return fold_where(traced, Pair.may_fold, how)


def takes_the_module_out(traced: fx.GraphModule) -> fx.GraphModule:
    """The module may be called elsewhere too. What is replaced is one call: a node of the graph."""

    def how(pair: Pair) -> None:
        traced.set_submodule(str(pair.conv_call.target), fold_batchnorm(pair.conv, pair.norm))
        traced.set_submodule(str(pair.norm_call.target), nn.Identity())

    return fold_where(traced, Pair.may_fold, how)


def leaves_the_call(traced: fx.GraphModule) -> fx.GraphModule:
    """Nobody reads the normalization any more, but it is still computed: traced.graph.erase_node(node) takes it out."""

    def how(pair: Pair) -> None:
        traced.set_submodule(str(pair.conv_call.target), fold_batchnorm(pair.conv, pair.norm))
        pair.norm_call.replace_all_uses_with(pair.conv_call)

    return fold_where(traced, Pair.may_fold, how)


def forgets_to_recompile(traced: fx.GraphModule) -> fx.GraphModule:
    """The graph has changed, the Python code made from it has not: traced.recompile() makes it anew."""
    for pair in pairs(traced):
        if pair.may_fold():
            rewrite(pair)
    return traced


def stops_after_the_first(traced: fx.GraphModule) -> fx.GraphModule:
    """A network may have many places to fold. Return after the loop over the nodes, not within it."""
    for pair in pairs(traced):
        if pair.may_fold():
            rewrite(pair)
            break
    traced.recompile()
    return traced


def folds_nothing(traced: fx.GraphModule) -> fx.GraphModule:
    """Never wrong, and no use. Where nobody else would notice, folding is exact."""
    return traced
