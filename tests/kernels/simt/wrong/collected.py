"""All wrong kernels and benign patterns of all files of this folder: a new file is found by itself."""

from importlib import import_module
from pathlib import Path

from wrong.case import Pattern, Wrong

NOT_KERNELS = {"case", "collected"}
FOUND = tuple(
    value
    for path in sorted(Path(__file__).parent.glob("[a-z]*.py"))
    if path.stem not in NOT_KERNELS
    for value in vars(import_module(f"wrong.{path.stem}")).values()
)
CASES = tuple(value for value in FOUND if isinstance(value, Wrong))
PATTERNS = tuple(value for value in FOUND if isinstance(value, Pattern))
