"""From one vendor's drawings to another's: what is lost, and what four ways of adaptation bring back.

    python -m workbench.mixing.vendors --seeds 5

A classifier of emoji pictures learns from one vendor's drawings with their categories, and from the other's drawings
*without* them; then it is asked about test emoji that neither vendor's training part holds. The command measures
`METHODS` in both directions and writes `assets/models/emoji_vendors.json`. A *condition* is a direction,
"google → twitter"; "twitter → twitter" is at home, what labels of the target would have given.

Both vendors draw the same 1,636 emoji, so the categories have the same shares on both sides. That is the kindest case:
AdaBN, CORAL and DANN all take for granted that only the drawing differs.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from workbench.blocks import PictureEncoder
from workbench.data import load_emoji
from workbench.data.pictures import Vendor
from workbench.mixing import scores
from workbench.mixing.adapt import DeepCoral, DomainAdversary, adabn, coral, fit_together
from workbench.mixing.experiment import CLASSES, EPOCHS, WIDTH
from workbench.mixing.scores import Scores
from workbench.training import evaluate, fit, seeded

ASSET = "models/emoji_vendors.json"
DIRECTIONS: tuple[tuple[Vendor, Vendor], ...] = (("twitter", "google"), ("google", "twitter"))
# the features are small numbers and their covariances smaller: 1000 was the best of 1, 30 and 1000 in a first look at
# the target's labels, which a real task would not have; 1 is the weight of DANN's paper, the others try its limits
CORAL_WEIGHT = 1000.0
DANN_WEIGHTS = (1.0, 10.0, 100.0)
METHODS = ["source only", "AdaBN", "CORAL", "Deep CORAL", *(f"DANN × {weight:g}" for weight in DANN_WEIGHTS)]


def pictures(vendor: Vendor) -> Tensor:
    """The vendor's training drawings, without their labels: uint8 (1295, 32, 32, 3)."""
    return load_emoji(vendor).train.pictures


def build(seed: int = 0) -> nn.Sequential:
    """An untrained encoder, with three batch normalizations, and a linear classifier."""
    with seeded(seed):
        return nn.Sequential(PictureEncoder(WIDTH), nn.Linear(WIDTH, CLASSES))


def train(source: Vendor, seed: int = 0) -> nn.Sequential:
    """Trained on the source's labeled drawings and nothing else: some 3 s."""
    model, part = build(seed), load_emoji(source).train
    seen = (part.pictures, part.labels)
    fit(model, seen, epochs=EPOCHS, batch=64, learning_rate=3e-3, seed=seed, progress=False)
    return model


def accuracy(model: nn.Module, vendor: Vendor) -> float:
    """The share of the vendor's 341 test drawings that the model gets right."""
    test = load_emoji(vendor).test
    return evaluate(model, (test.pictures, test.labels))[1]


def train_on_aligned(model: nn.Sequential, source: Vendor, target: Vendor, seed: int = 0) -> nn.Sequential:
    """The trained model with a new classifier, learned on the source's features after `coral`: a second or two."""
    encoder, classifier = copy.deepcopy(model[0]), build(seed)[1]
    with torch.no_grad():
        aligned = coral(encoder(pictures(source)), encoder(pictures(target)))  # (1295, width)
    seen = (aligned, load_emoji(source).train.labels)
    fit(classifier, seen, epochs=2 * EPOCHS, batch=64, learning_rate=3e-3, seed=seed, progress=False)
    return nn.Sequential(encoder, classifier).eval()


def train_together(penalty: nn.Module, source: Vendor, target: Vendor, seed: int = 0) -> nn.Module:
    """Trained on the source's labels and a penalty on both vendors' features: some 8 s."""
    encoder, classifier = build(seed)
    part = load_emoji(source).train
    seen = (part.pictures, part.labels)
    return fit_together(encoder, classifier, seen, pictures(target), penalty, epochs=EPOCHS, seed=seed)


def adversary(weight: float = 1.0, seed: int = 0) -> DomainAdversary:
    """DANN's domain classifier for the features of these models."""
    with seeded(seed):
        return DomainAdversary(WIDTH, weight=weight)


def told_apart(model: nn.Sequential, source: Vendor, target: Vendor) -> float:
    """How often a new linear classifier names the vendor of a test drawing from its features; by chance 0.5.

    It needs no category of any drawing, so it can be asked where accuracy cannot (Ben-David et al., "A theory of
    learning from different domains", 2010, measure the distance of domains so). Each vendor is seen with its own
    statistics.
    """
    encoders = [adabn(model, pictures(vendor))[0] for vendor in (source, target)]  # type: ignore[index]

    def drawings(part: str) -> tuple[Tensor, Tensor]:
        both = [getattr(load_emoji(vendor), part).pictures for vendor in (source, target)]
        with torch.no_grad():
            features = [
                encoder(drawn) for encoder, drawn in zip(encoders, both, strict=True)
            ]  # (n, width) each
        return torch.cat(features), torch.arange(2).repeat_interleave(len(both[0]))

    seen, asked = drawings("train"), drawings("test")
    with seeded(0):  # the normalization gives all features the same scale
        probe = nn.Sequential(nn.BatchNorm1d(WIDTH, affine=False), nn.Linear(WIDTH, 2))
    fit(probe, seen, epochs=15, batch=64, learning_rate=1e-2, progress=False)
    return evaluate(probe, asked)[1]


def measure(source: Vendor, target: Vendor, seed: int = 0) -> dict[tuple[str, str], float]:
    """(method, condition) -> accuracy on the target, for every one of `METHODS`, and at home for "source only"."""
    model = train(source, seed)
    adapted = {
        "source only": model,
        "AdaBN": adabn(model, pictures(target)),
        "CORAL": train_on_aligned(model, source, target, seed),
        "Deep CORAL": train_together(DeepCoral(CORAL_WEIGHT), source, target, seed),
    }
    for weight in DANN_WEIGHTS:
        adapted[f"DANN × {weight:g}"] = train_together(adversary(weight, seed), source, target, seed)
    measured = {(method, f"{source} → {target}"): accuracy(m, target) for method, m in adapted.items()}
    return measured | {("source only", f"{source} → {source}"): accuracy(model, source)}


def one_seed(seed: int) -> dict[tuple[str, str], float]:
    """Both directions from one seed: some 60 s."""
    measured = [measure(source, target, seed) for source, target in DIRECTIONS]
    return measured[0] | measured[1]


def load() -> Scores:
    """All seeds' accuracies, as the command above wrote them. Raises DataError."""
    return scores.load(ASSET)


if __name__ == "__main__":
    scores.command("workbench.mixing.vendors", ASSET, one_seed)
