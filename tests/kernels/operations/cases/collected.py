"""All cases, operator calls and refusals of all files of this folder: a new file is found by itself."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from cases.case import Case

from kernels.catalog import OPERATIONS

NOT_OPERATIONS = {"case", "collected", "checks"}
MODULES = tuple(
    import_module(f"cases.{path.stem}")
    for path in sorted(Path(__file__).parent.glob("[a-z]*.py"))
    if path.stem not in NOT_OPERATIONS
)
CASES: tuple[Case, ...] = tuple(case for module in MODULES for case in module.CASES)
REFUSED: dict[str, Any] = {
    f"{module.__name__.partition('.')[2]}: {reason}": refusal
    for module in MODULES
    for reason, refusal in module.REFUSED.items()
}


def calls() -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Every operator with arguments in the order of its schema, new ones at each call."""
    for module in MODULES:
        yield from module.calls()


for _name, _ in calls():
    if _name not in OPERATIONS:
        raise LookupError(f"{_name} has a case, but is not in OPERATIONS of its family's __init__.py")

NAMES = [f"{place}-{name}" for place, (name, _) in enumerate(calls())]


def call(name: str) -> tuple[str, tuple[Any, ...]]:
    """The call of this name in `NAMES`, with arguments of its own."""
    place = int(name.partition("-")[0])
    return next(found for number, found in enumerate(calls()) if number == place)
