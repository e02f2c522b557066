"""A program: runs the corpus in Numba's own simulator and writes what came out, for a test to compare.

`NUMBA_ENABLE_CUDASIM=1 python run_in_numba.py results.npz 0 1 2` runs every case that this simulator can run, with each
of these seeds. That variable must be set before numba is imported, so this takes a process of its own.
"""

import sys
import warnings
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from corpus.case import Case
from corpus.collected import CASES


def run(case: Case, seed: int) -> dict[str, np.ndarray]:
    """The outputs of one launch, as "name/seed/position"; an error instead, as text, under "name/seed/error"."""
    arguments = case.draw(seed)
    try:
        case.kernel[case.grid, case.block, 0, case.shared_bytes](*arguments)
    except Exception as error:
        return {f"{case.name}/{seed}/error": np.array(f"{type(error).__name__}: {error}")}
    return {f"{case.name}/{seed}/{place}": arguments[place] for place in case.wanted(seed)}


def main(path: str, *seeds: str) -> None:
    warnings.simplefilter(
        "ignore", RuntimeWarning
    )  # NumPy warns where integers wrap around; on a GPU they just do
    found: dict[str, np.ndarray] = {}
    for case in CASES:
        if not case.not_in_numba:
            for seed in seeds:
                found |= run(case, int(seed))
    np.savez(path, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
