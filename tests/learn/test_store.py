"""Progress survives damage, crashes and a second kernel."""

import json
import multiprocessing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workbench.learn import store


def test_starts_empty_and_writes_nothing_by_reading(data):
    assert store.load() == {"version": 1, "done": {}, "hints": {}, "guesses": {}}
    assert not data.exists()


def test_what_is_noted_is_read_again():
    assert store.mark_done("start.bytes_of_add") == ""
    store.use_hints("start.bytes_of_add", 2)
    store.use_hints("start.bytes_of_add", 1)
    store.lock_guess("0_start", "ratio", 3.5)
    loaded = store.load()
    assert list(loaded["done"]) == ["start.bytes_of_add"]
    assert loaded["hints"] == {"start.bytes_of_add": 2}
    assert store.guess_of("0_start", "ratio")["guess"] == 3.5
    assert store.guess_of("0_start", "other") is None
    assert store.guess_of("1_other", "ratio") is None


def test_a_locked_guess_stays_and_takes_a_reason():
    store.lock_guess("0_start", "ratio", 3.5)
    store.lock_guess("0_start", "ratio", 99)
    store.explain_guess("0_start", "ratio", "I forgot the write")
    assert store.guess_of("0_start", "ratio")["guess"] == 3.5
    assert store.guess_of("0_start", "ratio")["because"] == "I forgot the write"


def test_the_first_time_a_task_is_solved_is_kept(monkeypatch):
    store.mark_done("a.b")
    first = store.load()["done"]["a.b"]
    monkeypatch.setattr(store, "now", lambda: "later")
    store.mark_done("a.b")
    assert store.load()["done"]["a.b"] == first


DAMAGED = [
    b"",
    b"{",
    b"[]",
    b"null",
    b"\xff\xfe\x00",
    b'{"version": 1, "done": []}',
    b'{"version": 1, "hints": {"a.b": "two"}}',
    b'{"version": 1, "guesses": {"l": {"n": 3}}}',
    b'{"version": "1"}',
    b'{"done": {}}',
    b"[" * 100_000,
]


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_file_is_put_aside_whole_and_progress_starts_afresh(content, data):
    data.mkdir()
    store.path().write_bytes(content)
    store.mark_done("a.b")
    assert list(store.load()["done"]) == ["a.b"]
    (aside,) = data.glob("progress.damaged-*.json")
    assert aside.read_bytes() == content


def test_a_file_of_a_newer_version_is_put_aside_under_that_name(data):
    data.mkdir()
    store.path().write_text('{"version": 2, "done": {"a.b": "x"}}')
    assert store.load()["done"] == {}
    assert len(list(data.glob("progress.newer-*.json"))) == 1


def test_fields_this_version_does_not_know_are_kept(data):
    data.mkdir()
    store.path().write_text('{"version": 1, "done": {}, "badges": ["early"]}')
    store.mark_done("a.b")
    assert json.loads(store.path().read_text())["badges"] == ["early"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200))
def test_no_content_of_the_file_ever_stops_a_lesson(content, data):
    data.mkdir(exist_ok=True)
    store.path().write_bytes(content)
    assert store.mark_done("a.b") == ""
    assert "a.b" in store.load()["done"]


def test_a_failed_write_leaves_the_old_file(monkeypatch):
    store.mark_done("a.b")
    before = store.path().read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store, "write_atomically", full)
    assert store.mark_done("a.c") == "Progress could not be saved: No space left on device."
    assert store.path().read_bytes() == before


def test_a_folder_that_cannot_be_made_is_said_not_raised(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("WORKBENCH_DATA", str(tmp_path / "file" / "data"))
    assert store.load()["done"] == {}
    assert "could not be saved" in store.mark_done("a.b")


def test_a_lock_held_elsewhere_is_waited_for_only_so_long(data, monkeypatch):
    from filelock import FileLock

    store.mark_done("a.b")
    monkeypatch.setattr(store, "PATIENCE", 0.05)
    with FileLock(data / "progress.lock"):
        assert "could not be saved" in store.mark_done("a.c")
        assert "a.b" in store.load()["done"], "reading needs no lock"


def test_a_grader_leaves_no_trace(grader):
    store.mark_done("a.b")
    assert not store.path().exists()


def note_many(number):
    for i in range(10):
        store.mark_done(f"kernel{number}.task{i}")


def test_notes_of_several_kernels_are_all_kept():
    context = multiprocessing.get_context("spawn")
    kernels = [context.Process(target=note_many, args=(number,)) for number in range(2)]
    for kernel in kernels:
        kernel.start()
    for kernel in kernels:
        kernel.join(60)
    assert len(store.load()["done"]) == 20


def test_without_the_variable_progress_lies_in_the_users_data_directory(monkeypatch):
    import platformdirs

    monkeypatch.delenv("WORKBENCH_DATA")
    expected = platformdirs.user_data_path("neuralfabric-workbench", appauthor=False)
    assert store.path() == expected / "progress.json"
