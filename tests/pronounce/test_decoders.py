"""Two decoders that promise the same: none looks ahead, the loop is its body step by step, and what each costs."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.profiling import meter
from workbench.pronounce.data import SOUNDS
from workbench.pronounce.decoders import all_steps, step_by_step

DECODERS = [all_steps, step_by_step]


def inputs(batch=2, steps=5, time=3, width=8):
    said = torch.randint(0, len(SOUNDS), (batch, steps))
    state, memory = torch.randn(batch, width).double(), torch.randn(batch, time, width).double()
    return said, state, memory, torch.ones(batch, time, dtype=torch.bool)


def test_both_promise_the_same():
    first, second = (str(make(6, 8).contract) for make in DECODERS)
    assert first == second


@settings(deadline=None, max_examples=20)
@given(make=st.sampled_from(DECODERS), steps=st.integers(2, 6), cut=st.integers(1, 5))
def test_no_step_knows_what_is_said_later(make, steps, cut):
    torch.manual_seed(steps)
    cut = min(cut, steps - 1)
    decoder = make(6, 8).double().eval()
    said, *others = inputs(steps=steps)
    scores, _ = decoder(said, *others)
    changed = said.clone()
    changed[:, cut:] = (changed[:, cut:] + 1) % len(SOUNDS)
    other_scores, _ = decoder(changed, *others)
    torch.testing.assert_close(scores[:, :cut], other_scores[:, :cut])
    assert not torch.allclose(scores[:, cut:], other_scores[:, cut:])


@pytest.mark.parametrize("make", DECODERS)
def test_going_on_from_a_state_is_as_good_as_going_through(make):
    decoder = make(6, 8).double().eval()
    said, state, memory, mask = inputs()
    scores, last = decoder(said, state, memory, mask)
    before, between = decoder(said[:, :2], state, memory, mask)
    after, end = decoder(said[:, 2:], between, memory, mask)
    torch.testing.assert_close(torch.cat([before, after], dim=1), scores)
    torch.testing.assert_close(end, last)


def test_the_loop_is_its_body_step_by_step():
    loop = step_by_step(6, 8).double().eval()
    said, state, memory, mask = inputs()
    scores, last = loop(said, state, memory, mask)
    for step in range(said.shape[1]):
        score, state = loop.body(said[:, step], state, memory, mask)
        torch.testing.assert_close(score, scores[:, step])
    torch.testing.assert_close(state, last)


def test_only_the_loop_feeds_back_what_it_found():
    """The last state of `all_steps` knows nothing of the memory, that of the loop does."""
    for make, sees in ((all_steps, False), (step_by_step, True)):
        decoder = make(6, 8).double().eval()
        said, state, memory, mask = inputs()
        memory.requires_grad_()
        last = decoder(said, state, memory, mask)[1]
        assert last.requires_grad
        (gradient,) = torch.autograd.grad(last.sum(), memory, allow_unused=True)
        assert (gradient is not None) == sees


def test_the_loop_pays_for_the_memory_at_every_step():
    time, width, steps = 8, 8, 5
    values = [x.float() if x.is_floating_point() else x for x in inputs(steps=steps, time=time, width=width)]
    counted = [meter(make(6, width), *values).flops for make in DECODERS]
    # U m, (batch × time, width) by (width, width): once, or once a step
    projection = 2 * 2 * time * width * width
    assert counted[1] - counted[0] >= (steps - 1) * projection
