"""Hazards are reported exactly when there is one: small kernels, random inputs, and the rule worked out in NumPy."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import int32

from kernels import simt
from kernels.backend import cuda

WIDTH = 48
few = settings(max_examples=40, deadline=None)
in_any_order = st.sampled_from([("lockstep", 0), *[("shuffled", seed) for seed in range(4)]])


def kinds(kernel, grid, block, *arguments, order=("lockstep", 0)):
    run = simt.launch(kernel, grid, block, *arguments, order=order[0], seed=order[1], on_hazard="record")
    return run, {hazard.kind for hazard in run.hazards}


def fill(out):
    out[cuda.grid(1)] = 1


@few
@given(size=st.integers(0, 130), grid=st.integers(1, 4), block=st.integers(1, 40), order=in_any_order)
def test_out_of_bounds_when_there_are_more_threads_than_elements(size, grid, block, order):
    run, found = kinds(fill, grid, block, np.zeros(size, np.int32), order=order)
    assert found == ({"OutOfBounds"} if grid * block > size else set())
    for hazard in run.hazards:
        guilty = hazard.block * block + hazard.threads[0]
        assert guilty >= size
        assert f"out[{guilty}]" in str(hazard)


def look_at_a_neighbor(x, out, distance):
    scratch = cuda.shared.array(WIDTH, int32)
    t = cuda.threadIdx.x
    scratch[t] = x[t]
    out[t] = scratch[(t + distance) % WIDTH]


@few
@given(distance=st.integers(0, 3 * WIDTH))
def test_a_race_when_the_neighbor_is_another_thread(distance):
    x, out = np.arange(WIDTH, dtype=np.int32), np.zeros(WIDTH, np.int32)
    run, found = kinds(look_at_a_neighbor, 1, WIDTH, x, out, distance)
    assert found == ({"DataRace"} if distance % WIDTH else set())
    for hazard in run.hazards:
        writer, reader = hazard.threads
        assert writer == (reader + distance) % WIDTH
        assert f"scratch[{writer}]" in str(hazard)


def add_to_bins(x, bins):
    bins[x[cuda.grid(1)]] += 1


@few
@given(
    values=st.lists(st.integers(0, 60), min_size=1, max_size=24), block=st.integers(1, 24), order=in_any_order
)
def test_a_race_when_two_values_are_equal(values, block, order):
    values = values + list(range(61, 61 + -len(values) % block))  # whole blocks
    x, bins = np.array(values, np.int32), np.zeros(100, np.int32)
    run, found = kinds(add_to_bins, len(values) // block, block, x, bins, order=order)
    assert found == ({"DataRace"} if len(set(values)) < len(values) else set())
    for hazard in run.hazards:
        one, two = (access.block * block + access.thread for access in hazard.accesses)
        assert one != two
        assert values[one] == values[two]


def wait_if(flags, returns, out):
    t = cuda.threadIdx.x
    if returns[t]:
        return
    if flags[t]:
        cuda.syncthreads()
    out[t] = 1


thirds = st.lists(st.booleans(), min_size=WIDTH, max_size=WIDTH)


@few
@given(flags=thirds | st.just([True] * WIDTH), returns=thirds, order=in_any_order)
def test_divergence_when_not_all_that_are_left_wait(flags, returns, order):
    flags, returns, out = np.array(flags), np.array(returns), np.zeros(WIDTH, np.int32)
    _, found = kinds(wait_if, 1, WIDTH, flags, returns, out, order=order)
    waiting = flags[~returns]
    assert found == ({"BarrierDivergence"} if waiting.any() and not waiting.all() else set())
    np.testing.assert_array_equal(out, ~returns)


def meet_in_groups(masks, partners, out):
    scratch = cuda.shared.array(32, int32)
    t = cuda.threadIdx.x
    scratch[t] = t
    cuda.syncwarp(masks[t])
    out[t] = scratch[partners[t]]


@few
@given(groups=st.lists(st.integers(0, 2), min_size=32, max_size=32), partners=st.permutations(range(32)))
def test_a_race_when_syncwarp_is_with_others(groups, partners):
    groups, partners, out = np.array(groups), np.array(partners), np.zeros(32, np.int32)
    masks = np.array([sum(1 << lane for lane in np.flatnonzero(groups == group)) for group in groups])
    _, found = kinds(meet_in_groups, 1, 32, masks, partners, out)
    assert found == (set() if (groups[partners] == groups).all() else {"DataRace"})
    np.testing.assert_array_equal(out, partners)
