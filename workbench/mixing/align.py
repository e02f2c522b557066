"""Hidden units have no fixed order: here one network's units are put in the order of another's.

Row i of a hidden layer's weight makes its unit i, and column i of the next layer's weight reads it. Move both and the
network still computes the same function. So two networks trained apart may have learned similar units in two orders,
and the mean of their weights then mixes units that have nothing in common.

`align` looks for the order, layer by layer. Two units are alike as far as their activations on the same signals
correlate (Li et al., "Convergent Learning", arXiv 1511.07543, §3). Of all ways to give each unit one partner it takes
the one with the largest sum of correlations (Ainsworth, Hayase and Srinivasa, "Git Re-Basin", arXiv 2209.04836, §3.1;
there the products themselves are summed). No network's answers change by it. So what the mean of the weights gains
by `align`, it had lost to the order; what is still missing, either no order mends or this way did not find the one.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional


def align(model: nn.Sequential, to: nn.Sequential, signals: Tensor) -> nn.Sequential:
    """A copy of `model` whose hidden units stand in the order of `to`'s; the same function up to rounding.

    Both are Linear, ReLU, …, Linear of equal widths, and `signals` (signals, features) is what both are shown: some
    hundreds at least, or chance decides who is like whom. Units with proportional activations cannot be told apart.
    Raises ValueError naming the argument that does not fit, ImportError, with the command that helps, without SciPy.
    """
    layers, others = linears("model", model), linears("to", to)
    widths, expected = (
        [lines[0].in_features, *(line.out_features for line in lines)] for lines in (others, layers)
    )
    if widths != expected:
        raise ValueError(f"to: expected the widths of model, {expected}, got {widths}")
    if signals.ndim != 2 or signals.shape[1] != widths[0] or len(signals) < 2:
        raise ValueError(f"signals: expected shape (2 or more, {widths[0]}), got {tuple(signals.shape)}")
    seen = zip(activations(others, signals), activations(layers, signals), strict=True)
    return reorder(model, [best_partners(correlation(theirs, own)) for theirs, own in seen])


def reorder(model: nn.Sequential, orders: Sequence[Tensor]) -> nn.Sequential:
    """A copy of `model` with unit `orders[layer][i]` of each hidden layer in place i; the same function up to rounding.

    Each order is a permutation, int64 (units,). Raises ValueError for a model that is not Linear, ReLU, …, Linear.
    """
    result = copy.deepcopy(model)
    with torch.no_grad():
        for (makes, reads), order in zip(pairwise(linears("model", result)), orders, strict=True):
            makes.weight.copy_(makes.weight[order])  # rows make the units
            if makes.bias is not None:
                makes.bias.copy_(makes.bias[order])
            reads.weight.copy_(reads.weight[:, order])  # columns read them
    return result


def linears(name: str, model: nn.Module) -> list[nn.Linear]:
    """The linear layers of a network Linear, ReLU, …, Linear. Raises ValueError, naming `name`, for any other."""
    layers = list(model) if type(model) is nn.Sequential else [model]
    fits = [type(layer) is (nn.ReLU if place % 2 else nn.Linear) for place, layer in enumerate(layers)]
    if len(layers) % 2 == 0 or not all(fits):
        kinds = ", ".join(type(layer).__name__ for layer in layers) or "nothing"
        raise ValueError(f"{name}: expected a Sequential of Linear, ReLU, …, Linear, got {kinds}")
    found = [layer for layer in layers if isinstance(layer, nn.Linear)]
    if len(list(model.parameters())) < sum(len(list(layer.parameters())) for layer in found):
        raise ValueError(f"{name}: two layers share a weight, so their units cannot be moved apart")
    return found


def activations(layers: Sequence[nn.Linear], signals: Tensor) -> list[Tensor]:
    """What each hidden layer makes of the signals: one (signals, units) a layer.

    A unit that never fires would correlate with nothing and have no place. So below zero the ReLU's own zero is
    replaced by a hundredth of the number, for this record only.
    """
    record = []
    with torch.no_grad():
        for layer in layers[:-1]:
            signals = layer(signals)  # (signals, units)
            record.append(functional.leaky_relu(signals, 0.01))
            signals = signals.relu()
    return record


def correlation(one: Tensor, other: Tensor) -> Tensor:
    """Pearson's, of each unit of `one` (signals, n) with each of `other` (signals, m): float64 (n, m).

    A unit that never changes correlates with nothing: 0.
    """
    centered = (units.double() - units.double().mean(0) for units in (one, other))
    left, right = (functional.normalize(units, dim=0) for units in centered)
    return left.T @ right


def best_partners(likeness: Tensor) -> Tensor:
    """For each row a column of its own, so that the sum of likeness (n, n) is the largest there is: int64 (n,).

    Raises ValueError when not all numbers are finite, ImportError without SciPy.
    """
    try:
        from scipy.optimize import linear_sum_assignment
    except ImportError as error:
        raise ImportError(
            "matching units needs a package that is not installed here: pip install scipy"
        ) from error
    if not likeness.isfinite().all():
        raise ValueError("signals: some activations are no finite numbers")
    _, columns = linear_sum_assignment(likeness.cpu().numpy(), maximize=True)  # Jonker and Volgenant, O(n³)
    return torch.from_numpy(columns).to(likeness.device)
