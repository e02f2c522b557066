"""An embedding looks up rows: torch's, and a product with one-hot vectors; its padding row never learns."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from workbench.blocks.embedding import Embedding

SHAPES = st.lists(st.integers(0, 4), max_size=3)


@settings(deadline=None, max_examples=50)
@given(
    shape=SHAPES, rows=st.integers(1, 6), width=st.integers(1, 5), pads=st.booleans(), narrow=st.booleans()
)
def test_it_is_torchs(same, shape, rows, width, pads, narrow):
    padding = rows - 1 if pads else None
    numbers = torch.randint(rows, shape, dtype=torch.int32 if narrow else torch.int64)
    same(Embedding(rows, width, padding), nn.Embedding(rows, width, padding_idx=padding), numbers)


def test_it_is_a_product_with_one_hot_vectors():
    embedding, numbers = Embedding(7, 3).double(), torch.randint(7, (4, 5))
    one_hot = functional.one_hot(numbers, 7).double()  # (4, 5, rows)
    torch.testing.assert_close(embedding(numbers), one_hot @ embedding.weight)


def test_the_padding_row_starts_at_zero_and_gets_no_gradient():
    embedding = Embedding(5, 3, padding=2)
    vectors = embedding(torch.tensor([[0, 2], [2, 2]]))
    assert (vectors[0, 1] == 0).all()
    vectors.sum().backward()
    assert (embedding.weight.grad[[1, 2, 3, 4]] == 0).all()
    assert (embedding.weight.grad[0] == 1).all()


def test_a_loaded_padding_row_is_used_as_it_is():
    embedding = Embedding(4, 2, padding=0)
    embedding.load_state_dict({"weight": torch.ones(4, 2)})
    assert (embedding(torch.tensor([0])) == 1).all()


@pytest.mark.parametrize("number", [-1, 5])
def test_a_number_without_a_row_is_refused(number):
    with pytest.raises(IndexError):
        Embedding(5, 3)(torch.tensor([[0, number]]))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bool, torch.uint8])
def test_only_integers_are_names(dtype):
    with pytest.raises(TypeError, match=f"numbers: expected int64 or int32, got {dtype}"):
        Embedding(5, 3)(torch.zeros(2, dtype=dtype))


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((0, 3), "rows: expected at least 1"),
        ((3, 0), "width: expected at least 1"),
        ((3, 2, 3), "padding: expected"),
    ],
)
def test_bad_sizes_are_refused_by_name(sizes, message):
    with pytest.raises(ValueError, match=message):
        Embedding(*sizes)
