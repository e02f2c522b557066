"""Blocks that leave a model: they say the same elsewhere, stay as they are, and are worth borrowing."""

import pytest
import torch

from workbench.data import load_cmudict
from workbench.fabric import read_contract
from workbench.pronounce import build, choose, spell
from workbench.pronounce.encoders import convolutional
from workbench.pronounce.experiment import load_model
from workbench.pronounce.reuse import CLASSES, counter, lend, syllables, teach


@pytest.fixture(scope="module")
def lent(tmp_path_factory):
    model, folder = load_model(), tmp_path_factory.mktemp("lent")
    lend(model, folder)
    return model, folder


def inside(model, letters, mask):
    embedded = model.nodes["embed"].part(letters)
    return model.nodes["encoder"].part(embedded, mask)


def test_a_block_says_the_same_in_another_model(lent):
    model, folder = lent
    letters, mask = spell(["cat", "examples", "a"])
    assert torch.equal(inside(counter(folder), letters, mask), inside(model, letters, mask))
    assert not torch.allclose(inside(counter(), letters, mask), inside(model, letters, mask))


def test_the_contract_travels_with_the_weights(lent):
    model, folder = lent
    assert read_contract(folder / "encoder.safetensors") == model.nodes["encoder"].part.contract
    counter(folder).check()


def test_teaching_changes_the_head_alone(lent):
    model, folder = lent
    words = choose(load_cmudict().train, 64)
    taught = teach(words, folder, epochs=2)
    letters, mask = spell(["cat", "examples", "a"])
    assert torch.equal(inside(taught, letters, mask), inside(model, letters, mask))
    assert {name.split(".")[0] for name, p in taught.named_parameters() if p.requires_grad} == {"head"}


def test_syllables_are_vowels_said():
    words = {"hmm": [("HH", "M")], "baked": [("B", "EY", "K", "T")], "naked": [("N", "EY", "K", "AH", "D")]}
    words["ideology"] = [("AY", "D", "IY", "AA", "L", "AH", "JH", "IY")]
    assert syllables(words).tolist() == [0, 0, 1, CLASSES - 1]


def share_right(model):
    test = choose(load_cmudict().test)
    with torch.no_grad():
        return (model(*spell(list(test))).argmax(-1) == syllables(test)).double().mean().item()


def test_with_few_examples_a_borrowed_encoder_is_worth_more_than_one_of_its_own(lent, tmp_path):
    words = choose(load_cmudict().train, 100)
    torch.manual_seed(0)
    lend(build(), tmp_path)  # never trained
    borrowed, own, untrained = (share_right(teach(words, folder)) for folder in (lent[1], None, tmp_path))
    assert borrowed > own + 0.04
    assert borrowed > untrained + 0.04


def test_with_many_examples_it_is_not(lent):
    words = choose(load_cmudict().train, 1000)
    borrowed, own = (share_right(teach(words, folder, epochs=12)) for folder in (lent[1], None))
    assert own > borrowed + 0.02


def test_weights_of_another_block_are_refused(tmp_path):
    model = build()
    model.swap("encoder", convolutional(32, 96))
    lend(model, tmp_path)
    with pytest.raises(ValueError, match=r"module: .*encoder.safetensors holds the weights of"):
        counter(tmp_path)
