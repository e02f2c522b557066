"""All cases of all files of this folder: a new file is found by itself."""

from importlib import import_module
from pathlib import Path

from corpus.case import Case

NOT_KERNELS = {"case", "collected", "run_in_numba"}
MODULES = tuple(
    import_module(f"corpus.{path.stem}")
    for path in sorted(Path(__file__).parent.glob("[a-z]*.py"))
    if path.stem not in NOT_KERNELS
)
CASES: tuple[Case, ...] = tuple(case for module in MODULES for case in module.CASES)
