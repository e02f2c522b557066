"""Corruption: nothing at 0, no trace of the input at 1, the documented share between, never the input itself."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.mixing import corrupt
from workbench.mixing.corrupt import NOISE_LETTERS

NAMES = st.lists(st.text(max_size=20), max_size=6)
SHAPES = st.sampled_from([(0, 4, 4, 3), (1, 1, 1, 1), (3, 5, 7, 3), (2, 6, 4)])
AMOUNTS = st.floats(0, 1)


def pictures_of(shape, seed=0):
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


@settings(deadline=None)
@given(names=NAMES, shape=SHAPES, amount=AMOUNTS, seed=st.integers(0, 99))
def test_seeded_and_the_input_stays(names, shape, amount, seed):
    pictures = pictures_of(shape)
    copy, names_before = pictures.clone(), list(names)
    spoiled = corrupt(pictures, amount, seed)
    assert spoiled.shape == pictures.shape
    assert spoiled.dtype == torch.uint8
    assert spoiled.data_ptr() != pictures.data_ptr() or pictures.numel() == 0
    assert torch.equal(spoiled, corrupt(pictures, amount, seed))
    assert torch.equal(pictures, copy)
    assert corrupt(names, amount, seed) == corrupt(names, amount, seed)
    assert names == names_before


@settings(deadline=None)
@given(names=NAMES, shape=SHAPES, seed=st.integers(0, 99))
def test_zero_changes_nothing(names, shape, seed):
    assert torch.equal(corrupt(pictures_of(shape), 0, seed), pictures_of(shape))
    assert corrupt(names, 0, seed) == names


@settings(deadline=None)
@given(
    pair=st.integers(0, 5).flatmap(
        lambda n: st.tuples(*[st.lists(st.text(max_size=20), min_size=n, max_size=n)] * 2)
    ),
    seed=st.integers(0, 99),
)
def test_one_leaves_nothing_of_the_input(pair, seed):
    first, second = pair
    assert corrupt(first, 1, seed) == corrupt(second, 1, seed)
    assert all(len(name) == NOISE_LETTERS for name in corrupt(first, 1, seed))
    shape = (3, 5, 7, 3)
    assert torch.equal(corrupt(pictures_of(shape, 1), 1, seed), corrupt(pictures_of(shape, 2), 1, seed))


@pytest.mark.parametrize("amount", [0.25, 0.5, 0.75])
def test_the_documented_share_is_spoiled(amount):
    black = torch.zeros(40, 32, 32, 3, dtype=torch.uint8)
    changed = (corrupt(black, amount) != 0).any(-1).float().mean().item()
    assert changed == pytest.approx(amount, abs=0.01)
    names = ["Ω" * 20] * 500  # a letter that noise never is
    spoiled = corrupt(names, amount)
    kept = sum(name.count("Ω") for name in spoiled) / (20 * 500)
    entered = sum(len(name) - name.count("Ω") for name in spoiled) / (NOISE_LETTERS * 500)
    assert kept == pytest.approx(1 - amount, abs=0.03)
    assert entered == pytest.approx(amount, abs=0.03)


def test_more_noise_spoils_what_less_noise_had_spoiled():
    black = torch.zeros(4, 8, 8, 3, dtype=torch.uint8)
    little, much = (corrupt(black, amount, seed=3) for amount in (0.3, 0.6))
    spoiled = little != 0
    assert spoiled.any()
    assert torch.equal(little[spoiled], much[spoiled])


def test_kept_letters_keep_their_order():
    kept = ["".join(c for c in name if c.isupper()) for name in corrupt(["ABCDEFGHIJ"] * 50, 0.5)]
    assert all(list(name) == sorted(name) for name in kept)
    assert len(set(kept)) > 10


@pytest.mark.parametrize("amount", [-0.1, 1.1, float("nan")])
def test_amounts_outside_are_refused(amount):
    with pytest.raises(ValueError, match="amount: expected a number from 0 to 1"):
        corrupt(["cat"], amount)


@pytest.mark.parametrize(
    "modality", ["cat", [1, 2], torch.zeros(2, 4, 4, 3), torch.zeros(4, 4, dtype=torch.uint8)]
)
def test_other_modalities_are_refused(modality):
    with pytest.raises(TypeError, match="modality: expected"):
        corrupt(modality, 0.5)
