"""Encoders give (batch, width) for any batch, are the formulas they claim to be, and refuse what does not fit."""

import subprocess
import sys
from zlib import crc32

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from workbench.blocks import NameEncoder, PictureEncoder, hash_grams

NAMES = st.lists(st.text(max_size=12), max_size=5)


@settings(deadline=None, max_examples=30)
@given(
    batch=st.integers(0, 5),
    height=st.integers(1, 33),
    across=st.integers(1, 33),
    channels=st.sampled_from([1, 3]),
    width=st.integers(1, 9),
)
def test_any_picture_becomes_width_numbers(batch, height, across, channels, width):
    encoder = PictureEncoder(width, channels, stages=(4, 5)).eval()
    pictures = torch.randint(0, 256, (batch, height, across, channels), dtype=torch.uint8)
    vectors = encoder(pictures)
    assert vectors.shape == (batch, width)
    assert vectors.isfinite().all()
    torch.testing.assert_close(encoder(pictures.float() / 255), vectors)  # stored bytes or shares: the same


def test_gray_pictures_may_leave_the_channel_out():
    encoder = PictureEncoder(8, channels=1).eval()
    pictures = torch.randint(0, 256, (3, 28, 28), dtype=torch.uint8)
    assert torch.equal(encoder(pictures), encoder(pictures.unsqueeze(-1)))


def test_a_picture_does_not_depend_on_its_neighbors_in_the_batch():
    encoder = PictureEncoder(8).eval()
    pictures = torch.randint(0, 256, (5, 32, 32, 3), dtype=torch.uint8)
    torch.testing.assert_close(encoder(pictures)[2:3], encoder(pictures[2:3]))


@pytest.mark.parametrize(
    "pictures",
    [
        torch.zeros(2, 3, 32, 32),
        torch.zeros(2, 32, 32),
        torch.zeros(2, 32, 32, 1),
        torch.zeros(2, 32, 32, 3).double(),
    ],
)
def test_other_pictures_are_refused_by_name(pictures):
    with pytest.raises(ValueError, match=r"pictures: expected .* got"):
        PictureEncoder(8)(pictures)


@settings(deadline=None, max_examples=50)
@given(names=NAMES, width=st.integers(1, 9))
def test_a_name_is_the_mean_of_its_grams(names, width):
    encoder = NameEncoder(width, rows=97)
    vectors = encoder(names)
    assert vectors.shape == (len(names), width)
    assert torch.equal(vectors, encoder(encoder.hash(names)))
    for name, vector in zip(names, vectors, strict=True):
        marked = f"<{name.lower()}>"
        grams = {marked[i : i + n] for n in (2, 3, 4) for i in range(len(marked) - n + 1)}
        rows = torch.tensor([1 + crc32(gram.encode()) % 96 for gram in grams])
        expected = functional.embedding(rows, encoder.table.weight).mean(0)
        torch.testing.assert_close(vector, expected, rtol=1e-5, atol=1e-5)


def test_hashes_are_the_same_in_another_process():
    names = ["grinning face", "cat", "", "’"]
    code = f"from workbench.blocks import hash_grams; print(hash_grams({names!r}, 2048).tolist())"
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, encoding="utf-8"
    ).stdout
    assert told.strip() == str(hash_grams(names, 2048).tolist())


def test_padding_takes_no_part():
    encoder = NameEncoder(6)
    alone, beside = encoder(["cat"]), encoder(["cat", "a much longer name than that"])[:1]
    torch.testing.assert_close(alone, beside)
    assert (
        hash_grams(["cat", "", "dog house"], 50).min(dim=1).values[2] > 0
    )  # no gram is hashed to the padding row


def test_a_single_string_is_refused():
    with pytest.raises(TypeError, match="names: expected a list of str"):
        NameEncoder(4)("cat")


@pytest.mark.parametrize("make", [lambda: PictureEncoder(0), lambda: NameEncoder(-1)])
def test_a_width_below_one_is_refused(make):
    with pytest.raises(ValueError, match="width: expected at least 1"):
        make()
