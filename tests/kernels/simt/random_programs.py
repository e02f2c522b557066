"""Random events of a launch, each told to `Ordering` and to the definition of happens-before alike."""

import numpy as np
from happens_before import HappensBefore
from hypothesis import strategies as st

from kernels.simt.instruments.ordering import Ordering

THREADS = 64  # a block: two warps
SLOTS = (0, 1, 31, 32, 40)  # the threads of a block that take part
BLOCKS = 2  # a chunk
EVERYONE = 0xFFFFFFFF  # the mask of a whole warp

BLOCK = st.integers(0, BLOCKS - 1)
USED = st.lists(st.sampled_from(SLOTS), min_size=1, unique=True).map(sorted)
LOCATION = st.integers(0, 1)  # of an atomic, and the element of an access
BARRIERS = (  # what orders blocks and grids
    st.tuples(st.just("barrier"), BLOCK),
    st.tuples(st.just("grid")),
    st.tuples(st.just("chunk")),
)
COARSE = (*BARRIERS, st.tuples(st.just("whole warp"), BLOCK, st.integers(0, 1)))  # and whole warps
FINE = (  # what orders single threads
    st.tuples(st.just("part of a warp"), BLOCK, USED, st.booleans()),
    st.tuples(st.just("fence"), BLOCK, USED, st.sampled_from(["grid", "block"])),
)
SCATTERED = st.lists(
    st.tuples(BLOCK, st.sampled_from(SLOTS)).map(lambda one: one[0] * THREADS + one[1]),
    min_size=1,
    unique=True,
).map(sorted)
ATOMIC = st.tuples(st.just("atomic"), SCATTERED, LOCATION, st.just(False))


class Launch:
    """A launch of as many chunks as `events` need, and what its definition says; only_barriers: as for Ordering."""

    def __init__(self, events, only_barriers=False):
        chunks = 1 + events.count(("chunk",))
        self.everyone = [block * THREADS + slot for block in range(chunks * BLOCKS) for slot in SLOTS]
        self.truth, self.ordering = (
            HappensBefore(self.everyone, THREADS),
            Ordering(THREADS, 0, BLOCKS, only_barriers),
        )

    @property
    def present(self):
        """The threads of this chunk that take part."""
        first = self.ordering.first_block
        return [thread for thread in self.everyone if first <= thread // THREADS < first + BLOCKS]

    def happens(self, event, now):
        """An event that is no access to memory."""
        match event:
            case ("grid",):
                self.truth.grid_barrier(now)
                self.ordering.grid_barrier(now)
            case ("chunk",):
                self.ordering.next_chunk(self.ordering.first_block + BLOCKS, BLOCKS)
            case "barrier", block:
                self.truth.meet(self._threads(block, SLOTS), now)
                self.ordering.barrier(np.array([block]), now)
            case "whole warp", block, warp:
                self._sync(block, [slot for slot in SLOTS if slot // 32 == warp], EVERYONE, now)
            case "part of a warp", block, slots, exact:
                for warp in {slot // 32 for slot in slots}:
                    here = [slot for slot in slots if slot // 32 == warp]
                    self._sync(block, here, sum(1 << slot % 32 for slot in here) if exact else EVERYONE, now)
            case "fence", block, slots, scope:
                self.ordering.fence(np.array(self._threads(block, slots)), now, scope)
                for thread in self._threads(block, slots):
                    self.truth.fence(thread, now, scope)

    def atomic(self, threads, locations, now):
        """Threads of the launch, one after another."""
        self.ordering.atomic(np.array(threads), np.array(locations), now)
        for thread, location in zip(threads, locations, strict=True):
            self.truth.atomic(thread, location, now)

    def _sync(self, block, slots, mask, now):
        self.truth.meet(self._threads(block, slots), now)
        self.ordering.warp_barrier(block * THREADS + np.array(slots), np.full(len(slots), mask), now)

    def _threads(self, block, slots):
        return [self.ordering.first_thread + block * THREADS + slot for slot in slots]
