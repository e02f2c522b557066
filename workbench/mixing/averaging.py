"""Five models, one answer: is it the answers or the weights that should be averaged?

    python -m workbench.mixing.averaging --seeds 5

trains groups of five small networks on MNIST-1D and writes `assets/models/mnist1d_averaging.json`. What the five have
in common decides what the mean of their weights is worth:

- *apart*: five starts, five orders of the data. Hidden unit 7 of one has nothing to do with unit 7 of another.
- *one ancestor*: one network trained halfway, then five copies trained on, each on an order of its own (a "model soup",
  Wortsman et al., arXiv 2203.05482, §2, with equal recipes).
- *one path*: five moments of a single training (Izmailov et al., "Averaging Weights Leads to Wider Optima and Better
  Generalization", arXiv 1803.05407, §3).
- *shuffled*: one network five times, each time with its hidden units in another order. All five compute the *same*
  function, so whatever the mean of their weights gets wrong is due to the order of the units and nothing else.

*shuffled* shows that the order alone can ruin the mean. Whether it is what ruins it *apart*, the last way says: put
the units of all five in the order of the first's (`align`), which changes no answer of theirs, and average then.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from workbench.data import SignalPart, load_mnist1d
from workbench.mixing import scores
from workbench.mixing.align import align, linears, reorder
from workbench.mixing.ensemble import Ensemble, average_weights
from workbench.mixing.scores import Scores
from workbench.training import evaluate, fit, seeded

ASSET = "models/mnist1d_averaging.json"
MEMBERS = 5
EPOCHS = 20
WIDTH = 256


def build(seed: int = 0) -> nn.Sequential:
    """An untrained network with two hidden layers: (batch, 40) -> logits (batch, 10)."""
    with seeded(seed):
        return nn.Sequential(
            nn.Linear(40, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, 10)
        )


def trained(model: nn.Sequential, part: SignalPart, epochs: int, seed: int) -> nn.Sequential:
    """A copy of `model`, trained (on); the given one stays."""
    result = copy.deepcopy(model)
    seen = (part.signals, part.labels)
    fit(result, seen, epochs=epochs, batch=64, learning_rate=3e-3, seed=seed, progress=False)
    return result


def apart(part: SignalPart, seed: int = 0) -> list[nn.Sequential]:
    """Five networks that have nothing in common but the data: some 10 s."""
    own = [MEMBERS * seed + member for member in range(MEMBERS)]
    return [trained(build(start), part, EPOCHS, start) for start in own]


def one_ancestor(part: SignalPart, seed: int = 0) -> list[nn.Sequential]:
    """Five networks that parted halfway."""
    ancestor = trained(build(seed), part, EPOCHS // 2, seed)
    return [trained(ancestor, part, EPOCHS // 2, 1000 + MEMBERS * seed + member) for member in range(MEMBERS)]


def one_path(part: SignalPart, seed: int = 0) -> list[nn.Sequential]:
    """Five moments of the second half of one training."""
    moments = [trained(build(seed), part, EPOCHS // 2, seed)]
    for moment in range(MEMBERS):
        own = 2000 + MEMBERS * seed + moment
        moments.append(trained(moments[-1], part, EPOCHS // 2 // MEMBERS, own))
    return moments[1:]


def shuffled(model: nn.Sequential, seed: int = 0) -> list[nn.Sequential]:
    """The same function five times, hidden units in another order each time."""
    widths = [layer.out_features for layer in linears("model", model)[:-1]]
    with seeded(seed):
        return [reorder(model, [torch.randperm(width) for width in widths]) for _ in range(MEMBERS)]


def measure(
    models: Sequence[nn.Sequential], part: SignalPart, align_on: Tensor | None = None
) -> dict[str, float]:
    """Shares of right answers: the members' mean, that of their ensemble, that of the mean of their weights.

    With `align_on`, signals (n, 40) of the training, also that of the mean of their weights after the units of all
    were put in the order of the first's.
    """
    seen = (part.signals, part.labels)
    alone = [evaluate(model, seen)[1] for model in models]
    shares = {
        "one model": sum(alone) / len(alone),
        "ensemble": evaluate(Ensemble(models), seen)[1],
        "averaged weights": evaluate(average_weights(models), seen)[1],
    }
    if align_on is not None:
        aligned = [align(model, models[0], align_on) for model in models]
        shares["aligned, then averaged"] = evaluate(average_weights(aligned), seen)[1]
    return shares


def one_seed(seed: int) -> dict[tuple[str, str], float]:
    """All four groups from one seed, on the 1,000 test signals: some 25 s."""
    data = load_mnist1d()
    strangers = apart(data.train, seed)
    groups = {
        "apart": strangers,
        "one ancestor": one_ancestor(data.train, seed),
        "one path": one_path(data.train, seed),
        "shuffled": shuffled(strangers[0], seed),
    }
    measured = {group: measure(models, data.test, data.train.signals) for group, models in groups.items()}
    return {(method, group): shares[method] for group, shares in measured.items() for method in shares}


def load() -> Scores:
    """All seeds' accuracies, as the command above wrote them. Raises DataError."""
    return scores.load(ASSET)


if __name__ == "__main__":
    scores.command("workbench.mixing.averaging", ASSET, one_seed)
