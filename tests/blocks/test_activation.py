"""Activations are torch's, value and slope, at zero and at nan as well."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from workbench.blocks.activation import GELU, LeakyReLU, ReLU, SiLU, SwiGLU

PAIRS = {
    "relu": (ReLU(), nn.ReLU()),
    "leaky": (LeakyReLU(), nn.LeakyReLU()),
    "leaky 0.3": (LeakyReLU(0.3), nn.LeakyReLU(0.3)),
    "gelu": (GELU(), nn.GELU()),
    "gelu tanh": (GELU("tanh"), nn.GELU("tanh")),
    "silu": (SiLU(), nn.SiLU()),
}


class Written(nn.Module):
    """max(x, 0) + s·min(x, 0), with slope s at 0."""

    def __init__(self, slope):
        super().__init__()
        self.slope = slope

    def forward(self, x):
        return torch.where(x > 0, x, self.slope * x)


PAIRS |= {"relu written": (ReLU(), Written(0)), "leaky written": (LeakyReLU(0.3), Written(0.3))}


@pytest.mark.parametrize(("ours", "theirs"), PAIRS.values(), ids=PAIRS)
@settings(deadline=None, max_examples=50)
@given(shape=st.lists(st.integers(0, 5), max_size=3))
def test_activations_are_torchs(same, draw, ours, theirs, shape):
    same(ours, theirs, 3 * draw(*shape))


@pytest.mark.parametrize(("ours", "theirs"), PAIRS.values(), ids=PAIRS)
def test_special_numbers_and_views(same, draw, ours, theirs):
    same(ours, theirs, torch.tensor([0.0, -0.0, 1e-300, -1e-300, 40.0, -40.0, 1e4, -1e4]).double())
    same(ours, theirs, draw(6, 8).t()[::2])
    assert ours(torch.tensor(torch.nan)).isnan()


@pytest.mark.parametrize(("ours", "theirs"), PAIRS.values(), ids=PAIRS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_type_stays(ours, theirs, dtype):
    x = torch.linspace(-5, 5, 101, dtype=dtype)
    torch.testing.assert_close(ours(x), theirs(x), rtol=2e-2 if dtype == torch.bfloat16 else 1e-5, atol=1e-2)
    assert ours(x).dtype == dtype


def test_the_dips_are_as_deep_as_the_table_says():
    x = torch.linspace(-3, 3, 6001, dtype=torch.float64)
    assert GELU()(x).min().item() == pytest.approx(-0.17, abs=0.005)
    assert SiLU()(x).min().item() == pytest.approx(-0.28, abs=0.005)
    assert (GELU()(x) - GELU("tanh")(x)).abs().max().item() == pytest.approx(4.7e-4, rel=0.05)


class TorchsSwiGLU(nn.Module):
    """Equation 6 of arXiv 2002.05202 from torch's parts, with our names."""

    def __init__(self, inputs, hidden, outputs):
        super().__init__()
        self.gate = nn.Linear(inputs, hidden, bias=False)
        self.up = nn.Linear(inputs, hidden, bias=False)
        self.down = nn.Linear(hidden, outputs, bias=False)

    def forward(self, x):
        return self.down(functional.silu(self.gate(x)) * self.up(x))


@settings(deadline=None, max_examples=50)
@given(sizes=st.tuples(*[st.integers(1, 6)] * 3), around=st.lists(st.integers(0, 4), max_size=3))
def test_swiglu_is_the_papers(same, draw, sizes, around):
    same(SwiGLU(*sizes), TorchsSwiGLU(*sizes), draw(*around, sizes[0]))


def test_two_thirds_of_the_hidden_units_keep_the_parameters():
    parameters = sum(p.numel() for p in SwiGLU(96, 256, 96).parameters())  # 256 = 2/3 · 384
    assert parameters == 96 * 384 + 384 * 96


def test_arguments_that_do_not_fit():
    with pytest.raises(ValueError, match=r'approximate: expected "none" or "tanh", got \'erf\''):
        GELU("erf")
    with pytest.raises(ValueError, match=r"x: expected shape \(\.\.\., 3\), got \(2, 4\)"):
        SwiGLU(3, 4, 5)(torch.zeros(2, 4))


def test_contracts(keeps_contract):
    assert {ours.contract for ours, _ in PAIRS.values()} == {"... -> ..."}
    assert SwiGLU(3, 8, 5).contract == "... 3 -> ... 5"
    for block in (*[ours for ours, _ in PAIRS.values()], SwiGLU(3, 8, 5)):
        keeps_contract(block, torch.zeros(2, 4, 3))
