"""Rotary positions are products of complex numbers; scores know the distance of two places and nothing else."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.blocks.rotary import Rotary, turn

SHAPES = st.tuples(st.integers(0, 3), st.integers(1, 7), st.integers(1, 3))  # batch, time, heads


def complex_turn(x: torch.Tensor, base: float) -> torch.Tensor:
    """Equation 12 of the paper's form: z·exp(i t θ), neighbors being the real and the imaginary part."""
    z = torch.view_as_complex(x.unflatten(-1, (-1, 2)).contiguous())  # (..., time, heads, pairs)
    theta = base ** (-torch.arange(0, x.shape[-1], 2, dtype=x.dtype) / x.shape[-1])
    angle = torch.arange(x.shape[-3], dtype=x.dtype).unsqueeze(-1) * theta  # (time, pairs)
    return torch.view_as_real(z * torch.polar(torch.ones_like(angle), angle).unsqueeze(-2)).flatten(-2)


def interleave(x: torch.Tensor) -> torch.Tensor:
    """Halves to neighbors: a b c d A B C D -> a A b B c C d D."""
    return x.unflatten(-1, (2, -1)).transpose(-1, -2).flatten(-2)


@settings(deadline=None, max_examples=40)
@given(shape=SHAPES, pairs=st.integers(1, 5), base=st.sampled_from([10000.0, 100.0]))
def test_it_is_a_complex_product(draw, shape, pairs, base):
    x = draw(*shape, 2 * pairs).requires_grad_()
    ours, theirs = Rotary(2 * pairs, base, interleaved=True)(x), complex_turn(x, base)
    torch.testing.assert_close(ours, theirs)
    weights = draw(*x.shape, seed=1)
    gradients = [torch.autograd.grad((y * weights).sum(), x)[0] for y in (ours, theirs)]
    torch.testing.assert_close(*gradients)


@settings(deadline=None, max_examples=20)
@given(shape=SHAPES, pairs=st.integers(1, 5))
def test_halves_are_neighbors_in_another_order(draw, shape, pairs):
    x = draw(*shape, 2 * pairs)
    halves, neighbors = Rotary(2 * pairs), Rotary(2 * pairs, interleaved=True)
    torch.testing.assert_close(interleave(halves(x)), neighbors(interleave(x)))


@pytest.mark.parametrize("interleaved", [False, True])
@settings(deadline=None, max_examples=30)
@given(m=st.integers(0, 40), n=st.integers(0, 40), shift=st.integers(1, 60))
def test_scores_depend_on_the_distance_only(draw, interleaved, m, n, shift):
    rotary, q, k = Rotary(8, interleaved=interleaved), draw(1, 8), draw(1, 8, seed=1)
    cos, sin = rotary.tables(101, q)

    def score(query_at: int, key_at: int) -> torch.Tensor:
        places = (q, query_at), (k, key_at)
        turned = [turn(x[None], cos[[t]], sin[[t]], interleaved)[0] for x, t in places]
        return (turned[0] * turned[1]).sum()

    torch.testing.assert_close(score(m, n), score(m + shift, n + shift))
    if m != n:
        assert not torch.isclose(score(m, n), score(m, m))


def test_lengths_stay_and_the_first_place_is_not_turned(draw):
    x = draw(2, 5, 3, 8)
    y = Rotary(8)(x)
    torch.testing.assert_close(y.norm(dim=-1), x.norm(dim=-1))
    assert torch.equal(y[:, 0], x[:, 0])
    assert not torch.isclose(y[:, 1:], x[:, 1:]).all()


def test_one_sequence_needs_no_batch(draw):
    x, rotary = draw(2, 5, 3, 4), Rotary(4)
    assert torch.equal(rotary(x)[0], rotary(x[0]))


def test_half_types_are_turned_in_float32(draw):
    """bfloat16 has 8 bits: it would turn positions 256 and 257 alike."""
    x = draw(1, 300, 1, 4).bfloat16()
    exact = Rotary(4)(x.double())
    assert Rotary(4)(x).dtype == torch.bfloat16
    torch.testing.assert_close(Rotary(4)(x), exact.bfloat16(), rtol=0.01, atol=0.01)


@pytest.mark.parametrize("width", [0, 1, 5])
def test_an_odd_width_is_refused(width):
    with pytest.raises(ValueError, match=f"width: expected .*got {width}"):
        Rotary(width)


@pytest.mark.parametrize("shape", [(5, 4), (2, 5, 3, 6)])
def test_what_does_not_fit_is_refused_by_name(shape):
    with pytest.raises(ValueError, match=r"x: expected shape \(..., time, heads, 4\)"):
        Rotary(4)(torch.zeros(shape))
