"""What orders two threads: each rule by name, then all of them at random against the definition."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_programs import ATOMIC, COARSE, EVERYONE, FINE, THREADS, Launch

from kernels.simt.instruments.ordering import Ordering


def numbers(*values):
    return np.array(values, dtype=np.int64)


def ordered(ordering, me, other, when):
    return bool(ordering.ordered(numbers(me), numbers(other), numbers(when))[0])


def test_nothing_orders_threads_that_merely_run_in_lockstep():
    ordering = Ordering(THREADS, blocks=2)
    assert ordered(ordering, 5, 5, 1)  # but a thread's own accesses are in order
    assert not ordered(ordering, 5, 6, 1)
    assert not ordered(ordering, 5, 37, 1)
    assert not ordered(ordering, 5, 69, 1)


def test_a_barrier_orders_its_block_up_to_the_present():
    ordering = Ordering(THREADS, blocks=2)
    ordering.barrier(numbers(1), now=7)
    assert ordered(ordering, 64, 127, 7)
    assert not ordered(ordering, 64, 127, 8)
    assert not ordered(ordering, 0, 63, 7)
    assert not ordered(ordering, 64, 63, 7)


def test_a_grid_barrier_orders_everyone():
    ordering = Ordering(THREADS, blocks=2)
    ordering.grid_barrier(now=7)
    assert ordered(ordering, 0, 127, 7)
    assert not ordered(ordering, 0, 127, 8)


def test_syncwarp_orders_those_in_its_mask():
    ordering = Ordering(THREADS)
    ordering.warp_barrier(numbers(*range(8)), np.full(8, 0b11111111), now=3)
    ordering.warp_barrier(numbers(9, 40), np.full(2, EVERYONE), now=4)  # neighbors, yet of two warps
    assert ordered(ordering, 0, 7, 3)
    assert not ordered(ordering, 0, 7, 4)
    assert not ordered(ordering, 0, 8, 3)
    assert not ordered(ordering, 9, 40, 3)


def test_syncwarp_with_different_masks_does_not_bring_lanes_together():
    ordering = Ordering(THREADS)
    ordering.warp_barrier(numbers(0, 1, 2, 3), numbers(0b0011, 0b0011, 0b1100, 0b1100), now=3)
    assert ordered(ordering, 0, 1, 3)
    assert ordered(ordering, 2, 3, 3)
    assert not ordered(ordering, 1, 2, 3)


def test_syncwarp_passes_on_what_was_learned():
    ordering = Ordering(THREADS)
    ordering.warp_barrier(numbers(0, 1), numbers(0b011, 0b011), now=3)
    ordering.warp_barrier(numbers(1, 2), numbers(0b110, 0b110), now=6)
    assert ordered(ordering, 2, 0, 3)
    assert not ordered(ordering, 2, 0, 4)
    assert not ordered(ordering, 0, 2, 3)


def test_a_chunk_begins_without_barriers_of_its_own():
    ordering = Ordering(THREADS, blocks=1)
    ordering.barrier(numbers(0), now=9)
    ordering.warp_barrier(numbers(0, 1), numbers(3, 3), now=9)
    ordering.next_chunk(1, 1)
    assert not ordered(ordering, 64, 65, 9)
    assert not ordered(ordering, 64, 0, 9)


def test_no_threads_at_all():
    nobody = numbers()
    assert len(Ordering(THREADS).ordered(nobody, nobody, nobody)) == 0


def test_bad_input():
    with pytest.raises(ValueError, match=r"threads_per_block: expected a multiple of 32.*got 33"):
        Ordering(33)
    with pytest.raises(ValueError, match="blocks: expected at least one"):
        Ordering(32, 0, 0)
    with pytest.raises(ValueError, match=r"blocks: .*at most 2147483647 threads"):
        Ordering(1024).next_chunk(2**21, 1)
    with pytest.raises(ValueError, match="scope: expected 'block' or 'grid', got 'warp'"):
        Ordering(32).fence(numbers(0), 1, "warp")


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(ATOMIC, ATOMIC, *COARSE, *FINE, FINE[-1]), max_size=14))
def test_ordering_is_happens_before(events):
    """At the end of each chunk, what each of its threads knows of every thread at every time."""
    launch = Launch(events)
    for now, event in enumerate([*events, ("chunk",)], start=1):
        if event == ("chunk",):
            asked = [
                (me, other, when)
                for me in launch.present
                for other in launch.everyone
                for when in range(1, now)
            ]
            answers = launch.ordering.ordered(*np.array(asked, dtype=np.int64).reshape(-1, 3).T)
            assert answers.tolist() == [launch.truth.ordered(*question) for question in asked]
        if event[0] == "atomic":
            threads = [launch.ordering.first_thread + thread for thread in event[1]]
            launch.atomic(threads, [event[2]] * len(threads), now)
        else:
            launch.happens(event, now)
