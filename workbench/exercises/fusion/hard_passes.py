"""Exercise of the hard lesson: a pass over a graph that folds batch normalization, and leaves alone what it must.

torch.fx gives a model as a graph of calls. A pass looks for a pattern and rewrites it: here a call of a normalization
whose input is a call of a convolution. The formula is the easy half. What a pass has to know is who *else* would
notice (`trap_networks.py` has a network for each way). Answers are compared in float64, where a rewriting that is right
differs by rounding alone.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from workbench.exercises.exercise import Exercise
from workbench.exercises.fusion import mistakes_fold_all as mistakes
from workbench.exercises.fusion.fresh.chain_all import CHAIN_ALL
from workbench.exercises.fusion.graph_passes import calls_left, calls_read, module_of, run
from workbench.exercises.fusion.mistakes_fold_all import fold_all
from workbench.exercises.fusion.trap_networks import Network, networks

__all__ = ["FOLD_ALL", "fold_all", "module_of"]

LESSON = "3_fusion/3_hard"


def _inputs(rng: np.random.Generator) -> dict[str, tuple[Network, Tensor]]:
    def draw(network: Network) -> tuple[Network, Tensor]:
        return network, torch.from_numpy(rng.standard_normal((2, 3, 5, 6)))

    return {trap: draw(network) for trap, network in networks(rng).items()}


FOLD_ALL = Exercise(
    name="fusion.fold_all",
    lesson=LESSON,
    title="A pass that survives the traps",
    statement=(
        "traced is an fx.GraphModule in float64. Fold every nn.BatchNorm2d into the nn.Conv2d whose result it reads, "
        "where all results of the model stay the same: fold_batchnorm(conv, norm) of workbench.fusion makes the new "
        "convolution. Leave the others as they are. Modules may be nested, shared, or tied by a weight; they are only "
        "called, with one positional argument each, and the graph reads no weight by itself. Return the graph module. "
        "The check counts the calls of nn.BatchNorm2d that are left."
    ),
    signature="fold_all(traced)",
    solution=fold_all,
    wrong={
        "folds wherever the pattern fits": mistakes.fits_the_pattern,
        "folds a convolution that is called twice": mistakes.ignores_other_calls,
        "folds what is needed unfolded elsewhere": mistakes.ignores_other_users,
        "stops at a normalization that it should leave alone": mistakes.stops_at_batch_statistics,
        "takes running statistics in training mode": mistakes.folds_while_training,
        "leaves a shared normalization alone": mistakes.refuses_shared_norm,
        "expects a module before every normalization": mistakes.expects_a_module_before,
        "looks for modules at the top level only": mistakes.looks_at_the_top_only,
        "takes the node before in the list for the one before in the data": mistakes.takes_the_node_before,
        "scales a weight that is tied to another": mistakes.scales_in_place,
        "takes out the module instead of the call": mistakes.takes_the_module_out,
        "leaves the call in the graph": mistakes.leaves_the_call,
        "forgets to recompile": mistakes.forgets_to_recompile,
        "stops after the first fold": mistakes.stops_after_the_first,
        "folds nothing": mistakes.folds_nothing,
    },
    inputs=_inputs,
    run=run,
    budgets={
        "fold where it is right": calls_read(nn.BatchNorm2d, "calls of nn.BatchNorm2d that are read"),
        "take the call out": calls_left(nn.BatchNorm2d, "calls of nn.BatchNorm2d in the graph"),
    },
    hints=(
        "Print traced.graph for each formula that fails. Who else reads the number you are about to change?",
        "The node before is node.args[0], whose result is read, not the one above it in the list. Two counts decide: "
        "who reads its result (its users), and how many nodes of the graph call its module. Replace calls, not "
        "modules; the new convolution is a new module.",
        "A third test: not norm.training, and norm.running_mean is not None, as it is with track_running_stats=False. "
        "Then traced.set_submodule(before.target, fold_batchnorm(conv, norm)), node.replace_all_uses_with(before), "
        "traced.graph.erase_node(node); at the end traced.recompile().",
    ),
    points=4,
    tolerance=1e-12,
    again=CHAIN_ALL,
)
