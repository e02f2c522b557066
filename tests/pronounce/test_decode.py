"""Saying words: what greedy decoding promises, and that the phoneme error is what its definition says."""

from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from workbench.pronounce import build, edit_distance, greedy, measure, pronounce, spell
from workbench.pronounce.data import BOUNDARY, SOUNDS, STEPS

SEQUENCES = st.lists(st.sampled_from("abc"), max_size=6)


class Parrot(nn.Module):
    """Says the same to every word, whatever was said before."""

    def __init__(self, *sounds: str) -> None:
        super().__init__()
        self.script = [SOUNDS.index(sound) for sound in sounds] + [BOUNDARY] * STEPS
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, letters, mask, said):
        script = torch.tensor(self.script[: said.shape[1]])
        return nn.functional.one_hot(script, len(SOUNDS)).float().expand(len(letters), -1, -1)


@settings(deadline=None)
@given(SEQUENCES, SEQUENCES)
def test_the_distance_is_the_fewest_edits(first, second):
    @cache
    def fewest(i: int, j: int) -> int:  # the definition, from the ends of both
        if i == 0 or j == 0:
            return i + j
        change = fewest(i - 1, j - 1) + (first[i - 1] != second[j - 1])
        return min(fewest(i - 1, j) + 1, fewest(i, j - 1) + 1, change)

    assert edit_distance(first, second) == fewest(len(first), len(second))


@given(SEQUENCES, SEQUENCES, SEQUENCES)
def test_the_distance_is_a_metric(a, b, c):
    assert (edit_distance(a, b) == 0) == (a == b)
    assert edit_distance(a, b) == edit_distance(b, a)
    assert edit_distance(a, c) <= edit_distance(a, b) + edit_distance(b, c)


def test_a_known_distance():
    assert edit_distance("kitten", "sitting") == 3


def test_greedy_takes_the_likeliest_after_those_before():
    torch.manual_seed(0)
    model = build().eval()
    letters, mask = spell(["cat", "dog", "examples"])
    sounds = greedy(model, letters, mask)
    said = torch.cat([torch.full((3, 1), BOUNDARY), sounds[:, :-1]], dim=1)
    likeliest = model(letters, mask, said).argmax(-1)
    for row, best in zip(sounds.tolist(), likeliest.tolist(), strict=True):
        end = row.index(BOUNDARY) + 1 if BOUNDARY in row else STEPS
        assert row[:end] == best[:end]
        assert set(row[end:]) <= {BOUNDARY}


def test_behind_its_end_a_word_is_silent():
    sounds = greedy(Parrot("K", "#", "AE", "T"), *spell(["cat"]))
    assert sounds.tolist() == [[SOUNDS.index("K")] + [BOUNDARY] * (STEPS - 1)]
    assert greedy(Parrot(*["K"] * 20), *spell(["cat"])).tolist() == [[SOUNDS.index("K")] * STEPS]


def test_words_are_said_batch_by_batch_as_all_at_once():
    torch.manual_seed(0)
    model, words = build(), ["cat", "dog", "examples", "a", "zebra"]
    model.train()
    assert pronounce(model, words, batch=2) == pronounce(model, words)
    assert model.training  # its mode is restored
    assert pronounce(model, []) == []


def test_errors_count_edits_over_the_length_of_the_references():
    parrot = Parrot("K", "AE", "T")
    assert measure(parrot, {"cat": [("K", "AE", "T")]}) == measure(
        parrot, {"cat": [("Z",), ("K", "AE", "T")]}
    )
    perfect = measure(parrot, {"cat": [("K", "AE", "T")]})
    assert (perfect.phoneme, perfect.word) == (0, 0)
    both = measure(parrot, {"cat": [("K", "AE", "T")], "cats": [("K", "AE", "T", "S")]})
    assert (both.phoneme, both.word) == (1 / 7, 1 / 2)
    silent = measure(Parrot(), {"cat": [("K", "AE", "T")], "a": [("AH",)]})
    assert (silent.phoneme, silent.word) == (1, 1)


def test_without_words_there_is_no_error():
    with pytest.raises(ValueError, match="words: expected at least one"):
        measure(Parrot(), {})
