"""Two encoders, one for what can be seen and one for what can be read, that end in the same kind of thing:
a vector of `width` numbers per example. That shared form is what lets modules be combined (`workbench.mixing`).

A picture goes through convolutions, each followed by batch normalization (Ioffe and Szegedy, arXiv 1502.03167) and
a ReLU; each halves the sides, and averaging over what is left forgets where in the picture a pattern was.

A name is cut into its character n-grams, as in fastText (Bojanowski et al., arXiv 1607.04606): "cat" with ends
marked is "<cat>", its 3-grams are "<ca", "cat", "at>". Each n-gram is hashed to a row of one table, and the rows are
averaged: no word list is needed, and unseen words share n-grams with seen ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

import torch
from torch import Tensor, nn

PADDING = 0  # the row of the n-gram table that stands for "no n-gram here" and stays out of the average


class PictureEncoder(nn.Module):
    """Convolutions with batch normalization over a picture, then an average over its area.

    Takes (batch, height, width, channels) as stored: uint8 in 0..255, or floating point in 0..1; gray pictures may
    leave the last axis out. Gives (batch, width). Raises ValueError naming `pictures` for any other shape or type.
    """

    def __init__(self, width: int, channels: int = 3, stages: Sequence[int] = (16, 32)) -> None:
        super().__init__()
        self.width = _positive("width", width)
        self.channels = _positive("channels", channels)
        layers: list[nn.Module] = []
        for inside, outside in zip([channels, *stages], [*stages, width], strict=True):
            # no bias: batch normalization subtracts it again
            layers += [nn.Conv2d(inside, outside, 3, stride=2, padding=1, bias=False)]
            layers += [nn.BatchNorm2d(outside), nn.ReLU()]
        self.layers = nn.Sequential(*layers)

    def forward(self, pictures: Tensor) -> Tensor:
        x = self._as_floats(pictures)  # (batch, channels, height, width)
        x = self.layers(x)  # (batch, width, height / 8, width / 8) with the usual three stages
        return x.mean(dim=(2, 3))  # (batch, width)

    def _as_floats(self, pictures: Tensor) -> Tensor:
        if pictures.dim() == 3 and self.channels == 1:
            pictures = pictures.unsqueeze(-1)
        if pictures.dim() != 4 or pictures.shape[-1] != self.channels:
            expected = f"(batch, height, width, {self.channels})"
            raise ValueError(f"pictures: expected shape {expected}, got {tuple(pictures.shape)}")
        weight = next(self.parameters())
        if pictures.dtype == torch.uint8:
            pictures = pictures.to(weight.dtype) / 255
        elif pictures.dtype != weight.dtype:
            raise ValueError(f"pictures: expected uint8 or {weight.dtype}, got {pictures.dtype}")
        return pictures.permute(0, 3, 1, 2) - 0.5  # most pixels are white: centered inputs train faster


class NameEncoder(nn.Module):
    """The mean of learned vectors, one per character n-gram of a name.

    Takes a list of names, or their hashed n-grams (batch, longest) from `hash_grams`, which saves hashing them again
    in every epoch. Gives (batch, width). An empty name has the n-gram "<>" alone.
    """

    def __init__(self, width: int, rows: int = 2048, sizes: Sequence[int] = (2, 3, 4)) -> None:
        super().__init__()
        self.width = _positive("width", width)
        self.rows = _positive("rows", rows)
        self.sizes = tuple(_positive("sizes", size) for size in sizes)
        self.table = nn.EmbeddingBag(rows, width, mode="mean", padding_idx=PADDING)

    def hash(self, names: Sequence[str]) -> Tensor:
        """The names' n-grams as rows of this encoder's table: int64 (batch, longest)."""
        return hash_grams(names, self.rows, self.sizes)

    def forward(self, names: Sequence[str] | Tensor) -> Tensor:
        grams = names if isinstance(names, Tensor) else self.hash(names).to(self.table.weight.device)
        if grams.dim() != 2 or grams.is_floating_point():
            raise ValueError(f"names: expected a list of str or integers (batch, longest), got {grams.dtype} "
                             f"{tuple(grams.shape)}")  # fmt: skip
        return self.table(grams)  # (batch, width)


def hash_grams(names: Sequence[str], rows: int, sizes: Sequence[int] = (2, 3, 4)) -> Tensor:
    """Character n-grams of each name as row numbers 1..rows-1, padded with 0: int64 (batch, longest).

    The hash is CRC-32, the same in every process and on every machine; Python's own `hash` of a str is not.
    """
    if isinstance(names, str):
        raise TypeError("names: expected a list of str, got a single str")
    bags = []
    for name in names:
        marked = f"<{name.lower()}>"
        grams = {marked[i : i + n] for n in sizes for i in range(len(marked) - n + 1)}
        bags.append([1 + crc32(gram.encode()) % (rows - 1) for gram in sorted(grams)])
    longest = max([1, *map(len, bags)])
    return (
        torch.tensor([bag + [PADDING] * (longest - len(bag)) for bag in bags])
        .reshape(len(bags), longest)
        .long()
    )


def _positive(name: str, value: int) -> int:
    if value < 1:
        raise ValueError(f"{name}: expected at least 1, got {value}")
    return value
