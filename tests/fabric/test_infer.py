"""The contracts known for torch's modules hold when the modules run."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from workbench.fabric.infer import contract_of

MODULES = [
    (nn.Linear(4, 3), (2, 5, 4)),
    (nn.Linear(4, 3), (4,)),
    (nn.GELU(), (2, 3)),
    (nn.LayerNorm((3, 4)), (2, 3, 4)),
    (nn.RMSNorm(4), (2, 4)),
    (nn.BatchNorm1d(3), (2, 3)),
    (nn.BatchNorm1d(3), (2, 3, 5)),
    (nn.BatchNorm2d(3), (2, 3, 5, 4)),
    (nn.Sequential(nn.Linear(4, 7), nn.ReLU(), nn.Linear(7, 2), nn.Tanh()), (3, 4)),
    (nn.Sequential(nn.ReLU()), (3, 4)),
]


@pytest.mark.parametrize(("module", "shape"), MODULES, ids=str)
def test_what_is_known_of_torch_is_true(module, shape):
    x = torch.randn(shape)
    contract_of(module).check([x], module(x))


def test_an_embedding_takes_integers():
    module, x = nn.Embedding(5, 3), torch.zeros(2, 4, dtype=torch.int64)
    contract_of(module).check([x], module(x))
    assert contract_of(nn.Sequential(module, nn.ReLU())).inputs[0].dtype == "int"


@given(
    size=st.integers(1, 4), stride=st.integers(1, 3), padding=st.integers(0, 2), dilation=st.integers(1, 2),
    height=st.integers(9, 14), width=st.integers(9, 14),
)  # fmt: skip
def test_convolutions_of_every_kind(size, stride, padding, dilation, height, width):
    two = nn.Conv2d(2, 3, (size, 3), (stride, 2), (padding, 1), dilation)
    x = torch.randn(1, 2, height, width)
    contract_of(two).check([x], two(x))
    one = nn.Conv1d(2, 3, size, stride, padding, dilation)
    contract_of(one).check([x[:, :, 0]], one(x[:, :, 0]))
    same = nn.Conv1d(2, 3, size, padding="same", dilation=dilation)
    contract_of(same).check([x[:, :, 0]], same(x[:, :, 0]))


def test_what_is_not_known_is_not_guessed():
    for module in (nn.GRU(2, 3), nn.Sequential(nn.Conv1d(2, 3, 1), nn.ReLU()), nn.Sequential()):
        with pytest.raises(ValueError, match="none is known for it"):
            contract_of(module)
