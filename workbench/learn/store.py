"""The reader's progress: one small JSON file, which neither a crash nor a second notebook may spoil.

    {"version": 1, "done": {task: time}, "hints": {task: how many}, "guesses": {lesson: {name: {guess, time, because}}}}

Several kernels may write at once, so a change is made under a file lock: read, change, replace in one step. A
file that cannot be read is put aside under a new name, never overwritten, and progress starts afresh. Fields this
version does not know are kept.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from workbench.atomic import write_atomically
from workbench.learn import session

VERSION = 1
SECTIONS = ("done", "hints", "guesses")
PATIENCE = 10.0  # seconds to wait for another notebook that is writing


def folder() -> Path:
    """Where progress is kept: `WORKBENCH_DATA`, or the user's data directory."""
    if named := os.environ.get("WORKBENCH_DATA"):
        return Path(named)
    from platformdirs import user_data_path

    return user_data_path("neuralfabric-workbench", appauthor=False)


def path() -> Path:
    """The progress file itself, which need not exist."""
    return folder() / "progress.json"


def load() -> dict[str, Any]:
    """What is stored, or an empty progress; never raises on a damaged or unreadable file."""
    if not path().exists():
        return _empty()
    try:
        with _locked():
            return _read()
    except OSError:
        # read-only, or locked for long: the file can be read all the same, since it is replaced in one step
        data = _parse()
        return _empty() | data if _sound(data) else _empty()


@contextmanager
def change() -> Iterator[dict[str, Any]]:
    """Yields the stored progress to change in place, and writes it back in one step.

    Under a grader nothing is written: the answers there are somebody else's. Raises OSError when the folder
    cannot be written or another notebook holds the lock for longer than `PATIENCE`.
    """
    if session.graded():
        yield _empty()
        return
    with _locked():
        progress = _read()
        yield progress
        write_atomically(path(), (json.dumps(progress, indent=1, sort_keys=True) + "\n").encode())


def mark_done(task: str) -> str:
    """Notes that a task is solved, keeping the first time; returns why it could not be stored, or ""."""
    return _try(lambda progress: progress["done"].setdefault(task, now()))


def use_hints(task: str, count: int) -> str:
    """Notes that `count` hints of a task have been seen; returns why it could not be stored, or ""."""
    return _try(lambda progress: progress["hints"].update({task: max(count, progress["hints"].get(task, 0))}))


def lock_guess(lesson: str, name: str, guess: float | str) -> str:
    """Stores a guess unless there is one already; returns why it could not be stored, or ""."""
    entry = {"guess": guess, "time": now()}
    return _try(lambda progress: progress["guesses"].setdefault(lesson, {}).setdefault(name, entry))


def explain_guess(lesson: str, name: str, because: str) -> str:
    """Stores the reader's own line on why a locked guess was off; returns why it could not be stored, or ""."""
    return _try(
        lambda progress: (
            progress["guesses"].setdefault(lesson, {}).setdefault(name, {}).update(because=because)
        )
    )


def guess_of(lesson: str, name: str) -> dict[str, Any] | None:
    """The locked guess (`guess`, `time`, perhaps `because`), or None."""
    entry = load()["guesses"].get(lesson, {}).get(name)
    return entry if isinstance(entry, dict) and "guess" in entry else None


def now() -> str:
    """The time, in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _try(apply: Any) -> str:
    try:
        with change() as progress:
            apply(progress)
    except OSError as error:
        return f"Progress could not be saved: {error.strerror or type(error).__name__}."
    return ""


@contextmanager
def _locked() -> Iterator[None]:
    from filelock import FileLock

    folder().mkdir(parents=True, exist_ok=True)
    with FileLock(folder() / "progress.lock", timeout=PATIENCE):
        yield


def _parse() -> Any:
    try:
        return json.loads(path().read_text("utf-8"))
    except (OSError, ValueError, RecursionError):  # missing, neither JSON nor UTF-8, or nested beyond reason
        return None


def _read() -> dict[str, Any]:
    data = _parse()
    if _sound(data):
        return _empty() | data
    if not path().exists():
        return _empty()
    newer = isinstance(data, dict) and isinstance(data.get("version"), int) and data["version"] > VERSION
    _put_aside("newer" if newer else "damaged")
    return _empty()


def _sound(data: Any) -> bool:
    return (
        isinstance(data, dict)
        and data.get("version") == VERSION
        and all(isinstance(data.get(section, {}), dict) for section in SECTIONS)
        and all(isinstance(count, int) for count in data.get("hints", {}).values())
        and all(isinstance(guesses, dict) for guesses in data.get("guesses", {}).values())
        and all(
            isinstance(entry, dict)
            for guesses in data.get("guesses", {}).values()
            for entry in guesses.values()
        )
    )


def _put_aside(reason: str) -> None:
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
    path().replace(path().with_name(f"progress.{reason}-{stamp}.json"))


def _empty() -> dict[str, Any]:
    return {"version": VERSION, **{section: {} for section in SECTIONS}}
