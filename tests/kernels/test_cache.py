"""Compiled twins are kept between processes, never stale, and a bad cache only costs time."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from kernels import cache
from kernels.twin import twin

PROGRAM = """
import torch, kernels
from kernels.norms.rms_norm import rms_norm_twin
x = torch.randn(5, 7)
torch.testing.assert_close(kernels.rms_norm(x), torch.nn.functional.rms_norm(x, (7,), None, 1e-6))
print(sum(rms_norm_twin.serial._cache_hits.values()))
"""


def run(folder):
    """The number of functions found compiled by a new process that normalizes a row."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=os.environ | {"NUMBA_CACHE_DIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def test_second_process_finds_what_the_first_compiled(tmp_path):
    assert run(tmp_path) == 0
    assert run(tmp_path) == 1
    (code,) = tmp_path.rglob("rms_norm.rms_norm_twin*.nbc")
    code.write_bytes(code.read_bytes()[:50])
    assert run(tmp_path) == 0  # damaged: compiled again


def test_a_folder_that_cannot_be_made(tmp_path):
    file = tmp_path / "file"
    file.write_text("where a folder should be")
    assert run(file) == 0


def test_failures_only_mean_compiling_again(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))

    def disk_full(folder):
        raise OSError("no space left on device")

    monkeypatch.setattr(cache, "make_room", disk_full)

    @twin
    def add_one(x, out):
        for row in range(x.shape[0]):
            out[row] = x[row] + 1

    out = torch.empty(3)
    add_one(torch.zeros(3), out)
    assert torch.equal(out, torch.ones(3))
    assert not list(tmp_path.iterdir())


def test_folder_depends_on_the_sources(monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    before = cache.cache_folder()
    assert before.is_relative_to(tmp_path)
    monkeypatch.setattr(cache, "__file__", str(tmp_path / "cache.py"))
    hashes = set()
    for text in ("a = 1", "a = 2"):
        (tmp_path / "module.py").write_text(text)
        cache.source_hash.cache_clear()
        hashes.add(cache.source_hash())
    cache.source_hash.cache_clear()
    assert len(hashes) == 2


def test_old_versions_are_removed(tmp_path):
    for age in range(9):
        folder = tmp_path / f"version{age}"
        folder.mkdir()
        os.utime(folder, (1000 + age, 1000 + age))
    cache.make_room(tmp_path / "new")
    assert {path.name for path in tmp_path.iterdir()} == {"new", "version6", "version7", "version8"}


@pytest.mark.skipif(sys.platform == "win32", reason="Unix folders")
def test_default_folder_is_the_users_own(monkeypatch):
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    assert cache.cache_folder().is_relative_to(Path.home()) or "XDG_CACHE_HOME" in os.environ
