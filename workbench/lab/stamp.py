"""What an environment was made from: the choices and a fingerprint, kept in `.venv/workbench-setup.json`.

The fingerprint is empty while an installation is under way, so an interrupted one never looks finished, and the
choices (extras, torch's build) outlive the interruption.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

FILE = Path(".venv") / "workbench-setup.json"


@dataclass(frozen=True)
class Stamp:
    """The extras of pyproject.toml, torch's build ("cpu", or "" for the package index's own), the fingerprint."""

    extras: tuple[str, ...] = ()
    torch: str = ""
    fingerprint: str = ""


def fingerprint(root: Path) -> str:
    """A hash of all that decides what is installed, and of where: an environment cannot be moved."""
    parts = [str(root).encode()]
    for name in ("pyproject.toml", "constraints.txt", ".venv/pyvenv.cfg"):  # the last one names the Python
        path = root / name
        parts.append(path.read_bytes() if path.exists() else b"")
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def read(root: Path) -> Stamp:
    """The stamp of `root/.venv`; an empty one where there is none or it is damaged."""
    try:
        found = json.loads((root / FILE).read_text(encoding="utf-8"))
        return Stamp(tuple(map(str, found["extras"])), str(found["torch"]), str(found["fingerprint"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Stamp()


def write(root: Path, stamp: Stamp) -> None:
    """Writes the stamp; one cut off half-way is damaged, and so means "set up again"."""
    content = {"extras": stamp.extras, "torch": stamp.torch, "fingerprint": stamp.fingerprint}
    (root / FILE).write_text(json.dumps(content), encoding="utf-8")
