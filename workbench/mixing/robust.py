"""Place × way of joining × training: which fusion still works when one modality turns to noise?

    python -m workbench.mixing.robust --seeds 5

trains every fusion twice, on clean emoji and on emoji of which half have one modality replaced by noise, and writes
`assets/models/emoji_robust.json` (every seed's accuracies) and `emoji_robust.safetensors` (`STORED`, seed 0).

A *method* is named by place, way and training: "early gate" was trained clean, "early gate + noise" with noise, and
"early gate + noise, longer" with three times as many updates. A *condition* says what is noise at the test: nothing
("clean"), every "picture", every "name", or one of the two, as often the one as the other ("either"). Noise is
`corrupt` at full amount: it knows nothing of what it replaces.

To spoil whole modalities in training is ModDrop (Neverova et al., arXiv 1501.00102), here with noise, one at a
time, where ModDrop has zeros. Nothing tells the model which modality is noise; it must see that for itself.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

import safetensors.torch
import torch
from torch import nn
from tqdm.auto import tqdm

from workbench.blocks import NameEncoder, PictureEncoder
from workbench.data import EmojiPart, load_emoji, read_asset, write_asset
from workbench.mixing import experiment, scores
from workbench.mixing.combine import Add, Attend, Concat, Gate
from workbench.mixing.corrupt import corrupt
from workbench.mixing.early import EarlyFusion
from workbench.mixing.experiment import CLASSES, EPOCHS, WIDTH, examples, spoil
from workbench.mixing.hybrid import HybridFusion
from workbench.mixing.late import LateFusion
from workbench.mixing.scores import Scores
from workbench.training import evaluate, fit, seeded

ASSET = "models/emoji_robust"
PLACES = {"early": EarlyFusion, "late": LateFusion, "hybrid": HybridFusion}
WAYS = {"concat": Concat, "add": Add, "attend": Attend, "gate": Gate}
NOISE, LONGER = " + noise", ", longer"  # what a method's name ends in
# decisions put side by side are no decision: late fusion cannot concatenate
FUSIONS = [f"{place} {way}" for place in PLACES for way in WAYS if (place, way) != ("late", "concat")]
METHODS = [fusion + training for fusion in FUSIONS for training in ("", NOISE)]
# three times as many updates: is what noise costs a price, or only a delay?
METHODS += [f"early concat{LONGER}", *(f"early {way}{NOISE}{LONGER}" for way in ("concat", "attend", "gate"))]
STORED = ("early gate",)  # the rest is trained in some seconds, where it is wanted
SPOILED = {"clean": "none", "picture": "picture", "name": "name"}  # condition -> the modality that is noise
DRAWS = 4  # training with noise sees each emoji in so many versions

Models = dict[str, nn.Module]


def build(method: str) -> nn.Module:
    """An untrained model for one of `METHODS`. Raises ValueError for another name."""
    if method not in METHODS:
        raise ValueError(f"method: expected one of {', '.join(METHODS)}; got {method!r}")
    place, way = method.removesuffix(LONGER).removesuffix(NOISE).split()
    return PLACES[place]([PictureEncoder(WIDTH), NameEncoder(WIDTH)], WAYS[way], classes=CLASSES)


def half_spoiled(part: EmojiPart, seed: int = 0) -> EmojiPart:
    """The emoji, of which about half, drawn by chance, have their picture or their name replaced by noise."""
    with seeded(seed):
        fate = torch.randint(0, 4, part.labels.shape)  # 0 picture spoiled, 1 name spoiled, 2 and 3 left alone
    noisy_pictures, noisy_names = corrupt(part.pictures, 1.0, seed), corrupt(part.names, 1.0, seed)
    return EmojiPart(
        pictures=torch.where((fate == 0)[:, None, None, None], noisy_pictures, part.pictures),
        names=[noisy_names[i] if fate[i] == 1 else name for i, name in enumerate(part.names)],
        labels=part.labels,
        vendor=part.vendor,
    )


def train(methods: Sequence[str], seed: int = 0, progress: bool = True) -> Models:
    """Trains each method from the same seed, clean or with noise for as many updates: 4 s each; "longer" takes 12."""
    part = load_emoji().train
    models: Models = {}
    for method in tqdm(methods, unit="model", file=sys.stdout, disable=not progress, leave=False):
        with seeded(seed):
            models[method] = build(method)
        rounds = 3 if method.endswith(LONGER) else 1
        seen, epochs = part, rounds * EPOCHS
        if NOISE in method:
            first = 1000 * (seed + 1)  # noise that no test has
            seen = joined([half_spoiled(part, first + draw) for draw in range(rounds * DRAWS)])
            epochs = EPOCHS // DRAWS
        inputs = examples(seen, method)
        fit(models[method], inputs, epochs=epochs, batch=64, learning_rate=3e-3, seed=seed, progress=False)
    return models


def joined(parts: Sequence[EmojiPart]) -> EmojiPart:
    """Several parts as one."""
    return EmojiPart(
        pictures=torch.cat([part.pictures for part in parts]),
        names=[name for part in parts for name in part.names],
        labels=torch.cat([part.labels for part in parts]),
        vendor=[vendor for part in parts for vendor in part.vendor],
    )


def measure(models: Mapping[str, nn.Module], noise_seed: int = 0) -> dict[tuple[str, str], float]:
    """(method, condition) -> the share of the 341 test emoji that it gets right."""
    test = load_emoji().test
    measured: dict[tuple[str, str], float] = {}
    for method, model in models.items():
        for condition, corrupted in SPOILED.items():
            seen = examples(spoil(test, corrupted, 1.0, noise_seed), method)
            measured[method, condition] = evaluate(model, seen)[1]
        measured[method, "either"] = (measured[method, "picture"] + measured[method, "name"]) / 2
    return measured


def trust(model: nn.Module, noise_seed: int = 0) -> dict[str, float]:
    """The mean weight that a gate or attention gives to the *picture*, by condition; the name gets the rest.

    A mean over the test emoji and, with a gate, over features. Raises ValueError unless `model` is early or hybrid
    fusion with `Attend` or `Gate`.
    """
    if not isinstance(model, EarlyFusion | HybridFusion) or not isinstance(model.combine, Attend | Gate):
        raise ValueError(
            f"model: expected early or hybrid fusion with Attend or Gate, got {type(model).__name__}"
        )
    means = {}
    for condition, corrupted in SPOILED.items():
        pictures, names, _ = examples(spoil(load_emoji().test, corrupted, 1.0, noise_seed), "early")
        with torch.no_grad():
            weights = model.combine.weights(
                model.encoders(pictures, names)
            )  # (batch, 2) or (batch, 2, width)
        means[condition] = weights[:, 0].mean().item()
    return means


def intact() -> dict[str, float]:
    """condition -> what a model gets that sees only the modality that is no noise there; clean, the better of the two.

    From the stored experiment of the easy lesson. Raises DataError.
    """
    results = experiment.load()[1].results()
    name, picture = (results[f"{modality} only", "none", 0.0][0] for modality in ("name", "picture"))
    return {"clean": max(name, picture), "picture": name, "name": picture, "either": (name + picture) / 2}


def load() -> tuple[Models, Scores]:
    """The models `STORED` of seed 0 and all seeds' accuracies, as the command above wrote them. Raises DataError."""
    weights = safetensors.torch.load(read_asset(f"{ASSET}.safetensors"))
    models = {method: build(method).eval() for method in STORED}
    for method, model in models.items():
        model.load_state_dict({name: weights[f"{method}/{name}"] for name in model.state_dict()})
    return models, scores.load(f"{ASSET}.json")


def store(models: Mapping[str, nn.Module]) -> None:
    """Writes the models `STORED`, rounded to 16 bits: half the size, and hardly an emoji changes sides."""
    weights = {
        f"{method}/{name}": value.half() if value.is_floating_point() else value
        for method in STORED
        for name, value in models[method].state_dict().items()
    }
    write_asset(f"{ASSET}.safetensors", safetensors.torch.save(weights))


def one_seed(seed: int) -> dict[tuple[str, str], float]:
    """Trains and measures everything from one seed: some two minutes. Seed 0 is also stored."""
    models = train(METHODS, seed, progress=False)
    if seed == 0:
        store(models)
    return measure(models, noise_seed=seed)


if __name__ == "__main__":
    scores.command("workbench.mixing.robust", f"{ASSET}.json", one_seed)
