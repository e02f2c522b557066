"""Files under `assets/`: read only after their checksum, written only together with it.

Each folder of assets (`data`, `models`) holds a `SHA256SUMS` in the format of `sha256sum`. A file is compared with its
line before a byte of it is parsed, so a loader gives what the lessons' figures were made from, or raises `DataError`.
"""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path

import numpy as np

from workbench.atomic import write_atomically


class DataError(RuntimeError):
    """A data file is missing or not the one this version was made with; the message says how to mend it."""


def assets_folder() -> Path:
    """The folder that holds data and models: `WORKBENCH_ASSETS`, else `assets` beside this package."""
    override = os.environ.get("WORKBENCH_ASSETS")
    return Path(override) if override else Path(__file__).resolve().parents[2] / "assets"


def read_asset(path: str) -> bytes:
    """The bytes of one asset, such as "data/emoji32.npz", compared with SHA256SUMS of its top folder.

    Raises DataError when the file (or the table) is missing or differs.
    """
    folder, _, name = path.partition("/")
    table = _table(_read(f"{folder}/SHA256SUMS").decode("ascii", errors="replace"))
    if name not in table:
        raise DataError(f"{path} is not listed in {assets_folder() / folder / 'SHA256SUMS'}. {_mend(path)}")
    content = _read(path)
    found = hashlib.sha256(content).hexdigest()
    if found != table[name]:
        raise DataError(
            f"{assets_folder() / path} is damaged: expected SHA-256 {table[name][:16]}…, got {found[:16]}… "
            f"({len(content)} bytes). {_mend(path)}"
        )
    return content


def read_arrays(path: str) -> dict[str, np.ndarray]:
    """The arrays of an `.npz` asset by name; never unpickles. Raises DataError as `read_asset` does."""
    with np.load(io.BytesIO(read_asset(path)), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def write_asset(path: str, content: bytes) -> None:
    """Replaces an asset and its line in SHA256SUMS: for the scripts that make `assets/models`."""
    folder, _, name = path.partition("/")
    sums = assets_folder() / folder / "SHA256SUMS"
    table = _table(sums.read_text("ascii")) if sums.exists() else {}
    table[name] = hashlib.sha256(content).hexdigest()
    write_atomically(assets_folder() / path, content)
    write_atomically(sums, "".join(f"{table[entry]}  {entry}\n" for entry in sorted(table)).encode("ascii"))


def _table(sums: str) -> dict[str, str]:
    return {entry: digest for digest, _, entry in (line.partition("  ") for line in sums.splitlines())}


def _read(path: str) -> bytes:
    try:
        return (assets_folder() / path).read_bytes()
    except OSError as error:
        raise DataError(
            f"{assets_folder() / path} cannot be read ({error.strerror}). {_mend(path)} The data come with a git "
            "clone and an editable install (`pip install -e .`); WORKBENCH_ASSETS can name another assets folder."
        ) from error


def _mend(path: str) -> str:
    return f"To mend it: `git checkout -- assets/{path}`, or clone again (the file is in git itself, not in LFS)."
