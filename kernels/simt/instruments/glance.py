"""Reads at a glance: most of what a correct kernel does, told from the rest in a few comparisons.

A kernel reads far more often than it does anything else, and nearly always what a barrier has put behind it. Here those
reads are passed through the shadow of memory (`shadow.py`, whose entries these are) without asking for more than the
time and the block of each entry; at the first read that is not so simple the loop stops, and the full rules take over.
It takes a kernel without fences and `syncwarp`: then two threads of a block that have read a number since the block's
last barrier stand for all of them, and what everybody reads costs no more than a look.
"""

from __future__ import annotations

from typing import Any

from kernels.simt.instrument import instrument

THREAD_BITS = 32
THREAD_MASK = (1 << THREAD_BITS) - 1


@instrument
def glance(
    slots: Any, addresses: Any, shift: Any, threads: Any, now: Any, barriers: Any
) -> tuple[int, int, int]:
    """Remember reads of one unit each, up to the first that a barrier of its block does not settle.

    slots: int64 (units, 4), two reads and two writes a unit; nobody has touched one atomically. Returns the lane it
    came to, how many units nobody had written, and how many of those nobody had read either.
    """
    unset = fresh = 0
    first = end = block_since = 0
    grid_since = (
        barriers.grid_time + 1 << THREAD_BITS
    )  # entries from here on no barrier of the grid has settled
    for position in range(threads.size):
        me = threads[position]
        if not first <= me < end:
            place = (me - barriers.first_thread) // barriers.threads_per_block
            first = barriers.first_thread + place * barriers.threads_per_block
            end = first + barriers.threads_per_block
            block_since = max(barriers.block_times[place], barriers.grid_time) + 1 << THREAD_BITS
        unit = addresses[position] >> shift
        recent, distant, write, wrote = slots[unit, 0], slots[unit, 1], slots[unit, 2], slots[unit, 3]
        if write == 0:
            unset += 1
            fresh += recent == 0
        for entry in (write, wrote):
            writer = entry & THREAD_MASK
            if entry >= grid_since and writer != me and (entry >= block_since or not first <= writer < end):
                return position, unset, fresh
        reader, other = recent & THREAD_MASK, distant & THREAD_MASK
        near, there = first <= reader < end, first <= other < end
        if near and there and recent >= block_since and distant >= block_since:
            continue  # two of my block have read it since its last barrier: whoever writes next is not both of them
        if reader == me or recent == 0 or (near and recent < block_since):
            slots[unit, 0] = now << THREAD_BITS | me
        elif near and (distant < grid_since or (there and distant < block_since)):
            slots[unit, 0], slots[unit, 1] = now << THREAD_BITS | me, recent
        else:
            return position, unset, fresh  # whose reads to keep, of several blocks', is for the full rules
    return threads.size, unset, fresh
