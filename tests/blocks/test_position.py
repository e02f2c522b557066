"""Positions are added row by row: learned ones end, waves go on, and waves can be turned k places ahead."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.blocks.position import LearnedPosition, SinusoidalPosition, waves

KINDS = [LearnedPosition, lambda longest, width: SinusoidalPosition(width, longest)]


@settings(deadline=None, max_examples=30)
@given(kind=st.sampled_from(KINDS), batch=st.integers(0, 3), time=st.integers(0, 9), width=st.integers(1, 7))
def test_every_sequence_gets_the_same_rows(draw, kind, batch, time, width):
    position, x = kind(9, width).double(), draw(batch, time, width)
    y = position(x)
    assert y.shape == x.shape
    torch.testing.assert_close(y - x, position.rows(time).expand_as(x), check_dtype=False)


def test_waves_are_the_papers():
    """§3.5, number by number, past the table and for an odd width."""
    position = SinusoidalPosition(7, longest=4)
    for time in (3, 4, 9):
        rows = position(torch.zeros(1, time, 7))[0]
        for t in range(time):
            for i in range(7):
                wave = math.sin if i % 2 == 0 else math.cos
                assert rows[t, i].item() == pytest.approx(wave(t / 10000 ** ((i - i % 2) / 7)), abs=1e-6)


def test_late_positions_are_exact_to_rounding():
    """Angles near 4096 computed in float32 would put these off by 1.5e-4; they are float64 until the end."""
    rows = SinusoidalPosition(64, longest=4097)(torch.zeros(1, 4097, 64))[0, 4096]
    for i in range(0, 64, 2):
        assert rows[i].item() == pytest.approx(math.sin(4096 / 10000 ** (i / 64)), abs=1e-7)


@settings(deadline=None, max_examples=20)
@given(t=st.integers(0, 50), k=st.integers(0, 50), width=st.sampled_from([2, 6, 8]))
def test_looking_k_ahead_is_one_linear_map_wherever_it_starts(t, k, width):
    rows = waves(101, width).unflatten(1, (-1, 2))  # (time, pairs, 2)
    angle = k * 10000 ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)
    turn = torch.stack([angle.cos(), angle.sin(), -angle.sin(), angle.cos()], dim=-1).reshape(-1, 2, 2)
    torch.testing.assert_close((turn @ rows[t].unsqueeze(-1)).squeeze(-1), rows[t + k])


def test_nothing_of_the_waves_is_learned_or_saved():
    position = SinusoidalPosition(4)
    assert not list(position.parameters())
    assert not position.state_dict()
    assert position.half()(torch.zeros(1, 3, 4, dtype=torch.float16)).dtype == torch.float16


def test_learned_rows_learn():
    position = LearnedPosition(5, 3)
    position(torch.zeros(2, 4, 3)).sum().backward()
    assert (position.weight.grad[:4] == 2).all()
    assert (position.weight.grad[4] == 0).all()


def test_a_learned_position_past_the_longest_is_refused_and_a_wave_is_not():
    x = torch.zeros(1, 6, 4)
    with pytest.raises(ValueError, match="x: expected at most 5 steps, as longest says, got 6"):
        LearnedPosition(5, 4)(x)
    assert torch.equal(SinusoidalPosition(4, longest=5)(x), SinusoidalPosition(4, longest=6)(x))


@pytest.mark.parametrize("make", KINDS)
def test_what_does_not_fit_is_refused_by_name(make):
    with pytest.raises(ValueError, match=r"x: expected shape \(batch, time, 4\), got \(2, 3, 5\)"):
        make(9, 4)(torch.zeros(2, 3, 5))
    with pytest.raises(ValueError, match="longest: expected at least 1"):
        make(0, 4)
    with pytest.raises(ValueError, match="width: expected at least 1"):
        make(4, 0)
