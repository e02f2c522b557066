"""A checkpoint is whole or refused, whatever happens to the process or the file."""

import os

import pytest
import torch

from workbench.training import CheckpointError
from workbench.training.checkpoint import load, save

RUN = {"model": "Linear 1234", "seed": 0}


def state(value: float) -> dict:
    return {
        "run": RUN,
        "model": {"weight": torch.full((3,), value)},
        "best": None,
        "history": [{"loss": 0.1 + value}],
    }


def test_what_is_saved_is_loaded(tmp_path):
    save(tmp_path / "c", state(1.0))
    save(tmp_path / "c", state(2.0))
    loaded = load(tmp_path / "c", RUN)
    assert torch.equal(loaded["model"]["weight"], torch.full((3,), 2.0))
    assert loaded["history"] == [{"loss": 2.1}]
    assert os.listdir(tmp_path) == ["c"]


def test_no_file_is_no_state(tmp_path):
    assert load(tmp_path / "c", RUN) is None


@pytest.mark.parametrize("place", [0, 0.3, 0.6, 0.9, 1])
def test_one_changed_byte_is_noticed(tmp_path, place):
    save(tmp_path / "c", state(1.0))
    content = bytearray((tmp_path / "c").read_bytes())
    content[int(place * (len(content) - 1))] ^= 1
    (tmp_path / "c").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"is damaged or no checkpoint.*Delete"):
        load(tmp_path / "c", RUN)


@pytest.mark.parametrize("size", [0, 10, 500])
def test_a_cut_file_is_noticed(tmp_path, size):
    save(tmp_path / "c", state(1.0))
    (tmp_path / "c").write_bytes((tmp_path / "c").read_bytes()[:size])
    with pytest.raises(CheckpointError, match="is damaged"):
        load(tmp_path / "c", RUN)


def test_another_run_is_named(tmp_path):
    save(tmp_path / "c", state(1.0))
    with pytest.raises(CheckpointError, match=r"belongs to another run .*seed: saved 0, now 1"):
        load(tmp_path / "c", RUN | {"seed": 1})


@pytest.mark.parametrize("function", ["fsync", "replace"])
def test_an_error_while_saving_keeps_the_old_checkpoint(tmp_path, monkeypatch, function):
    save(tmp_path / "c", state(1.0))

    def full(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, function, full)
    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(OSError, match="disk full"):
        save(tmp_path / "c", state(2.0))
    monkeypatch.undo()
    assert load(tmp_path / "c", RUN)["model"]["weight"][0] == 1.0


def test_what_a_killed_run_left_is_swept(tmp_path):
    (tmp_path / ".c.abc123.tmp").write_bytes(b"half")
    (tmp_path / "mine.tmp").write_bytes(b"keep")
    save(tmp_path / "c", state(1.0))
    assert sorted(os.listdir(tmp_path)) == ["c", "mine.tmp"]


def test_a_checkpoint_cannot_run_code(tmp_path):
    class Trap:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "trapped"),))

    save(tmp_path / "c", {"run": RUN, "model": Trap()})
    with pytest.raises(Exception, match=r"weights_only|Weights only"):
        load(tmp_path / "c", RUN)
    assert not (tmp_path / "trapped").exists()
