"""Pictures to classify: emoji (with their names), Fashion-MNIST, handwritten digits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from workbench.data.assets import read_arrays
from workbench.data.splits import stable_hash

Vendor = Literal["twitter", "google", "both"]

FASHION_CLASSES = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"]
FASHION_CLASSES += ["Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]


@dataclass(frozen=True)
class EmojiPart:
    """One side of the emoji split; the four fields run in parallel."""

    pictures: Tensor  # uint8 (n, 32, 32, 3), red green blue
    names: list[str]
    labels: Tensor  # int64 (n,), index into Emoji.categories
    vendor: list[str]  # who drew it: "twitter" or "google"


@dataclass(frozen=True)
class Emoji:
    """Emoji as picture, name and category: one thing seen in two ways."""

    train: EmojiPart
    test: EmojiPart
    categories: list[str]


@dataclass(frozen=True)
class PicturePart:
    """One side of a set of gray pictures."""

    pictures: Tensor  # uint8 (n, 28, 28)
    labels: Tensor  # int64 (n,)


@dataclass(frozen=True)
class PictureSet:
    """Gray pictures with one of ten classes each."""

    train: PicturePart
    test: PicturePart
    categories: list[str]


def load_emoji(vendor: Vendor = "twitter") -> Emoji:
    """1,636 emoji in 8 categories: 1,295 to train on, 341 to test on.

    `vendor` picks the drawings; "both" gives every emoji twice, Twitter's first, on the same side of the split.
    An emoji is a test item when md5 of its code points, as "1F600", leaves no remainder by 5.
    Raises ValueError for another vendor, DataError for a damaged file.
    """
    if vendor not in ("twitter", "google", "both"):
        raise ValueError(f'vendor: expected "twitter", "google" or "both", got {vendor!r}')
    vendors = ["twitter", "google"] if vendor == "both" else [vendor]
    arrays = read_arrays("data/emoji32.npz")
    categories, labels = np.unique(arrays["category"], return_inverse=True)
    is_test = np.array([stable_hash(code) % 5 == 0 for code in arrays["unified"].tolist()])

    def part(keep: np.ndarray) -> EmojiPart:
        return EmojiPart(
            pictures=torch.from_numpy(np.concatenate([arrays[drawn][keep] for drawn in vendors])),
            names=arrays["name"][keep].tolist() * len(vendors),
            labels=torch.from_numpy(np.tile(labels[keep].astype(np.int64), len(vendors))),
            vendor=[drawn for drawn in vendors for _ in range(int(keep.sum()))],
        )

    return Emoji(part(~is_test), part(is_test), categories.tolist())


def load_fashion_mnist() -> PictureSet:
    """Fashion-MNIST, cut to its first 8,000 training and first 2,000 test pictures, in their own order."""
    arrays = read_arrays("data/fashion_mnist_8k_2k.npz")
    train = _picture_part(arrays["x_train"], arrays["y_train"])
    test = _picture_part(arrays["x_test"], arrays["y_test"])
    return PictureSet(train, test, list(FASHION_CLASSES))


def load_mnist() -> PictureSet:
    """5,000 handwritten digits, 500 a class; every fifth is a test item: 4,000 and 1,000, both balanced."""
    arrays = read_arrays("data/mnist5k.npz")
    is_test = np.arange(len(arrays["y"])) % 5 == 0
    train = _picture_part(arrays["x"][~is_test], arrays["y"][~is_test])
    test = _picture_part(arrays["x"][is_test], arrays["y"][is_test])
    return PictureSet(train, test, [str(digit) for digit in range(10)])


def _picture_part(pictures: np.ndarray, labels: np.ndarray) -> PicturePart:
    return PicturePart(torch.from_numpy(pictures), torch.from_numpy(labels.astype(np.int64)))
