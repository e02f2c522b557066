"""Multi-head attention is torch's, weights and all; unlike torch's it never says nan."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from workbench.blocks.multi_head import MultiHeadAttention, from_torch
from workbench.blocks.rotary import Rotary

LAYOUTS = st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 6))  # batch, steps, time
HEADS = st.tuples(st.integers(1, 4), st.integers(1, 3))  # heads, width of one


def some_real(batch: int, time: int) -> torch.Tensor:
    """Any pattern of real tokens, the first being real: torch gives nan where a step may read nothing."""
    mask = torch.rand(batch, time, generator=torch.Generator().manual_seed(batch + time)) < 0.5
    mask[:, 0] = True
    return mask


def later(steps: int, time: int) -> torch.Tensor:
    """True where torch must not look: the places after the step's own."""
    return torch.ones(steps, time, dtype=torch.bool).triu(1)


def call_torch(theirs, query, memory=None, mask=None, causal=False):
    memory = query if memory is None else memory
    hidden = None if mask is None else ~mask  # torch: True is padding
    blocked = later(query.shape[1], memory.shape[1]) if causal else None
    return theirs(
        query, memory, memory, hidden, attn_mask=blocked, need_weights=True, average_attn_weights=False
    )


class WithWeights(MultiHeadAttention):
    """Ours, giving the weights too, so that `same` compares them and their gradients."""

    def forward(self, *inputs):
        return self.forward_with_weights(*inputs)


@settings(deadline=None, max_examples=40)
@given(sizes=LAYOUTS, heads=HEADS, masked=st.booleans(), causal=st.booleans(), bias=st.booleans())
def test_self_attention_is_torchs(same, draw, sizes, heads, masked, causal, bias):
    batch, steps, _ = sizes
    count, width = heads[0], heads[0] * heads[1]
    theirs = nn.MultiheadAttention(width, count, bias=bias, batch_first=True)
    mask = some_real(batch, steps) if masked else None
    call = lambda theirs, *inputs: call_torch(theirs, *inputs, causal=causal)  # noqa: E731
    ours = WithWeights(width, count, bias=bias, causal=causal)
    same(ours, theirs, draw(batch, steps, width), None, mask, call=call, translate=from_torch)


@settings(deadline=None, max_examples=40)
@given(sizes=LAYOUTS, heads=HEADS, other=st.integers(1, 7), masked=st.booleans(), causal=st.booleans())
def test_cross_attention_is_torchs(same, draw, sizes, heads, other, masked, causal):
    batch, steps, time = sizes
    count, width = heads[0], heads[0] * heads[1]
    theirs = nn.MultiheadAttention(width, count, kdim=other, vdim=other, batch_first=True)
    mask = some_real(batch, time) if masked else None
    query, memory = draw(batch, steps, width), draw(batch, time, other, seed=1)
    call = lambda theirs, *inputs: call_torch(theirs, *inputs, causal=causal)  # noqa: E731
    ours = WithWeights(width, count, memory_width=other, causal=causal)
    same(ours, theirs, query, memory, mask, call=call, translate=from_torch)


def test_dropout_forgets_the_weights_that_torchs_forgets(same, draw):
    theirs = nn.MultiheadAttention(6, 2, dropout=0.4, batch_first=True).train()
    x, mask = draw(3, 5, 6), some_real(3, 5)
    call = lambda theirs, *inputs: call_torch(theirs, *inputs)[0]  # noqa: E731
    same(MultiHeadAttention(6, 2, dropout=0.4), theirs, x, x, mask, call=call, translate=from_torch)


def test_dropout_is_off_in_evaluation_and_spares_the_shown_weights(draw):
    attention, x = MultiHeadAttention(6, 2, dropout=0.5).double(), draw(2, 4, 6)
    shown = attention.train().forward_with_weights(x)[1]
    torch.testing.assert_close(shown.sum(dim=-1), torch.ones(2, 2, 4, dtype=torch.float64))
    assert torch.equal(attention.eval()(x), attention(x))


def test_all_padding_gives_exactly_zero_where_torch_gives_nan(draw):
    theirs = nn.MultiheadAttention(6, 2, batch_first=True).double()
    ours = MultiHeadAttention(6, 2).double()
    ours.load_state_dict(from_torch(theirs.state_dict()))
    nn.init.ones_(ours.out.bias)  # torch starts biases at zero; ours must be silent with any
    x, mask = draw(2, 4, 6).requires_grad_(), torch.tensor([[True] * 4, [False] * 4])

    told = call_torch(theirs, x, x, mask)[0]
    assert told[1].isnan().all()
    assert torch.autograd.grad(told[0].sum(), x)[0][1].isnan().all()  # even when only the good row is asked

    output, weights = ours.forward_with_weights(x, x, mask)
    assert (output[1] == 0).all()
    assert (weights[1] == 0).all()
    gradients = torch.autograd.grad(output.square().sum(), [x, *ours.parameters()])
    assert (gradients[0][1] == 0).all()
    assert all(gradient.isfinite().all() for gradient in gradients)
    alone = torch.autograd.grad(ours(x[:1], x[:1]).square().sum(), list(ours.parameters()))
    torch.testing.assert_close(gradients[1:], alone)


def test_a_causal_step_before_the_first_real_token_says_nothing(draw):
    output = MultiHeadAttention(6, 3, causal=True).double()(
        draw(1, 4, 6), mask=torch.tensor([[False, False, True, True]])
    )
    assert (output[0, :2] == 0).all()
    assert (output[0, 2:] != 0).any(dim=-1).all()


def test_a_causal_step_does_not_know_the_future(draw):
    attention, x = MultiHeadAttention(6, 2, causal=True).double(), draw(2, 5, 6)
    before = attention(x)
    x[:, 3:] = draw(2, 2, 6, seed=9)
    after = attention(x)
    assert torch.equal(before[:, :3], after[:, :3])
    assert not torch.isclose(before[:, 3:], after[:, 3:]).any()


def test_padding_does_not_count_whatever_it_holds(draw):
    attention = MultiHeadAttention(6, 2).double()
    query, memory = draw(2, 3, 6), draw(2, 5, 6, seed=1)
    alone = attention(query, memory[:, :3])
    memory[:, 3:] = math.nan
    mask = torch.tensor([[True, True, True, False, False]]).expand(2, 5)
    memory.requires_grad_()
    padded = attention(query, memory, mask)
    torch.testing.assert_close(padded, alone)
    gradients = torch.autograd.grad(padded.sum(), [memory, *attention.parameters()])
    assert all(gradient.isfinite().all() for gradient in gradients)


def test_the_memory_is_the_query_when_left_out(draw):
    attention, x = MultiHeadAttention(6, 2).double(), draw(2, 3, 6)
    assert torch.equal(attention(x), attention(x, x))


def test_rotary_makes_order_matter_and_only_distance_count(draw):
    plain, turned = MultiHeadAttention(8, 2).double(), MultiHeadAttention(8, 2, rotary=Rotary(4)).double()
    turned.load_state_dict(plain.state_dict())  # nothing to learn in it
    x, backwards = draw(1, 5, 8), torch.arange(4, -1, -1)
    torch.testing.assert_close(plain(x)[:, backwards], plain(x[:, backwards]))
    assert not torch.allclose(turned(x)[:, backwards], turned(x[:, backwards]))
    shifted = torch.cat([draw(1, 3, 8, seed=1), x], dim=1)  # the same sequence three places later
    mask = torch.arange(8).unsqueeze(0) >= 3
    torch.testing.assert_close(turned(shifted, mask=mask)[:, 3:], turned(x))


@pytest.mark.parametrize(("batch", "steps", "time"), [(0, 2, 3), (2, 0, 3), (2, 3, 0), (1, 1, 1)])
@pytest.mark.parametrize("causal", [False, True])
def test_empty_and_smallest(draw, batch, steps, time, causal):
    attention = MultiHeadAttention(6, 2, causal=causal).double()
    output, weights = attention.forward_with_weights(draw(batch, steps, 6), draw(batch, time, 6))
    assert output.shape == (batch, steps, 6)
    assert weights.shape == (batch, 2, steps, time)
    assert output.isfinite().all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MultiHeadAttention(6, 4), "num_heads: expected a divisor of width 6, got 4"),
        (lambda: MultiHeadAttention(6, 0), "num_heads: expected at least 1, got 0"),
        (lambda: MultiHeadAttention(6, 2, dropout=1.5), r"dropout: expected a probability, got 1\.5"),
        (lambda: MultiHeadAttention(6, 3, rotary=Rotary(4)), "rotary: expected width 2, of one head, got 4"),
    ],
)
def test_bad_arguments_are_refused_by_name(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("inputs", "error", "message"),
    [
        ((torch.zeros(2, 3, 5),), ValueError, r"query: expected shape \(batch, steps, 6\), got \(2, 3, 5\)"),
        ((torch.zeros(2, 3, 6), torch.zeros(2, 3, 5)), ValueError, r"memory: expected shape \(2, time, 6\)"),
        (
            (torch.zeros(2, 3, 6), None, torch.ones(2, 4, dtype=torch.bool)),
            ValueError,
            "mask: expected shape",
        ),
        ((torch.zeros(2, 3, 6), None, torch.zeros(2, 3)), TypeError, "mask: expected bool"),
    ],
)
def test_inputs_that_do_not_fit_are_refused_by_name(inputs, error, message):
    with pytest.raises(error, match=message):
        MultiHeadAttention(6, 2)(*inputs)
