"""What we last laid down in the learner's copy of the lessons: the hashes that tell our files from theirs.

Kept in the copy itself as `.workbench.json`. A missing or damaged manifest reads as an empty one, which is safe:
every file that is not the newest version then counts as the learner's.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

from workbench.atomic import write_atomically

NAME = ".workbench.json"


@dataclass
class Manifest:
    """Hashes by path in the copy: of what was last laid there, and of the newest version offered beside it."""

    laid: dict[str, str] = field(default_factory=dict)
    offered: dict[str, str] = field(default_factory=dict)

    def is_ours(self, name: str, content: bytes) -> bool:
        """Whether these are, byte for byte, what we last laid at this path."""
        return self.laid.get(name) == fingerprint(content)

    def is_known(self, name: str, content: bytes) -> bool:
        """Whether the learner has had these bytes from us, at this path or beside it."""
        return fingerprint(content) in (self.laid.get(name), self.offered.get(name))


def fingerprint(content: bytes) -> str:
    """The SHA-256 of a file's bytes."""
    return hashlib.sha256(content).hexdigest()


def read(copy: Path) -> Manifest:
    """The manifest of a copy; an empty one where there is none or it is damaged."""
    try:
        found = json.loads((copy / NAME).read_text(encoding="utf-8"))
        return Manifest(dict(found["laid"]), dict(found["offered"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Manifest()


def write(copy: Path, manifest: Manifest) -> None:
    """Replaces the manifest of a copy in one step; raises OSError."""
    content = {"laid": manifest.laid, "offered": manifest.offered}
    write_atomically(copy / NAME, (json.dumps(content, indent=1, sort_keys=True) + "\n").encode())
