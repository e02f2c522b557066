"""Whatever is edited, updated, withdrawn, damaged or interrupted, no byte that a learner wrote is lost."""

import json
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from workbench.lab import lessons, manifest
from workbench.lab.lessons import Touched, refresh, reset

LESSONS = ["0_start.ipynb", "3_fusion/1_easy.ipynb", "glossary.md"]
LESSON = "3_fusion/1_easy.ipynb"
PLACES = [LESSON, "3_fusion/1_easy.new.ipynb", "mine.ipynb"]  # few, so that things meet


def files(folder: Path) -> dict[str, bytes]:
    """Every file of a folder but the manifest, by its path there."""
    found = {
        file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()
    }
    found.pop(manifest.NAME, None)
    return found


def put(folder: Path, name: str, content: bytes) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)


class LearnerAndUpdates(RuleBasedStateMachine):
    """A learner works in the copy while the project changes under it; the machine knows what the learner wrote."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.source, self.copy = self.folder / "lessons", self.folder / "my_lessons"
        self.versions = 0
        self.written: set[bytes] = set()  # by the learner, and neither overwritten nor deleted by them since
        self.dismissed: set[bytes] = set()  # what the learner overwrote or deleted
        self.in_doubt: set[str] = set()  # files that need not be known as ours any more

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    def fresh(self, author: str) -> bytes:
        self.versions += 1
        return f"{author} {self.versions}".encode()

    @initialize()
    def first_call(self) -> None:
        put(self.source, LESSON, self.fresh("project"))
        refresh(self.source, self.copy)
        assert files(self.copy) == files(self.source)

    @rule()
    def the_project_changes(self) -> None:
        put(self.source, LESSON, self.fresh("project"))

    @rule()
    def the_project_withdraws(self) -> None:
        (self.source / LESSON).unlink(missing_ok=True)

    def overwritten(self, name: str) -> None:
        """The learner gives up what is at `name`: it may go, unless it also lies elsewhere."""
        content = files(self.copy).get(name, b"")
        self.written.discard(content)
        self.dismissed.add(content)

    @rule(name=st.sampled_from(PLACES))
    def the_learner_writes(self, name: str) -> None:
        self.overwritten(name)
        content = self.fresh("learner")
        put(self.copy, name, content)
        self.written.add(content)

    @rule(name=st.sampled_from(PLACES))
    def the_learner_deletes(self, name: str) -> None:
        self.overwritten(name)
        (self.copy / name).unlink(missing_ok=True)

    @rule(old=st.sampled_from(PLACES), new=st.sampled_from(PLACES))
    def the_learner_renames(self, old: str, new: str) -> None:
        if old != new and (self.copy / old).exists():
            self.overwritten(new)
            self.in_doubt.add(new)
            (self.copy / new).parent.mkdir(exist_ok=True)
            (self.copy / old).replace(self.copy / new)

    @rule(
        damage=st.sampled_from(
            ["{", "[]", '{"laid": 3}', '{"laid": {"0_start.ipynb": 5}, "offered": {}}', None]
        )
    )
    def the_manifest_is_damaged(self, damage: str | None) -> None:
        self.in_doubt.update(PLACES)
        (self.copy / manifest.NAME).unlink(missing_ok=True)
        if damage is not None:
            (self.copy / manifest.NAME).write_text(damage)

    @rule(entry=st.sampled_from(PLACES))
    def the_manifest_loses_an_entry(self, entry: str) -> None:
        self.in_doubt.add(entry)
        known = manifest.read(self.copy)
        known.laid.pop(entry, None)
        manifest.write(self.copy, known)

    @rule(twice=st.booleans())
    def an_update(self, twice: bool) -> None:
        """Also holds what an update owes the learner, beyond losing nothing."""
        before = files(self.copy)
        report = refresh(self.source, self.copy)
        after, newest = files(self.copy), files(self.source)
        assert before.keys() <= after.keys()  # nothing is removed
        assert {name for name in after if name not in before or before[name] != after[name]} <= {
            *report.added,
            *report.refreshed,
            *report.beside,
        }
        for name, content in newest.items():
            assert after[name] == content or name in report.kept
            assert content in after.values() or content in self.dismissed  # it was offered
            if before.get(name, b"") not in self.written and name not in self.in_doubt:
                assert after[name] == content  # untouched, so up to date
            if after[name] == content:
                self.in_doubt.discard(name)
        if twice:
            assert str(refresh(self.source, self.copy)) == "up to date"

    @rule(writes=st.integers(0, 4), late=st.booleans())
    def an_interrupted_update(self, writes: int, late: bool) -> None:
        """Stopped at one of its writes, just before the file takes its place or just after."""
        self.in_doubt.update(PLACES)
        real, calls = Path.replace, iter(range(100))

        def replace(temporary: Path, target: Path) -> Path:
            stop = next(calls) == writes
            if stop and not late:
                raise KeyboardInterrupt
            result = real(temporary, target)
            if stop:
                raise KeyboardInterrupt
            return result

        with mock.patch.object(Path, "replace", replace), suppress(KeyboardInterrupt):
            refresh(self.source, self.copy)

    @precondition(lambda self: (self.source / LESSON).exists())
    @rule()
    def the_learner_resets(self) -> None:
        backup = reset("3_fusion/1_easy", self.source, self.copy)
        assert (self.copy / LESSON).read_bytes() == (self.source / LESSON).read_bytes()
        assert backup is None or backup.exists()

    @invariant()
    def nothing_the_learner_wrote_is_lost(self) -> None:
        assert self.written <= set(files(self.copy).values())

    @invariant()
    def nothing_is_left_lying_about(self) -> None:
        assert not list(self.folder.rglob("*.tmp"))


TestLearnerAndUpdates = LearnerAndUpdates.TestCase
TestLearnerAndUpdates.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    for name in LESSONS:
        put(tmp_path / "lessons", name, f"first {name}".encode())
    return tmp_path / "lessons"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return tmp_path / "my_lessons"


def test_an_untouched_notebook_follows_every_update(source: Path, copy: Path) -> None:
    refresh(source, copy)
    for version in (b"second", b"third", b"fourth"):
        put(source, LESSON, version)
        assert refresh(source, copy) == lessons.Report(refreshed=[LESSON])
        assert files(copy) == files(source)
    (source / LESSON).unlink()
    assert refresh(source, copy) == lessons.Report()
    assert files(copy)[LESSON] == b"fourth"  # withdrawn lessons stay


def test_an_edited_notebook_stays_and_the_new_version_lies_beside_it(source: Path, copy: Path) -> None:
    assert refresh(source, copy).added == LESSONS
    put(copy, LESSONS[1], b"my answer")
    assert refresh(source, copy) == lessons.Report(kept=[LESSONS[1]])  # there is nothing newer to offer
    put(source, LESSONS[1], b"second")
    report = refresh(source, copy)
    assert report == lessons.Report(kept=[LESSONS[1]], beside=["3_fusion/1_easy.new.ipynb"])
    assert files(copy)[LESSONS[1]] == b"my answer"
    assert files(copy)["3_fusion/1_easy.new.ipynb"] == b"second"
    assert "3_fusion/1_easy.new.ipynb" in str(report)


def test_a_version_that_the_learner_threw_away_is_not_laid_again(source: Path, copy: Path) -> None:
    refresh(source, copy)
    put(copy, LESSONS[0], b"my answer")
    put(source, LESSONS[0], b"second")
    refresh(source, copy)
    (copy / "0_start.new.ipynb").unlink()
    assert refresh(source, copy).beside == []
    put(source, LESSONS[0], b"third")
    assert refresh(source, copy).beside == ["0_start.new.ipynb"]


def test_a_new_version_that_was_edited_too_keeps_its_name(source: Path, copy: Path) -> None:
    refresh(source, copy)
    put(copy, LESSONS[0], b"my answer")
    put(source, LESSONS[0], b"second")
    refresh(source, copy)
    put(copy, "0_start.new.ipynb", b"my answer to the second")
    put(source, LESSONS[0], b"third")
    assert refresh(source, copy).beside == ["0_start.new-2.ipynb"]
    assert files(copy)["0_start.new.ipynb"] == b"my answer to the second"


def test_only_outputs_changed_counts_as_edited(source: Path, copy: Path) -> None:
    cell = {"cell_type": "code", "source": "1 + 1", "outputs": [], "execution_count": None}
    put(source, LESSONS[0], json.dumps({"cells": [cell]}).encode())
    refresh(source, copy)
    ran = json.dumps({"cells": [{**cell, "execution_count": 1}]}).encode()
    put(copy, LESSONS[0], ran)
    put(source, LESSONS[0], b"second")
    assert refresh(source, copy).kept == [LESSONS[0]]
    assert files(copy)[LESSONS[0]] == ran


def test_authors_text_and_hidden_files_are_not_for_the_learner(source: Path, copy: Path) -> None:
    for name in (
        "source/0_start.md",
        ".ipynb_checkpoints/0_start.ipynb",
        "__pycache__/a.pyc",
        "3_fusion/tower.png",
    ):
        put(source, name, b"x")
    assert set(refresh(source, copy).added) == {*LESSONS, "3_fusion/tower.png"}


@pytest.mark.parametrize("there", [None, b"first 0_start.ipynb"])
def test_a_save_at_the_last_moment_wins(source: Path, copy: Path, there: bytes | None) -> None:
    refresh(source, copy)
    put(source, LESSONS[0], b"second")
    if there is None:
        (copy / LESSONS[0]).unlink()
    real = Path.write_bytes

    def write_and_be_overtaken(file: Path, content: bytes) -> int:
        if content == b"second":
            real(copy / LESSONS[0], b"saved just now")
        return real(file, content)

    with mock.patch.object(Path, "write_bytes", write_and_be_overtaken):
        assert refresh(source, copy).kept == [LESSONS[0]]
        put(copy, LESSONS[0], b"an answer")
        with pytest.raises(Touched, match="saved just now"):
            reset("0_start", source, copy)
    assert files(copy)[LESSONS[0]] == b"saved just now"
    assert b"an answer" in files(copy).values()


def test_names_that_the_learner_took_for_something_else(source: Path, copy: Path) -> None:
    put(copy, "3_fusion", b"a file where our folder goes")
    put(copy, "0_start.ipynb/notes.txt", b"a folder where our file goes")
    report = refresh(source, copy)
    assert set(report.kept) == set(LESSONS[:2])
    assert report.beside == ["0_start.new.ipynb"]
    assert files(copy)["3_fusion"] == b"a file where our folder goes"
    with pytest.raises(ValueError, match="is a folder of yours"):
        reset("0_start", source, copy)


@pytest.mark.parametrize(
    "asked", ["3_fusion/1_easy", "my_lessons/3_fusion/1_easy.ipynb", "lessons\\3_fusion\\1_easy"]
)
def test_reset_restores_one_lesson_and_keeps_a_backup(source: Path, copy: Path, asked: str) -> None:
    refresh(source, copy)
    put(copy, LESSONS[0], b"other work")
    backups = []
    for answer in (b"my answer", b"my second answer"):  # within one second: the names must differ
        put(copy, LESSONS[1], answer)
        backup = reset(asked, source, copy)
        assert backup is not None
        assert backup.name.startswith("1_easy.backup-")
        assert backup.suffix == ".ipynb"
        backups.append(backup)
        assert backup.read_bytes() == answer
    assert len(set(backups)) == 2
    assert files(copy)[LESSONS[1]] == files(source)[LESSONS[1]]
    assert files(copy)[LESSONS[0]] == b"other work"
    assert reset(asked, source, copy) is None  # nothing of the learner's is there any more
    put(source, LESSONS[1], b"second")
    assert refresh(source, copy).refreshed == [LESSONS[1]]


@pytest.mark.parametrize("asked", ["1_easy", "3_fusion", "../lessons", "", "nonesuch"])
def test_reset_names_the_lessons_there_are(source: Path, copy: Path, asked: str) -> None:
    refresh(source, copy)
    before = files(copy)
    with pytest.raises(ValueError, match=r"0_start, 3_fusion/1_easy; got"):
        reset(asked, source, copy)
    assert files(copy) == before


def test_reset_progress_keeps_a_backup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_DATA", str(tmp_path))
    assert lessons.reset_progress() is None
    put(tmp_path, "progress.json", b'{"done": {}}')
    backup = lessons.reset_progress()
    assert backup is not None
    assert backup.read_bytes() == b'{"done": {}}'
    assert not (tmp_path / "progress.json").exists()


def test_no_folder_of_lessons_is_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="source: expected the project's folder of lessons"):
        refresh(tmp_path / "nowhere", tmp_path / "copy")


def test_the_command_says_where_the_backup_is(
    source: Path, copy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lessons, "SOURCE", source)
    monkeypatch.setattr(lessons, "COPY", copy)
    refresh(source, copy)
    put(copy, LESSONS[0], b"my answer")
    assert lessons.main(["0_start"]) == 0
    assert "0_start.backup-" in capsys.readouterr().out
    assert lessons.main(["nonesuch"]) == 1
    assert "3_fusion/1_easy" in capsys.readouterr().err
