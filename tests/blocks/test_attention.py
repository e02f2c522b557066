"""Attention is a mean weighted by a softmax of scores: equal to torch's, and exactly 0 where nothing may be read."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from workbench.blocks.attention import AdditiveAttention, DotProductAttention, masked_softmax

SIZES = {"batch": st.integers(1, 3), "steps": st.integers(1, 5), "time": st.integers(1, 7)}
KINDS = {
    "dot product": lambda: DotProductAttention().double(),
    "additive": lambda: AdditiveAttention(6, 6, 5).double(),
}


def draw_mask(batch: int, time: int, seed: int) -> torch.Tensor:
    """Any pattern of real tokens, now and then none at all."""
    return torch.rand(batch, time, generator=torch.Generator().manual_seed(seed)) < 0.6


class TorchDotProduct(nn.Module):
    def __init__(self, scale):
        super().__init__()
        self.scale = scale

    def forward(self, query, memory, mask):
        allowed = None if mask is None else mask.unsqueeze(1)
        return functional.scaled_dot_product_attention(query, memory, memory, allowed, scale=self.scale)


class NaiveAdditive(nn.Module):
    """Appendix A.1.2 of the paper, read aloud: one score at a time."""

    def __init__(self, query_width, memory_width, hidden):
        super().__init__()
        self.query = nn.Linear(query_width, hidden, bias=False)
        self.memory = nn.Linear(memory_width, hidden)
        self.score = nn.Linear(hidden, 1, bias=False)

    def forward(self, query, memory, mask):
        return torch.stack(
            [
                torch.stack([self.read(q, *pair) for q in qs])
                for qs, *pair in zip(query, memory, mask, strict=True)
            ]
        )

    def read(self, q, places, real):
        total, context = torch.zeros((), dtype=q.dtype), torch.zeros_like(places[0])
        for m, is_real in zip(places, real, strict=True):
            if is_real:
                share = self.score(torch.tanh(self.query(q) + self.memory(m))).exp().squeeze()
                total, context = total + share, context + share * m
        return context / total if real.any() else context


@settings(deadline=None, max_examples=40)
@given(**SIZES, width=st.integers(1, 9), scale=st.sampled_from([None, 1.0, 0.3]), masked=st.booleans())
def test_dot_product_is_torchs(same, draw, batch, steps, time, width, scale, masked):
    mask = draw_mask(batch, time, seed=steps) if masked else None
    query, memory = draw(batch, steps, width), draw(batch, time, width, seed=1)
    same(DotProductAttention(scale), TorchDotProduct(scale), query, memory, mask)


@settings(deadline=None, max_examples=25)
@given(**SIZES, widths=st.tuples(st.integers(1, 5), st.integers(1, 5)), hidden=st.integers(1, 6))
def test_additive_is_the_papers(same, draw, batch, steps, time, widths, hidden):
    ours, theirs = AdditiveAttention(*widths, hidden), NaiveAdditive(*widths, hidden)
    query, memory = draw(batch, steps, widths[0]), draw(batch, time, widths[1], seed=1)
    mask = draw_mask(batch, time, seed=hidden)
    mask[0, 0] = True  # something to read somewhere: naive contexts of nothing have no gradient at all
    same(ours, theirs, query, memory, mask)


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None, max_examples=25)
@given(**SIZES)
def test_weights_are_shares_of_the_real_places(kind, draw, batch, steps, time):
    mask = draw_mask(batch, time, seed=time)
    query, memory = draw(batch, steps, 6), draw(batch, time, 6, seed=1)
    attention = KINDS[kind]()
    context, weights = attention.forward_with_weights(query, memory, mask)
    assert weights.shape == (batch, steps, time)
    assert (weights.masked_select(~mask.unsqueeze(1)) == 0).all()
    some = mask.any(dim=1).to(weights.dtype).unsqueeze(1).expand(batch, steps)
    torch.testing.assert_close(weights.sum(dim=-1), some)
    torch.testing.assert_close(context, weights @ memory)
    assert torch.equal(context, attention(query, memory, mask))


@pytest.mark.parametrize("kind", KINDS)
def test_a_memory_of_padding_gives_exactly_zero_and_no_gradient(kind, draw):
    query, memory = draw(2, 3, 6).requires_grad_(), draw(2, 4, 6, seed=1).requires_grad_()
    mask = torch.tensor([[True, True, False, True], [False] * 4])
    context = KINDS[kind]()(query, memory, mask)
    assert (context[1] == 0).all()
    context.square().sum().backward()
    assert (query.grad[1] == 0).all()
    assert (memory.grad[1] == 0).all()
    assert query.grad[0].abs().sum() > 0
    assert memory.grad[0].isfinite().all()


@pytest.mark.filterwarnings("ignore:Anomaly Detection has been enabled")
def test_there_is_no_nan_on_the_way_either(draw):
    """Why the lowest number stands where a mask forbids, and not −∞: its softmax, where all is forbidden, is nan."""
    scores = draw(2, 3).requires_grad_()
    forbidden = torch.full((2, 3), -math.inf, dtype=torch.float64)
    assert torch.softmax(scores + forbidden, dim=-1).isnan().all()
    with torch.autograd.detect_anomaly(check_nan=True):
        masked_softmax(scores, torch.zeros(2, 3, dtype=torch.bool)).square().sum().backward()
    assert (scores.grad == 0).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rubbish", [math.nan, math.inf, 1e300])
def test_what_stands_in_the_padding_does_not_count(kind, draw, rubbish):
    attention, mask = KINDS[kind](), torch.tensor([[True, True, False, False]])
    query, memory = draw(1, 3, 6).requires_grad_(), draw(1, 4, 6, seed=1)
    alone = attention(query, memory[:, :2])
    memory[:, 2:] = rubbish
    memory.requires_grad_()
    padded = attention(query, memory, mask)
    torch.testing.assert_close(padded, alone)
    gradients = torch.autograd.grad(padded.sum(), [query, memory, *attention.parameters()])
    assert all(gradient.isfinite().all() for gradient in gradients)
    assert (gradients[1][:, 2:] == 0).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("batch", "steps", "time"), [(0, 2, 3), (2, 0, 3), (2, 3, 0), (1, 1, 1)])
def test_empty_and_smallest(kind, draw, batch, steps, time):
    context = KINDS[kind]()(draw(batch, steps, 6), draw(batch, time, 6))
    assert context.shape == (batch, steps, 6)
    assert context.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_half_types_mask_too(dtype):
    mask = torch.tensor([[True, False, True]])
    context, weights = DotProductAttention().forward_with_weights(
        torch.randn(1, 2, 4).to(dtype), torch.randn(1, 3, 4).to(dtype), mask
    )
    assert context.dtype == weights.dtype == dtype
    assert (weights[..., 1] == 0).all()
    assert context.isfinite().all()


QUERY, MEMORY = torch.zeros(2, 3, 6), torch.zeros(2, 4, 6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("inputs", "error", "message"),
    [
        ((torch.zeros(2, 6), MEMORY), ValueError, r"query: expected shape \(batch, steps, 6\), got \(2, 6\)"),
        (
            (QUERY, torch.zeros(2, 4, 5)),
            ValueError,
            r"memory: expected shape \(2, time, 6\), got \(2, 4, 5\)",
        ),
        ((QUERY, torch.zeros(1, 4, 6)), ValueError, "memory: expected shape"),
        ((QUERY, MEMORY, torch.ones(2, 3, dtype=torch.bool)), ValueError, r"mask: expected shape \(2, 4\)"),
        (
            (QUERY, MEMORY, torch.ones(2, 4)),
            TypeError,
            "mask: expected bool, True at real tokens, got torch.float32",
        ),
    ],
)
def test_what_does_not_fit_is_refused_by_name(kind, inputs, error, message):
    with pytest.raises(error, match=message):
        KINDS[kind]().float()(*inputs)


def test_sizes_below_one_are_refused():
    with pytest.raises(ValueError, match="hidden: expected at least 1, got 0"):
        AdditiveAttention(4, 4, 0)
