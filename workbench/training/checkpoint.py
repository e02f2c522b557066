"""A checkpoint is either whole or refused.

File = what `torch.save` writes, then 32 bytes: the SHA-256 of all before. It is replaced in one step
(`workbench.atomic`), so a kill at any moment leaves the old checkpoint or the new one; the checksum catches what a
disk or a copy does to it later, which torch's own reader does not look for. It is read with `weights_only=True`:
a checkpoint from elsewhere cannot run code.
"""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import torch

from workbench.atomic import write_atomically

DIGEST_BYTES = 32


class CheckpointError(RuntimeError):
    """A checkpoint cannot be resumed from; the message says why and what to do."""


def save(path: Path, state: dict[str, Any]) -> None:
    """Replaces the checkpoint at `path` by `state` (tensors, numbers, text, lists and dicts of them)."""
    for litter in path.parent.glob(f".{path.name}.*.tmp"):  # left by a run that was killed while saving
        litter.unlink(missing_ok=True)
    buffer = io.BytesIO()
    torch.save(state, buffer)
    content = buffer.getvalue()
    write_atomically(path, content + hashlib.sha256(content).digest())


def load(path: Path, expected: dict[str, Any]) -> dict[str, Any] | None:
    """The state saved at `path`, or None when there is no such file.

    `expected` is compared with the "run" entry of the state: what must be the same for resuming to make sense.
    Raises CheckpointError for a damaged file and for one of another model, configuration or data.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    mend = f"Delete {path} to start again, or give another path."
    body, digest = content[:-DIGEST_BYTES], content[-DIGEST_BYTES:]
    if hashlib.sha256(body).digest() != digest:
        raise CheckpointError(
            f"{path} is damaged or no checkpoint ({len(content)} bytes, wrong checksum). {mend}"
        )
    state = torch.load(io.BytesIO(body), map_location="cpu", weights_only=True)
    found = state["run"]
    differing = [
        name for name in sorted(expected.keys() | found.keys()) if expected.get(name) != found.get(name)
    ]
    if differing:
        details = "; ".join(
            f"{name}: saved {found.get(name)}, now {expected.get(name)}" for name in differing
        )
        raise CheckpointError(f"{path} belongs to another run ({details}). {mend}")
    return state
