"""Words as rows of numbers: spelling goes in, sounds come out, and both sides are filled up to one length.

    word      c a b            letters   3 1 2 0 0 0 0 0          mask  1 1 1 0 0 0 0 0
    sounds    K AE B           said      # K AE B # # …           what the decoder has said before each step
                               target    K AE B # · · …           what it should say then; · is not counted

`said` is `target` one step later: in training the decoder is told the right sounds so far, whatever it would have said
itself (teacher forcing; Williams and Zipser, Neural Computation 1(2), 1989). One sign, #, begins and ends a word.

Sounds are the 39 phonemes of ARPAbet. The digits that mark stress (AH0, AH1) are dropped, as in most published work on
this dictionary (such as Yao and Zweig, arXiv 1506.00196, §4): stress belongs to a syllable and not to one sound, and
with it the same vowel would count as wrong in a word that is otherwise said right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

LONGEST = 8  # letters of a word
STEPS = 9  # sounds of a word with its end; all but 0.4% of the pronunciations fit
VOWELS = ["AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW"]
CONSONANTS = [
    "B",
    "CH",
    "D",
    "DH",
    "F",
    "G",
    "HH",
    "JH",
    "K",
    "L",
    "M",
    "N",
    "NG",
    "P",
    "R",
    "S",
    "SH",
    "T",
    "TH",
]
CONSONANTS += ["V", "W", "Y", "Z", "ZH"]
PHONEMES = VOWELS + CONSONANTS
LETTERS = "·abcdefghijklmnopqrstuvwxyz"  # · is padding, number 0
SOUNDS = ["#", *PHONEMES]
BOUNDARY = 0  # the number of "#"
IGNORED = -100  # a target that is not counted; what torch's cross-entropy calls `ignore_index`

Pronunciation = tuple[str, ...]
Words = dict[str, list[Pronunciation]]


def choose(dictionary: Mapping[str, Sequence[Pronunciation]], count: int | None = None) -> Words:
    """The words of 1 to 8 letters a–z that are said in at most 8 sounds, without stress.

    With `count`, so many of them, spread evenly over the alphabet. Raises ValueError when there are fewer.
    """
    words: Words = {}
    for word, pronunciations in dictionary.items():
        plain = [tuple(sound.rstrip("012") for sound in spoken) for spoken in pronunciations]
        short = [spoken for spoken in dict.fromkeys(plain) if len(spoken) < STEPS]
        if short and len(word) <= LONGEST and word.isascii() and word.isalpha() and word.islower():
            words[word] = short
    if count is None:
        return words
    if not 1 <= count <= len(words):
        raise ValueError(f"count: expected 1 to {len(words)} words, got {count}")
    names = list(words)
    return {name: words[name] for name in (names[place * len(names) // count] for place in range(count))}


def spell(words: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Letters, int64 (batch, 8), a is 1 and padding 0; and the mask (batch, 8), True at letters.

    Raises ValueError naming a word that is not 1 to 8 letters a–z, TypeError for a single str.
    """
    if isinstance(words, str):
        raise TypeError("words: expected a list of str, got a single str")
    letters = torch.zeros(len(words), LONGEST, dtype=torch.int64)
    for row, word in enumerate(words):
        numbers = [LETTERS.find(letter) for letter in word]
        if not 1 <= len(numbers) <= LONGEST or min(numbers) < 1:
            raise ValueError(f"words: expected 1 to {LONGEST} letters a–z, got {word!r}")
        letters[row, : len(numbers)] = torch.tensor(numbers)
    return letters, letters > 0


def speak(pronunciations: Sequence[Pronunciation]) -> tuple[Tensor, Tensor]:
    """What was said before each step, and what to say then: int64 (batch, 9) both.

    Raises ValueError naming a sound that is none, or a pronunciation of more than 8 sounds.
    """
    said = torch.full((len(pronunciations), STEPS), BOUNDARY)
    target = torch.full((len(pronunciations), STEPS), IGNORED)
    for row, spoken in enumerate(pronunciations):
        if len(spoken) >= STEPS or not set(spoken) <= set(PHONEMES):
            raise ValueError(f"pronunciations: expected at most {STEPS - 1} of {PHONEMES}, got {spoken}")
        numbers = torch.tensor([*map(SOUNDS.index, spoken), BOUNDARY])
        target[row, : len(numbers)] = numbers
        said[row, 1 : len(numbers)] = numbers[:-1]
    return said, target


def examples(words: Mapping[str, Sequence[Pronunciation]]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Letters, mask, said and target for each word's first pronunciation, the most common one."""
    return *spell(list(words)), *speak([pronunciations[0] for pronunciations in words.values()])


def read(sounds: Tensor) -> list[Pronunciation]:
    """Rows of numbers (batch, steps) as phonemes, each up to its first "#"."""
    spoken = []
    for row in sounds.tolist():
        end = row.index(BOUNDARY) if BOUNDARY in row else len(row)
        spoken.append(tuple(SOUNDS[number] for number in row[:end]))
    return spoken
