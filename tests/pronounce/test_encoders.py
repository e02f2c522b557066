"""Three encoders that promise the same: padding and neighbors change nothing, and each reaches as far as it says."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.pronounce.encoders import convolutional, recurrent, transformer

ENCODERS = [recurrent, convolutional, transformer]


@pytest.mark.parametrize("make", ENCODERS)
def test_all_promise_the_same(make):
    encoder = make(6, 8)
    assert str(encoder.contract) == str(recurrent(6, 8).contract)
    encoder.check()
    assert sum(parameter.numel() for parameter in encoder.parameters()) > 0


@settings(deadline=None, max_examples=30)
@given(
    make=st.sampled_from(ENCODERS),
    length=st.integers(1, 6),
    padding=st.integers(0, 3),
    others=st.integers(0, 3),
)
def test_padding_and_neighbors_change_nothing(make, length, padding, others):
    torch.manual_seed(length)
    encoder = make(6, 8).double().eval()
    word = torch.randn(1, length, 6, dtype=torch.float64)
    alone = encoder(word, torch.ones(1, length, dtype=torch.bool))

    batch = torch.full((1 + others, length + padding, 6), torch.nan, dtype=torch.float64)
    batch[:1, :length] = word
    batch[1:] = torch.randn(others, length + padding, 6, dtype=torch.float64)
    mask = torch.ones(1 + others, length + padding, dtype=torch.bool)
    mask[0, length:] = False
    if make is transformer:  # it adds positions first, and nan + 1 is nan: its own masks are tested with it
        batch = batch.nan_to_num(7.0)
    torch.testing.assert_close(encoder(batch, mask)[:1, :length], alone)


def reach(make) -> list[int]:
    """The places of the memory that see a change of the first letter, of ten."""
    torch.manual_seed(0)
    encoder = make(6, 8).double().eval()
    letters = torch.randn(1, 10, 6, dtype=torch.float64)
    changed = letters.clone()
    changed[:, 0] += 1
    mask = torch.ones(1, 10, dtype=torch.bool)
    return (
        ((encoder(letters, mask) - encoder(changed, mask)).abs() > 1e-12)
        .any(-1)[0]
        .nonzero()
        .flatten()
        .tolist()
    )


def test_how_far_a_letter_reaches():
    assert reach(recurrent) == list(range(10))
    assert reach(transformer) == list(range(10))
    assert reach(convolutional) == [0, 1, 2, 3]  # three layers, one further each


@pytest.mark.parametrize("make", ENCODERS)
def test_the_order_of_the_letters_counts(make):
    torch.manual_seed(0)
    encoder = make(6, 8).double().eval()
    letters, mask = torch.randn(1, 4, 6, dtype=torch.float64), torch.ones(1, 4, dtype=torch.bool)
    there, back = encoder(letters, mask), encoder(letters.flip(1), mask).flip(1)
    assert (there - back).abs().max() > 1e-3
