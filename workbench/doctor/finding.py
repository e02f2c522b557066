"""What a check finds, and how it looks at packages without falling over."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from importlib import metadata
from typing import Any


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    subject: str
    value: str
    severity: str = "ok"  # or "note" or "problem"
    mend: str = ""


def note(subject: str, value: str, mend: str) -> Finding:
    """An optional part that is missing, or something to know."""
    return Finding(subject, value, "note", mend)


def problem(subject: str, value: str, mend: str) -> Finding:
    """Something without which the lessons cannot run."""
    return Finding(subject, value, "problem", mend)


def load(name: str) -> Any:
    """A module, or the finding that says why it cannot be imported."""
    try:
        return importlib.import_module(name)
    except Exception as error:  # a broken binary package fails in many ways
        return problem(name, f"cannot be imported: {brief(error)}", f"pip install --force-reinstall {name}")


def version(package: str) -> str:
    """The installed version of a package, "" without one."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def brief(error: Exception) -> str:
    """An error in one line."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:100]}" if lines else type(error).__name__
