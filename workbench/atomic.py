"""Writing a file so that a reader, or a power cut, sees the old version or the new one, never half of either.

The bytes go to a temporary file in the same folder (a rename is only atomic within one file system), are forced
to the disk, and take the old file's place in one step.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Yields a temporary path to write to; on a clean exit it replaces `target`, on an error `target` stays.

    Makes the folder where it is missing. Raises OSError when the disk is full or the folder cannot be written.
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".tmp")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        # mkstemp makes private files; a file that others may read stays so
        temporary.chmod(target.stat().st_mode & 0o777 if target.exists() else 0o644)
        temporary.replace(target)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def write_atomically(target: Path, content: bytes) -> None:
    """Replaces `target` by `content` in one step; raises OSError and keeps the old file when it cannot."""
    with replacing(target) as temporary:
        temporary.write_bytes(content)
