"""Shakespeare holds out two plays, the dictionary two percent of its words, and neither loses anything."""

import hashlib
import lzma

import pytest

from workbench.data import load_cmudict, load_shakespeare, read_asset


@pytest.fixture(scope="module")
def dictionary():
    return load_cmudict()


def test_the_works_are_all_of_the_text_in_its_order():
    works = load_shakespeare().works
    text = "".join(works.values())
    assert text == lzma.decompress(read_asset("data/shakespeare.txt.xz")).decode()
    assert (len(works), len(text), len(set(text))) == (42, 5_055_488, 84)
    assert all(text.startswith(title) for title, text in works.items())


def test_hamlet_and_macbeth_are_held_out():
    data = load_shakespeare()
    assert "To be, or not to be,--that is the question" in data.test
    assert "To be, or not to be,--that is the question" not in data.train
    assert "tale\nTold by an idiot" in data.test
    assert "Romeo, Romeo! wherefore art thou Romeo?" in data.train
    assert len(data.train) + len(data.test) == 5_055_488


def test_words_are_split_by_their_hash_and_their_variants_stay_together(dictionary):
    assert (len(dictionary.train), len(dictionary.test)) == (123_525, 2_527)
    assert all(int(hashlib.md5(word.encode()).hexdigest(), 16) % 100 < 2 for word in dictionary.test)
    assert not dictionary.train.keys() & dictionary.test.keys()
    both = dictionary.train | dictionary.test
    assert both["read"] == [("R", "EH1", "D"), ("R", "IY1", "D")]
    assert not any("(" in word for word in both)


def test_comments_are_no_phonemes(dictionary):
    assert dictionary.train["aalborg"] == [
        ("AO1", "L", "B", "AO0", "R", "G"),
        ("AA1", "L", "B", "AO0", "R", "G"),
    ]
    phonemes = {phoneme for words in dictionary.train.values() for spoken in words for phoneme in spoken}
    assert len({phoneme.rstrip("012") for phoneme in phonemes}) == 39  # ARPAbet as the dictionary uses it
