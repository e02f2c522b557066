"""Picture, name, or both? Five ways to tell an emoji's category, and what noise does to each.

    python -m workbench.mixing.experiment --seeds 5

trains all of them five times and writes `assets/models/emoji_fusion.safetensors` (seed 0) and
`emoji_fusion.json` (every seed's accuracies); `load()` reads both. `train(seed)` does one seed live, in some 15 s of
one core. "late" is put together from "picture only" and "name only", without any training of its own.

A seed gives the same models bit for bit on the same CPU, torch and number of threads. Elsewhere sums are taken in
another order, the last digits differ, and after training some test items fall on the other side: expect accuracies
within the spread, not equal ones.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Sequence

import safetensors.torch
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from workbench.blocks import NameEncoder, PictureEncoder
from workbench.data import EmojiPart, load_emoji, read_asset, write_asset
from workbench.mixing.comparison import Comparison, Key
from workbench.mixing.corrupt import corrupt
from workbench.mixing.early import EarlyFusion
from workbench.mixing.hybrid import HybridFusion
from workbench.mixing.late import LateFusion
from workbench.training import evaluate, fit, seeded

FUSIONS = ("picture only", "name only", "early", "late", "hybrid")
AMOUNTS = (0.0, 0.25, 0.5, 0.75, 1.0)
CLASSES = 8
WIDTH = 64
EPOCHS = 20

Models = dict[str, nn.Module]


def build(fusion: str) -> nn.Module:
    """An untrained model of one of `FUSIONS`. Raises ValueError for another name."""
    if fusion == "picture only":
        return nn.Sequential(PictureEncoder(WIDTH), nn.Linear(WIDTH, CLASSES))
    if fusion == "name only":
        return nn.Sequential(NameEncoder(WIDTH), nn.Linear(WIDTH, CLASSES))
    kinds = {"early": EarlyFusion, "late": LateFusion, "hybrid": HybridFusion}
    if fusion not in kinds:
        raise ValueError(f"fusion: expected one of {', '.join(FUSIONS)}; got {fusion!r}")
    return kinds[fusion]([PictureEncoder(WIDTH), NameEncoder(WIDTH)], classes=CLASSES)


def examples(part: EmojiPart, fusion: str) -> tuple[Tensor, ...]:
    """What `fusion` sees of the emoji (pictures, hashed names, or both), then the labels."""
    names = NameEncoder(WIDTH).hash(part.names)
    seen = {"picture only": (part.pictures,), "name only": (names,)}.get(fusion, (part.pictures, names))
    return (*seen, part.labels)


def train(seed: int = 0, fusions: Sequence[str] = FUSIONS, progress: bool = True) -> Models:
    """The models of `fusions`, trained on the training emoji; "late" needs both "… only" beside it (ValueError)."""
    if "late" in fusions and not {"picture only", "name only"} <= set(fusions):
        raise ValueError(f'fusions: "late" is made of "picture only" and "name only"; got {list(fusions)}')
    part = load_emoji().train
    models: Models = {}
    own = [fusion for fusion in fusions if fusion != "late"]
    for fusion in tqdm(own, unit="model", file=sys.stdout, disable=not progress, leave=False):
        with seeded(seed):
            models[fusion] = build(fusion)
        seen = examples(part, fusion)
        fit(models[fusion], seen, epochs=EPOCHS, batch=64, learning_rate=3e-3, seed=seed, progress=False)
    return _in_order(models, fusions)


def _in_order(models: Models, fusions: Sequence[str]) -> Models:
    """Adds "late" where it is asked for: the two classifiers trained apart, their probabilities averaged."""
    if "late" in fusions:
        late = build("late")
        for place, alone in enumerate(("picture only", "name only")):
            late.encoders[place], late.classifiers[place] = models[alone]  # type: ignore[misc]
        models["late"] = late.eval()
    return {fusion: models[fusion] for fusion in fusions}


def measure(models: Models, noise_seed: int = 0) -> dict[Key, float]:
    """The share of the 341 test emoji that each model gets right, with no noise and with each modality spoiled."""
    test = load_emoji().test
    accuracies: dict[Key, float] = {}
    for corrupted in ("none", "picture", "name"):
        for amount in AMOUNTS if corrupted != "none" else (0.0,):
            spoiled = spoil(test, corrupted, amount, noise_seed)
            for fusion, model in models.items():
                accuracies[fusion, corrupted, amount] = evaluate(model, examples(spoiled, fusion))[1]
    return accuracies


def spoil(part: EmojiPart, corrupted: str, amount: float, seed: int = 0) -> EmojiPart:
    """The emoji with one modality ("picture", "name" or "none") corrupted by `amount`."""
    pictures = corrupt(part.pictures, amount, seed) if corrupted == "picture" else part.pictures
    names = corrupt(part.names, amount, seed) if corrupted == "name" else part.names
    return EmojiPart(pictures, names, part.labels, part.vendor)


def load() -> tuple[Models, Comparison]:
    """The models of seed 0 and all seeds' accuracies, as the command above wrote them. Raises DataError."""
    weights = safetensors.torch.load(read_asset("models/emoji_fusion.safetensors"))
    models: Models = {}
    for fusion in FUSIONS:
        if fusion != "late":
            mine = {
                name.removeprefix(f"{fusion}/"): w
                for name, w in weights.items()
                if name.startswith(f"{fusion}/")
            }
            models[fusion] = build(fusion).eval()
            models[fusion].load_state_dict(mine)
    rows = json.loads(read_asset("models/emoji_fusion.json"))["accuracies"]
    comparison = Comparison(
        {(row["fusion"], row["corrupted"], row["amount"]): row["by_seed"] for row in rows}
    )
    return _in_order(models, FUSIONS), comparison


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m workbench.mixing.experiment", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--seeds", type=int, default=5, help="how often to train all models (default: 5)")
    parser.add_argument(
        "--threads", type=int, default=1, help="torch threads; another number, other last digits"
    )
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    runs = []
    for seed in tqdm(range(options.seeds), unit="seed"):
        models = train(seed, progress=False)
        runs.append(measure(models, noise_seed=seed))
        if seed == 0:
            weights = {
                f"{f}/{n}": w for f, m in models.items() if f != "late" for n, w in m.state_dict().items()
            }
            write_asset("models/emoji_fusion.safetensors", safetensors.torch.save(weights))
    comparison = Comparison({key: [run[key] for run in runs] for key in runs[0]})
    write_asset("models/emoji_fusion.json", report(comparison, options).encode())


def report(comparison: Comparison, options: argparse.Namespace) -> str:
    """The accuracies as JSON, one condition a line, with what is needed to make them again."""
    head = {
        "command": f"python -m workbench.mixing.experiment --seeds {options.seeds} --threads {options.threads}",
        "torch": torch.__version__,
        "machine": platform.machine(),
    }
    rows = []
    for (fusion, corrupted, amount), (mean, spread) in comparison.results().items():
        row = {"fusion": fusion, "corrupted": corrupted, "amount": amount}
        row |= {"mean": round(mean, 4), "spread": round(spread, 4)}
        rows.append(json.dumps(row | {"by_seed": comparison.accuracies[fusion, corrupted, amount]}))
    return json.dumps(head)[:-1] + ', "accuracies": [\n' + ",\n".join(rows) + "\n]}\n"


if __name__ == "__main__":
    main()
