"""`python -m workbench.training.small_transformer`: train with and without `kernels`, print the comparison."""

from __future__ import annotations

import argparse

import torch

from workbench.profiling.clock import thread_count
from workbench.training.small_transformer.comparison import Recipe, compare_runs
from workbench.training.small_transformer.model import Size


def main(argv: list[str] | None = None) -> int:
    """Every size and the seed are options."""
    usual = Recipe()
    parser = argparse.ArgumentParser(
        prog="python -m workbench.training.small_transformer", description=__doc__
    )
    for name, default, meaning in (
        ("width", usual.size.width, "of the stream between the layers"),
        ("layers", usual.size.layers, "of attention and MLP"),
        ("heads", usual.size.num_heads, "of each attention"),
        ("hidden", usual.size.hidden, "units of each MLP"),
        ("batch", usual.batch, "passages in a step"),
        ("time", usual.time, "characters in a passage"),
        ("steps", usual.steps, "of training"),
        ("seed", usual.seed, "of the weights and of the passages"),
        ("threads", usual.threads, "for all three; 1 is steadiest on a busy machine"),
        ("repeats", 20, "rounds of the timing"),
    ):
        parser.add_argument(f"--{name}", type=int, default=default, help=f"{meaning} ({default})")
    rate = usual.learning_rate
    parser.add_argument("--learning-rate", type=float, default=rate, help=f"of AdamW ({rate})")
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32", help="(float32)")
    options = parser.parse_args(argv)
    for name, least in {
        **dict.fromkeys(vars(options), 1),
        "seed": 0,
        "repeats": 3,
        "learning_rate": 0,
    }.items():
        if name != "dtype" and getattr(options, name) < least:
            parser.error(
                f"--{name.replace('_', '-')}: expected at least {least}, got {getattr(options, name)}"
            )
    recipe = Recipe(
        Size(width=options.width, layers=options.layers, num_heads=options.heads, hidden=options.hidden),
        options.batch,
        options.time,
        options.steps,
        options.learning_rate,
        seed=options.seed,
        dtype=getattr(torch, options.dtype),
        threads=options.threads,
    )
    with thread_count(options.threads):
        print(compare_runs(recipe, options.repeats))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
