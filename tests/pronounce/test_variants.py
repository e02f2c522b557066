"""The swaps: one line each, which leaves every other weight as it was, bit for bit, and trains on."""

import copy

import pytest
import torch

from workbench.blocks.attention import DotProductAttention
from workbench.fabric import Change
from workbench.pronounce import BASE, VARIANTS, NoAttention, Recipe, build, choose, examples, make, train_on

TOUCHED = {  # where new weights may appear, and old ones go
    "none": "decoder.attention.",
    "dot-product": "decoder.attention.",
    "additive + multi-head": "decoder.attention_beside.",
    "convolutional encoder": "encoder.",
    "transformer encoder": "encoder.",
    "step by step": "decoder.",
}
RECIPE = Recipe(words=400, batch=32, legs=((2, 5e-3),))


@pytest.fixture(scope="module")
def seen(few_words):
    return examples(choose(few_words.train, RECIPE.words))


@pytest.fixture(scope="module")
def trained(seen):
    torch.manual_seed(0)
    return train_on(build(), seen, recipe=RECIPE)


def test_the_table_is_complete():
    assert set(VARIANTS) == {BASE, *TOUCHED}
    assert VARIANTS[BASE](build()) is None


@pytest.mark.parametrize("variant", TOUCHED)
def test_a_swap_leaves_every_other_weight_as_it_was(variant, trained):
    model = copy.deepcopy(trained.model)
    before = {name: (value, value.clone()) for name, value in model.named_parameters()}
    change = VARIANTS[variant](model)
    assert isinstance(change, Change)
    after = dict(model.named_parameters())
    kept = {name for name in before if not name.startswith(TOUCHED[variant])}
    assert kept
    for name in kept:
        assert after[name] is before[name][0]  # the same tensor, so an optimizer still holds it
        assert torch.equal(after[name], before[name][1])
    assert all(name.startswith(TOUCHED[variant]) for name in after.keys() - kept)
    assert change.parameters == (
        sum(v.numel() for v, _ in before.values()),
        sum(v.numel() for v in after.values()),
    )


@pytest.mark.parametrize("variant", TOUCHED)
def test_training_goes_on_after_a_swap(variant, trained, seen):
    model = copy.deepcopy(trained.model)
    VARIANTS[variant](model)
    swapped = train_on(model, seen, seed=1, recipe=RECIPE)
    torch.manual_seed(1)
    fresh = train_on(make(variant), seen, seed=1, recipe=RECIPE)
    assert swapped.loss < fresh.loss  # what was kept was worth keeping


def test_swapping_back_gives_back_what_it_said(trained, seen):
    model = copy.deepcopy(trained.model)
    expected = model(*seen[:3])
    old = model.nodes["decoder"].part.nodes["attention"].part
    model.swap("decoder.attention", DotProductAttention())
    assert not torch.allclose(model(*seen[:3]), expected)
    model.swap("decoder.attention", old)
    assert torch.equal(model(*seen[:3]), expected)


def test_the_new_block_beside_the_old_adds_to_it(trained, seen):
    model = copy.deepcopy(trained.model)
    expected = model(*seen[:3])
    VARIANTS["additive + multi-head"](model)
    beside = model.nodes["decoder"].part.nodes["attention_beside"].part
    for parameter in beside.parameters():
        torch.nn.init.zeros_(parameter)
    torch.testing.assert_close(model(*seen[:3]), expected)


def test_attention_also_swaps_inside_the_loop():
    model = make("step by step")
    model.swap("decoder.attention", DotProductAttention())
    model.check()
    assert not [name for name, _ in model.named_parameters() if "attention" in name]


def test_no_attention_is_the_ends_of_the_word_at_every_step():
    block = NoAttention(6, 8)
    memory = torch.randn(2, 5, 8)
    mask = torch.tensor([[True] * 5, [True, True, False, False, False]])
    context = block(torch.randn(2, 3, 6), memory, mask)
    ends = torch.stack(
        [torch.cat([memory[0, 4, :4], memory[0, 0, 4:]]), torch.cat([memory[1, 1, :4], memory[1, 0, 4:]])]
    )
    assert torch.equal(context, ends.unsqueeze(1).expand(2, 3, 8))
    assert torch.equal(
        block(torch.randn(2, 1, 6), memory)[0, 0], ends[0]
    )  # without a mask all places are real


def test_an_unknown_variant_is_refused():
    with pytest.raises(ValueError, match=r"variant: expected one of additive, none, .*; got 'telepathy'"):
        make("telepathy")
