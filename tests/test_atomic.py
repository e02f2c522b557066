"""An atomic write leaves the old bytes or the new ones, and no litter."""

import os

import pytest

from workbench.atomic import replacing, write_atomically


def test_replaces_the_bytes_and_leaves_no_other_file(tmp_path):
    target = tmp_path / "deep" / "progress.json"
    write_atomically(target, b"old")
    write_atomically(target, b"new")
    assert target.read_bytes() == b"new"
    assert [path.name for path in target.parent.iterdir()] == ["progress.json"]


def test_an_error_midway_keeps_the_old_bytes(tmp_path):
    target = tmp_path / "progress.json"
    target.write_bytes(b"old")

    def half_a_write():
        with replacing(target) as temporary:
            temporary.write_bytes(b"ha")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        half_a_write()
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_keeps_the_permissions_of_the_file_it_replaces(tmp_path):
    target = tmp_path / "shared.json"
    write_atomically(target, b"{}")
    assert target.stat().st_mode & 0o777 == 0o644
    target.chmod(0o600)
    write_atomically(target, b"{ }")
    assert target.stat().st_mode & 0o777 == 0o600
