"""Text: all of Shakespeare to predict letter by letter, and a dictionary from spelling to sound."""

from __future__ import annotations

import lzma
import re
from dataclasses import dataclass

from workbench.data.assets import read_asset
from workbench.data.splits import stable_hash

HELD_OUT_PLAYS = ("HAMLET, PRINCE OF DENMARK", "MACBETH")


@dataclass(frozen=True)
class Shakespeare:
    """42 plays and poems; `test` is Hamlet and Macbeth, `train` the rest, `works` each by its title."""

    train: str
    test: str
    works: dict[str, str]


@dataclass(frozen=True)
class PronouncingDictionary:
    """Spelling -> its pronunciations, each a tuple of ARPAbet phonemes such as ("HH", "AH0", "L", "OW1")."""

    train: dict[str, list[tuple[str, ...]]]
    test: dict[str, list[tuple[str, ...]]]


def load_shakespeare() -> Shakespeare:
    """5,055,488 ASCII characters (84 different ones) of Shakespeare; Hamlet and Macbeth are held out."""
    text = lzma.decompress(read_asset("data/shakespeare.txt.xz")).decode("ascii")
    # a title stands in capitals before "by William Shakespeare", often glued to the end of the work before it
    titles = list(re.finditer(r"(?:THE END)?([A-Z][A-Z',; ]+)\n+by William Shakespeare", text))
    starts = [title.start(1) for title in titles]
    ends = [*starts[1:], len(text)]
    works = {title[1]: text[start:end] for title, start, end in zip(titles, starts, ends, strict=True)}
    return Shakespeare(
        train="".join(work for title, work in works.items() if title not in HELD_OUT_PLAYS),
        test="".join(works[title] for title in HELD_OUT_PLAYS),
        works=works,
    )


def load_cmudict() -> PronouncingDictionary:
    """The CMU Pronouncing Dictionary; a word is a test item when md5 of it, modulo 100, is 0 or 1.

    A word's variants, "read" and "read(2)", are one entry with several pronunciations: no word is on both sides.
    """
    words: dict[str, list[tuple[str, ...]]] = {}
    for line in lzma.decompress(read_asset("data/cmudict.dict.xz")).decode("ascii").splitlines():
        spelling, *phonemes = line.partition(" #")[0].split()  # "#" begins a comment
        words.setdefault(re.sub(r"\(\d+\)$", "", spelling), []).append(tuple(phonemes))
    test = {word: spoken for word, spoken in words.items() if stable_hash(word) % 100 < 2}
    return PronouncingDictionary({word: words[word] for word in words if word not in test}, test)
