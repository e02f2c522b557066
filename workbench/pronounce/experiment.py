"""Does attention help, and which? The experiment that trains every variant and stores what came out.

    python -m workbench.pronounce.experiment --seeds 5

writes `assets/models/pronounce.json` after every run, and goes on where it was stopped: runs that are there already,
made by the same recipe, are kept. The base model of seed 0 goes to `pronounce.safetensors`. A run takes less than a
minute of one core. `load_results()` and `load_model()` read both.

A seed gives the same model bit for bit on the same CPU, torch and number of threads; elsewhere expect errors within
the spread, not equal ones.
"""

from __future__ import annotations

import argparse
import platform
from collections.abc import Sequence
from dataclasses import asdict

import safetensors.torch
import torch
from tqdm.auto import tqdm

from workbench.data import DataError, load_cmudict, read_asset, write_asset
from workbench.fabric import Fabric
from workbench.pronounce.data import choose
from workbench.pronounce.decode import measure
from workbench.pronounce.model import build
from workbench.pronounce.results import Results, Run
from workbench.pronounce.training import RECIPE, Recipe, Trained, train
from workbench.pronounce.variants import BASE, VARIANTS

RESULTS, MODEL = "models/pronounce.json", "models/pronounce.safetensors"


def load_results() -> Results:
    """The table as the command above wrote it. Raises DataError."""
    return Results.from_json(read_asset(RESULTS))


def load_model() -> Fabric:
    """The base model of seed 0, trained, in evaluation mode. Raises DataError."""
    model = build()
    model.load_state_dict(safetensors.torch.load(read_asset(MODEL)))
    return model.eval()


def run(variant: str, seed: int, recipe: Recipe = RECIPE) -> tuple[Trained, Run]:
    """Trains one variant with one seed and measures it on the test words."""
    trained = train(variant, seed, recipe)
    errors = measure(trained.model, choose(load_cmudict().test))
    parameters = sum(parameter.numel() for parameter in trained.model.parameters())
    return trained, Run(
        variant,
        seed,
        parameters,
        phoneme_error=round(errors.phoneme, 4),
        word_error=round(errors.word, 4),
        loss=round(trained.loss, 4),
        cpu_seconds=round(trained.cpu_seconds, 1),
    )


def main(arguments: Sequence[str] | None = None, recipe: Recipe = RECIPE) -> None:
    options = parse(arguments)
    head = {
        "command": "python -m workbench.pronounce.experiment",
        "recipe": asdict(recipe) | {"legs": [list(leg) for leg in recipe.legs]},
        "torch": torch.__version__,
        "machine": platform.machine(),
        "threads": 1,
    }
    results = stored(head)
    done = {(run.variant, run.seed) for run in results.runs}
    waiting = [(v, seed) for seed in range(options.seeds) for v in options.variants if (v, seed) not in done]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for variant, seed in tqdm(waiting, unit="run"):
            trained, measured = run(variant, seed, recipe)
            if (variant, seed) == (BASE, 0):
                write_asset(MODEL, safetensors.torch.save(trained.model.state_dict()))
            results = Results(head, (*results.runs, measured))
            write_asset(RESULTS, results.to_json().encode())
    finally:
        torch.set_num_threads(threads)
    print(results)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m workbench.pronounce.experiment", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--seeds", type=int, default=5, help="how often to train each variant (default: 5)")
    parser.add_argument(
        "--variants", nargs="+", choices=list(VARIANTS), default=list(VARIANTS), metavar="NAME",
        help=f"which to train (default: all): {', '.join(VARIANTS)}",
    )  # fmt: skip
    return parser.parse_args(arguments)


def stored(head: dict[str, object]) -> Results:
    """The runs that are there, if they were made in the way that `head` says; else none."""
    try:
        results = load_results()
    except DataError:
        return Results(head)
    return results if results.head == head else Results(head)


if __name__ == "__main__":
    main()
