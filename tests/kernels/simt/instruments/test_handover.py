"""Hand-overs by fence and atomic: what programs rely on is accepted, and nothing else."""

import numpy as np
import pytest

from kernels.simt.instruments.ordering import Ordering

THREADS = 64  # a block: two warps
COUNTER, FLAG = 1000, 2000  # locations of atomics


def numbers(*values):
    return np.array(values, dtype=np.int64)


def ordered(ordering, me, other, when):
    return bool(ordering.ordered(numbers(me), numbers(other), numbers(when))[0])


def hand_over(scope="grid", fence=True, ordering=None):
    """Thread 0 of block 0 writes at time 1, fences, and raises a flag at 2; thread 64 of block 1 sees it at 3."""
    ordering = ordering or Ordering(THREADS, blocks=2)
    if fence:
        ordering.fence(numbers(0), now=1, scope=scope)
    ordering.atomic(numbers(0), numbers(FLAG), now=2)
    ordering.atomic(numbers(64), numbers(FLAG), now=3)
    return ordering


def test_a_flag_hands_over_what_was_written_before_the_fence():
    ordering = hand_over()
    assert ordering.hands_over
    assert ordered(ordering, 64, 0, 1)
    assert ordered(ordering, 64, 0, 2)  # and the atomic itself: the flag may be lowered by a plain write
    assert not ordered(ordering, 64, 0, 3)
    assert not ordered(ordering, 65, 0, 1)
    assert not ordered(ordering, 64, 1, 1)
    ordering.barrier(numbers(1), now=4)
    assert ordered(ordering, 65, 0, 1)


def test_nothing_is_handed_over_without_a_fence_or_at_another_location():
    assert not ordered(hand_over(fence=False), 64, 0, 1)
    assert not hand_over(fence=False).hands_over
    ordering = Ordering(THREADS, blocks=2)
    ordering.fence(numbers(0), now=1)
    ordering.atomic(numbers(0), numbers(FLAG), now=2)
    ordering.atomic(numbers(64), numbers(COUNTER), now=3)
    assert not ordered(ordering, 64, 0, 1)


def test_a_fence_after_the_atomic_comes_too_late():
    ordering = Ordering(THREADS, blocks=2)
    ordering.atomic(numbers(0), numbers(FLAG), now=2)
    ordering.fence(numbers(0), now=2)
    ordering.atomic(numbers(64), numbers(FLAG), now=3)
    assert not ordered(ordering, 64, 0, 1)


def test_a_fence_of_the_block_hands_over_within_the_block_alone():
    assert not ordered(hand_over("block"), 64, 0, 1)
    ordering = Ordering(THREADS, blocks=2)
    ordering.fence(numbers(0), now=1, scope="block")
    ordering.atomic(numbers(0, 63), numbers(FLAG, FLAG), now=2)  # in this order
    assert ordered(ordering, 63, 0, 1)
    assert not ordered(ordering, 0, 63, 1)


@pytest.mark.parametrize("fenced", [True, False])
@pytest.mark.parametrize("chunk", [1, 4])
def test_the_last_block_may_read_all_partial_sums(fenced, chunk):
    """CUDA C++ Programming Guide, "Memory Fence Functions": each block adds one to a counter; the last reads."""
    ordering, blocks, now = Ordering(THREADS, 0, chunk), 8, 0
    for first in range(0, blocks, chunk):
        if first:
            ordering.next_chunk(first, chunk)
        leaders = np.arange(first, first + chunk) * THREADS
        everyone = np.arange(first * THREADS, (first + chunk) * THREADS)
        written, now = now + 1, now + 1
        if fenced:
            ordering.fence(everyone, now)
        now += 1
        ordering.atomic(leaders, np.full(chunk, COUNTER), now)
        ordering.barrier(np.arange(chunk), now)
    reader = blocks * THREADS - 1
    assert ordered(ordering, reader, 0, 1) == fenced
    assert ordered(ordering, reader, (blocks - 2) * THREADS, written if chunk > 1 else written - 2) == fenced
    assert not ordered(ordering, reader, 1, now)


def test_all_fence_then_meet_then_one_speaks_for_them_all():
    for fences in (True, False):
        ordering = Ordering(THREADS, blocks=2)
        if fences:
            ordering.fence(np.arange(THREADS), now=1)
        ordering.barrier(numbers(0), now=1)
        ordering.atomic(numbers(0), numbers(FLAG), now=2)
        ordering.atomic(numbers(64), numbers(FLAG), now=3)
        assert ordered(ordering, 64, 40, 1) == fences
    ordering = Ordering(THREADS, blocks=2)
    ordering.fence(numbers(0), now=1)  # the others' writes do not wait for the fence of one
    ordering.barrier(numbers(0), now=1)
    ordering.atomic(numbers(0), numbers(FLAG), now=2)
    ordering.atomic(numbers(64), numbers(FLAG), now=3)
    assert not ordered(ordering, 64, 40, 1)
    assert ordered(ordering, 64, 0, 1)


def test_the_same_within_a_warp():
    ordering, half = Ordering(THREADS, blocks=2), np.arange(16)
    ordering.fence(half, now=1)
    ordering.warp_barrier(half, np.full(16, 0xFFFF), now=1)
    ordering.atomic(numbers(0), numbers(FLAG), now=2)
    ordering.atomic(numbers(64), numbers(FLAG), now=3)
    assert ordered(ordering, 64, 15, 1)
    assert not ordered(ordering, 64, 15, 2)
    assert not ordered(ordering, 64, 16, 1)


def test_a_fence_publishes_what_syncwarp_has_ordered_before_it():
    ordering = Ordering(THREADS, blocks=2)
    ordering.warp_barrier(numbers(0, 9), np.full(2, 0x201), now=1)
    hand_over(ordering=ordering)
    assert ordered(ordering, 64, 9, 1)
    assert not ordered(ordering, 64, 8, 1)


def test_who_knows_less_takes_nothing_back():
    """Thread 1 releases what it knew of thread 0 at time 1 after thread 0 has released all up to 3 itself."""
    ordering = Ordering(THREADS, blocks=2)
    ordering.fence(numbers(0), now=1)
    ordering.warp_barrier(numbers(0, 1), np.full(2, 0b11), now=1)
    ordering.fence(numbers(0), now=3)
    ordering.atomic(numbers(0, 1), numbers(FLAG, FLAG), now=4)
    ordering.atomic(numbers(64), numbers(FLAG), now=5)
    assert ordered(ordering, 64, 0, 3)


def test_a_barrier_then_a_fence_hand_over_the_whole_block():
    ordering = Ordering(THREADS, blocks=2)
    ordering.barrier(numbers(0), now=1)
    hand_over(ordering=ordering)
    assert ordered(ordering, 64, 40, 1)


def test_a_lock_passes_everything_from_holder_to_holder():
    ordering, now = Ordering(THREADS, blocks=4), 0
    for holder in range(0, 4 * THREADS, THREADS):
        ordering.atomic(numbers(holder), numbers(FLAG), now + 1)  # take it
        now += 2  # work
        ordering.fence(numbers(holder), now)
        ordering.atomic(numbers(holder), numbers(FLAG), now + 1)  # free it
        now += 1
    assert ordered(ordering, 192, 0, 2)
    assert ordered(ordering, 192, 128, 8)
    assert not ordered(ordering, 0, 192, 2)


def test_what_is_handed_on_goes_through_several_hands():
    ordering = hand_over()
    ordering.fence(numbers(64), now=3)
    ordering.atomic(numbers(64), numbers(COUNTER), now=4)
    ordering.next_chunk(2, 2)
    assert not ordered(ordering, 128, 0, 1)
    ordering.atomic(numbers(128), numbers(COUNTER), now=5)
    assert ordered(ordering, 128, 0, 1)
    assert not ordered(ordering, 129, 0, 1)
    ordering.warp_barrier(numbers(128, 129) - 128, numbers(0b11, 0b11), now=5)
    assert ordered(ordering, 129, 0, 1)
