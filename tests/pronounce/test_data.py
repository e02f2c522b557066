"""Words as numbers: what is chosen, how both sides are filled up, and what is refused."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from workbench.data import load_cmudict
from workbench.pronounce import PHONEMES, SOUNDS, choose, examples, read, speak, spell
from workbench.pronounce.data import BOUNDARY, CONSONANTS, IGNORED, LETTERS, LONGEST, STEPS, VOWELS

WORDS = st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=LONGEST)
SPOKEN = st.lists(st.sampled_from(PHONEMES), max_size=STEPS - 1).map(tuple)


@pytest.fixture(scope="module")
def dictionary():
    return load_cmudict()


def test_the_sounds_are_those_of_the_dictionary(dictionary):
    heard = {sound for spoken in dictionary.train.values() for p in spoken for sound in p}
    assert {sound.rstrip("012") for sound in heard} == set(PHONEMES)
    assert {sound[:-1] for sound in heard if sound[-1].isdigit()} == set(VOWELS)  # only vowels bear stress
    assert len(SOUNDS) == len(set(SOUNDS)) == 1 + len(VOWELS) + len(CONSONANTS) == 40
    assert len(LETTERS) == 27


def test_chosen_words_fit_and_few_are_lost(dictionary):
    words = choose(dictionary.train)
    plain = [w for w in dictionary.train if w.isalpha() and w.isascii() and len(w) <= LONGEST]
    assert 0.99 < len(words) / len(plain) < 1  # the few that take nine sounds or more
    assert all(1 <= len(w) <= LONGEST and set(w) <= set(LETTERS[1:]) for w in words)
    assert all(len(p) < STEPS and set(p) <= set(PHONEMES) for spoken in words.values() for p in spoken)
    assert not words.keys() & choose(dictionary.test).keys()


def test_stress_goes_and_what_then_is_the_same_stays_once():
    spoken = [
        ("R", "IH0", "K", "AO1", "R", "D"),
        ("R", "IH2", "K", "AO0", "R", "D"),
        ("R", "EH1", "K", "ER0", "D"),
    ]
    assert choose({"record": spoken}) == {
        "record": [("R", "IH", "K", "AO", "R", "D"), ("R", "EH", "K", "ER", "D")]
    }


def test_what_does_not_fit_is_left_out():
    words = {
        "it's": [("IH1",)],
        "extraordinary": [("IH1",)],
        "ab": [("AA1",) * 9],
        "Ab": [("AA1",)],
        "café": [("K",)],
    }
    assert choose(words) == {}


def test_a_count_is_spread_over_the_alphabet(dictionary):
    words = choose(dictionary.train, 26)
    assert len(words) == 26
    assert len({word[0] for word in words}) > 12
    with pytest.raises(ValueError, match=r"count: expected 1 to 2 words, got 3"):
        choose({"a": [("AH",)], "b": [("B",)]}, 3)


@given(st.lists(WORDS, max_size=5))
def test_letters_and_mask_tell_the_word(words):
    letters, mask = spell(words)
    assert letters.shape == mask.shape == (len(words), LONGEST)
    assert mask.dtype == torch.bool
    assert ["".join(LETTERS[n] for n in row[keep]) for row, keep in zip(letters, mask, strict=True)] == words


@given(st.lists(SPOKEN, max_size=5))
def test_targets_are_what_is_said_one_step_later(pronunciations):
    said, target = speak(pronunciations)
    assert said.shape == target.shape == (len(pronunciations), STEPS)
    assert (said[:, :1] == BOUNDARY).all()
    for spoken, before, then in zip(pronunciations, said, target, strict=True):
        count = len(spoken)
        assert torch.equal(before[1 : count + 1], then[:count])
        assert then[count] == BOUNDARY  # the end has to be said too
        assert (then[count + 1 :] == IGNORED).all()
        assert ((then >= 0).sum()) == count + 1
    assert read(target) == pronunciations


def test_examples_are_of_the_first_pronunciation():
    letters, mask, _, target = examples({"ab": [("AE", "B"), ("EY", "B", "IY")], "a": [("AH",)]})
    assert read(target) == [("AE", "B"), ("AH",)]
    assert mask.sum(1).tolist() == [2, 1]
    assert letters[:, :2].tolist() == [[1, 2], [1, 0]]


def test_reading_stops_at_the_end_or_at_the_last_step():
    assert read(torch.tensor([[1, 2, 0, 3], [0, 1, 1, 1], [3, 3, 3, 3]])) == [
        (SOUNDS[1], SOUNDS[2]),
        (),
        (SOUNDS[3],) * 4,
    ]


@pytest.mark.parametrize("word", ["", "Cat", "naïve", "a b", "ninechars", "·", "it's"])
def test_words_that_cannot_be_spelled_are_named(word):
    with pytest.raises(ValueError, match="words: expected 1 to 8 letters a–z, got") as error:
        spell(["cat", word])
    assert repr(word) in str(error.value)


def test_a_single_word_is_no_list():
    with pytest.raises(TypeError, match="words: expected a list of str, got a single str"):
        spell("cat")


@pytest.mark.parametrize("spoken", [("AH0",), ("#",), ("AA",) * STEPS])
def test_sounds_that_cannot_be_said_are_named(spoken):
    with pytest.raises(ValueError, match="pronunciations: expected at most 8 of"):
        speak([spoken])
