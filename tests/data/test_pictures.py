"""The picture sets have the documented sizes, types and splits."""

import hashlib
import io

import numpy as np
import pytest
import torch

from workbench.data import load_emoji, load_fashion_mnist, load_mnist, read_asset


@pytest.fixture(scope="module")
def archive():
    return np.load(io.BytesIO(read_asset("data/emoji32.npz")), allow_pickle=False)


@pytest.mark.parametrize("vendor", ["twitter", "google"])
def test_emoji_are_split_by_the_hash_of_their_code_points(archive, vendor):
    emoji = load_emoji(vendor)
    is_test = [
        int(hashlib.md5(code.encode()).hexdigest(), 16) % 5 == 0 for code in archive["unified"].tolist()
    ]
    assert sum(is_test) == 341
    for part, keep in ((emoji.test, np.array(is_test)), (emoji.train, ~np.array(is_test))):
        assert part.pictures.dtype == torch.uint8
        assert np.array_equal(part.pictures.numpy(), archive[vendor][keep])
        assert part.names == archive["name"][keep].tolist()
        assert part.labels.dtype == torch.int64
        assert [emoji.categories[label] for label in part.labels] == archive["category"][keep].tolist()
        assert part.vendor == [vendor] * int(keep.sum())
    assert emoji.categories == sorted(emoji.categories)
    assert len(emoji.categories) == 8


def test_both_vendors_draw_the_same_emoji_on_the_same_side():
    both, twitter, google = load_emoji("both"), load_emoji("twitter"), load_emoji("google")
    for part, first, second in (
        (both.train, twitter.train, google.train),
        (both.test, twitter.test, google.test),
    ):
        assert torch.equal(part.pictures, torch.cat([first.pictures, second.pictures]))
        assert torch.equal(part.labels, torch.cat([first.labels, second.labels]))
        assert part.names == first.names + second.names
        assert part.vendor == first.vendor + second.vendor


def test_another_vendor_is_refused():
    with pytest.raises(ValueError, match=r"vendor: .*'apple'"):
        load_emoji("apple")


def test_the_largest_emoji_category_is_the_documented_share():
    labels = load_emoji().test.labels
    assert round(100 * labels.bincount().max().item() / len(labels), 1) == 22.6


@pytest.mark.parametrize(("load", "sizes"), [(load_fashion_mnist, (8000, 2000)), (load_mnist, (4000, 1000))])
def test_gray_sets_have_their_sizes_and_all_ten_classes(load, sizes):
    data = load()
    assert len(data.categories) == 10
    for part, size in zip((data.train, data.test), sizes, strict=True):
        assert part.pictures.shape == (size, 28, 28)
        assert part.pictures.dtype == torch.uint8
        assert part.labels.dtype == torch.int64
        assert part.labels.unique().tolist() == list(range(10))


def test_no_digit_is_on_both_sides_and_classes_are_balanced():
    data = load_mnist()
    assert data.train.labels.bincount().tolist() == [400] * 10
    assert data.test.labels.bincount().tolist() == [100] * 10
    train = {picture.numpy().tobytes() for picture in data.train.pictures}
    assert not train & {picture.numpy().tobytes() for picture in data.test.pictures}


def test_what_a_reader_does_to_the_arrays_does_not_reach_the_next_load():
    first = load_mnist().train.pictures
    first.zero_()
    assert load_mnist().train.pictures.sum() > 0
