"""The learner's own copy of the lessons: brought up to date without losing a byte that the learner wrote.

The rule compares bytes, not meaning. A file that is byte for byte what we last laid down (the `manifest` knows) is
ours and may be replaced. Any other is the learner's, even if only its outputs changed (what a long run found is
work too): it stays, and the new version is laid beside it as `NAME.new.ipynb`. Nothing is removed.

Files are written before the manifest is. After an interruption in between, the next call finds bytes equal to
those it would lay, and only has to note them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from pathlib import Path

from workbench.atomic import replacing, write_atomically
from workbench.lab import manifest as manifests
from workbench.lab.manifest import Manifest, fingerprint
from workbench.lab.unspoiled import unspoiled

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "lessons"
COPY = ROOT / "my_lessons"  # ignored by git


@dataclass
class Report:
    """What a refresh did, as paths in the copy: laid down, replaced by a newer version, left because the learner
    changed them, and newer versions laid beside those."""

    added: list[str] = field(default_factory=list)
    refreshed: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    beside: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        told = [f"{len(self.added)} added"] if self.added else []
        told += [f"{len(self.refreshed)} updated"] if self.refreshed else []
        told += [f"a newer version lies beside yours: {name}" for name in self.beside]
        return "; ".join(told) or "up to date"


class Touched(Exception):
    """The learner saved a file in the moment before it would have been replaced."""


def refresh(source: Path, copy: Path) -> Report:
    """Brings `copy` up to date with `source` under the module's rule.

    Raises ValueError when `source` is no folder, OSError when the disk is full or `copy` cannot be written; then
    too nothing is lost, and the next call goes on.
    """
    if not source.is_dir():
        raise ValueError(
            f"source: expected the project's folder of lessons, got {source}, which is no folder"
        )
    manifest, report = manifests.read(copy), Report()
    for name in published(source):
        try:
            _lay(name, unspoiled((source / name).read_bytes()), copy, manifest, report)
        except (Touched, FileExistsError, NotADirectoryError):  # the last two: a file has our folder's name
            report.kept.append(name)
    manifests.write(copy, manifest)
    return report


def reset(lesson: str, source: Path, copy: Path) -> Path | None:
    """Restores one lesson (`3_fusion/1_easy`) and returns where the learner's version was put, None if none was.

    Raises ValueError when `lesson` is none of those there are, Touched when it was saved in this moment.
    """
    names = published(source)
    asked = "/" + lesson.replace("\\", "/").removesuffix(".ipynb")
    found = [name for name in names if asked.endswith("/" + name.removesuffix(".ipynb"))]
    if not found:
        known = ", ".join(name.removesuffix(".ipynb") for name in names if name.endswith(".ipynb"))
        raise ValueError(f"lesson: expected one of {known}; got {lesson}")
    name, target = found[0], copy / found[0]
    if target.is_dir():
        raise ValueError(f"lesson: {target} is a folder of yours; move it away first")
    content, there, backup = unspoiled((source / name).read_bytes()), _read(target), None
    if there is not None and there != content:
        backup = backup_name(target)
        write_atomically(backup, there)
    _replace(target, there, content)
    manifest = manifests.read(copy)
    manifest.laid[name] = fingerprint(content)
    manifests.write(copy, manifest)
    return backup


def reset_progress() -> Path | None:
    """Starts the learner's progress afresh and returns where the old one was put, None where there was none."""
    from workbench.learn import store  # not above: opening the lab must not wait for what lessons import

    if not store.path().exists():
        return None
    return store.path().rename(backup_name(store.path()))


def published(source: Path) -> list[str]:
    """What a learner gets, as paths in `source` with forward slashes: all but the authors' text and hidden files."""
    names = [file.relative_to(source) for file in source.rglob("*") if file.is_file()]
    shown = [name for name in names if not any(part.startswith((".", "__")) for part in name.parts)]
    return sorted(name.as_posix() for name in shown if name.parts[0] != "source")


def backup_name(file: Path) -> Path:
    """A name beside `file` that nothing has: `NAME.backup-<time>.SUFFIX`."""
    stem = f"{file.stem}.backup-{datetime.now():%Y%m%d-%H%M%S}"
    names = (file.with_name(f"{stem}{number}{file.suffix}") for number in _numbers())
    return next(name for name in names if not name.exists())


def _lay(name: str, content: bytes, copy: Path, manifest: Manifest, report: Report) -> None:
    """Puts one file of the lessons where it belongs: in its place, or beside a version of the learner's."""
    there = _read(copy / name)
    if there is not None and there != content and not manifest.is_ours(name, there):
        report.kept.append(name)
        if not manifest.is_known(name, content):
            _lay_beside(name, content, copy, manifest, report)
        return
    if there != content:
        _replace(copy / name, there, content)
        (report.added if there is None else report.refreshed).append(name)
    manifest.laid[name] = fingerprint(content)


def _lay_beside(name: str, content: bytes, copy: Path, manifest: Manifest, report: Report) -> None:
    """Lays a new version as `NAME.new.SUFFIX`, with a number where the learner wrote to that one as well."""
    path = Path(name)
    for number in _numbers():
        beside = path.with_name(f"{path.stem}.new{number}{path.suffix}").as_posix()
        there = _read(copy / beside)
        if there is None or there == content or manifest.is_ours(beside, there):
            _replace(copy / beside, there, content)
            manifest.laid[beside] = manifest.offered[name] = fingerprint(content)
            report.beside.append(beside)
            return


def _numbers() -> Iterator[str]:
    """What makes a name another one: nothing, -2, -3, …"""
    return (f"-{number}" if number > 1 else "" for number in count(1))


def _read(path: Path) -> bytes | None:
    """A file's bytes, None where there is nothing; a folder reads as bytes that no lesson has."""
    if path.is_dir():
        return b"a folder"
    return path.read_bytes() if path.exists() else None


def _replace(target: Path, expected: bytes | None, content: bytes) -> None:
    """Replaces `target` unless it no longer is what was `expected`: an open JupyterLab may save at any time."""
    with replacing(target) as temporary:
        temporary.write_bytes(content)
        if _read(target) != expected:
            raise Touched(f"{target} was saved just now; close it and try again")


def main(argv: list[str] | None = None) -> int:
    """`python -m workbench reset 3_fusion/1_easy` or `reset progress`: starts afresh and keeps a backup."""
    parser = argparse.ArgumentParser(prog="python -m workbench reset", description=main.__doc__)
    parser.add_argument("what", metavar="LESSON|progress")
    what = parser.parse_args(argv).what
    try:
        backup = reset_progress() if what == "progress" else reset(what, SOURCE, COPY)
    except (ValueError, Touched) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{what} starts afresh" + (f"; what was there is kept as {backup}" if backup else ""))
    return 0
