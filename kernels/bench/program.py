"""The command line: which cases to race, under which conditions, and where the figures go."""

import argparse
import csv
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from kernels.bench.case import Case
from kernels.bench.cases import CASES
from kernels.bench.goals import verdicts
from kernels.bench.race import Conditions, race
from kernels.bench.result import Result
from kernels.bench.rivals import reason
from kernels.bench.summary import summary

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
OPERATIONS = tuple(dict.fromkeys(case.operation for case in CASES.values()))
ABOUT = "Time every operation beside torch eager, torch.compile and, on a GPU, Liger where it is installed."


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark: a block for each race, then a table of all; 1 if an operation of ours failed."""
    parser = _parser()
    options = parser.parse_args(argv)
    if options.threads < 1:
        parser.error(f"--threads: expected at least 1, got {options.threads}")
    if options.repeats < 3:
        parser.error(f"--repeats: expected at least 3, got {options.repeats}")
    conditions = Conditions(
        "cuda" if torch.cuda.is_available() else "cpu",
        DTYPES[options.dtype],
        options.threads,
        options.repeats,
    )
    chosen = [case for case in CASES.values() if options.op in (None, case.operation)]
    passes = (False,) if options.forward_only else (False, True)
    print(f"{_where(conditions)}\n", flush=True)
    results, failed = [], False
    for case, size, backward in _races(chosen, options.sizes, passes):
        try:
            results.append(race(case, size, backward, conditions))
        except Exception as error:  # the others still have something to say
            failed = True
            print(f"{case.name} {size} FAILED: {reason(error)}\n", flush=True)
        else:
            print(results[-1], flush=True)
    if results:
        print("\n".join([summary(results), "", *verdicts(results, complete=options.op is None)]))
        _write(results, options.csv, options.plot)
    return int(failed)


def _where(conditions: Conditions) -> str:
    if conditions.device == "cpu":
        return f"CPU, {conditions.threads} of {os.cpu_count()} cores, torch {torch.__version__}"
    return f"{torch.cuda.get_device_name()}, torch {torch.__version__}"


def _races(
    cases: Sequence[Case], sizes: Sequence[int], passes: Sequence[bool]
) -> Iterator[tuple[Case, int, bool]]:
    for backward in passes:
        for case in cases:
            if case.trains or not backward:
                for size in sizes:
                    yield case, size, backward


def _write(results: Sequence[Result], table: Path | None, picture: Path | None) -> None:
    if table:
        rows = [row for result in results for row in result.rows()]
        with table.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    if picture:
        from kernels.bench.plot import plot  # brings matplotlib, half a second: only when needed

        plot(results, picture)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m kernels.bench", description=ABOUT)
    parser.add_argument("--op", choices=OPERATIONS, metavar="NAME", help="only: " + ", ".join(OPERATIONS))
    parser.add_argument(
        "--sizes", type=_sizes, default=(128, 1024, 4096), help="sides of square inputs (128,1024,4096)"
    )
    parser.add_argument("--csv", type=_file, help="also write the figures to this file")
    parser.add_argument("--plot", type=_picture, metavar="FILE.png", help="also draw them")
    parser.add_argument(
        "--threads",
        type=int,
        default=torch.get_num_threads(),
        help="threads of every rival; 1 is steadiest on a busy machine",
    )
    parser.add_argument("--repeats", type=int, default=20, help="rounds (20); fewer where a call is long")
    parser.add_argument(
        "--dtype", choices=list(DTYPES), default="float32", help="of all real numbers (float32)"
    )
    parser.add_argument("--forward-only", action="store_true", help="leave the backward passes out")
    return parser


def _sizes(text: str) -> tuple[int, ...]:
    try:
        sizes = tuple(int(part) for part in text.split(","))
    except ValueError:
        sizes = (0,)
    if min(sizes) < 1:
        raise argparse.ArgumentTypeError(f"expected sizes of at least 1 such as 128,1024, got {text!r}")
    return sizes


def _file(text: str) -> Path:
    """A file that can be written at the end of a long run."""
    file = Path(text)
    if not file.parent.is_dir() or file.is_dir():
        raise argparse.ArgumentTypeError(f"expected a file in a folder that exists, got {text!r}")
    return file


def _picture(text: str) -> Path:
    if not text.endswith(".png"):
        raise argparse.ArgumentTypeError(f"expected a file that ends in .png, got {text!r}")
    return _file(text)
