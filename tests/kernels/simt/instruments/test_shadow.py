"""Who touched a byte: each rule of data races by name, then random programs against the definition."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_programs import BARRIERS, COARSE, EVERYONE, FINE, LOCATION, SCATTERED, THREADS, Launch

from kernels.simt.instruments.ordering import Ordering
from kernels.simt.instruments.shadow import Action, Shadow


def numbers(*values):
    return np.array(values, dtype=np.int64)


class Memory:
    """A few elements and the threads of two blocks; time goes on with each access. An access returns its rivals."""

    def __init__(self, elements=8, unit=4, blocks=2):
        self.shadow, self.ordering, self.now = Shadow(elements * unit, unit), Ordering(THREADS, 0, blocks), 0

    def __call__(self, action, element, *threads, size=4):
        self.now += 1
        access = getattr(self.shadow, action)
        at = np.full(len(threads), 4 * element, dtype=np.int64)
        found = access(at, size, numbers(*threads), self.now, self.ordering)
        return list(
            zip(found.others.tolist(), (Action(one).name.lower() for one in found.actions), strict=True)
        )


@pytest.mark.parametrize("other", [1, 40, 64])
@pytest.mark.parametrize("first", ["read", "write", "atomic"])
@pytest.mark.parametrize("second", ["read", "write", "atomic"])
def test_two_threads_race_unless_both_read_or_both_are_atomic(first, second, other):
    memory = Memory()
    assert memory(first, 3, 0) == []
    races = "write" in (first, second) or first != second
    assert memory(second, 3, other) == ([(0, first)] if races else [])
    assert memory(second, 4, other) == []


def test_a_thread_does_not_race_with_itself():
    memory = Memory()
    for action in ("write", "read", "atomic", "write", "read"):
        assert memory(action, 0, 5) == []


@pytest.mark.parametrize("action", ["write", "atomic"])
def test_lanes_of_one_statement(action):
    """Lockstep orders nothing: two lanes that write one element in one statement are at odds."""
    found = Memory()(action, 0, 3, 4)
    assert found == ([(3, "write")] if action == "write" else [])


def test_a_barrier_parts_before_from_after():
    memory = Memory()
    memory("write", 0, 1)
    memory.ordering.barrier(numbers(0), memory.now)
    assert memory("read", 0, 0, 2, 33) == []
    assert memory("write", 0, 2) == [(33, "read")]
    assert memory("read", 0, 64) == [(2, "write")]  # which stands for the earlier write too


def test_a_conflict_says_where_and_when():
    memory = Memory()
    memory("write", 1, 7)
    memory("write", 2, 9)
    found = memory.shadow.read(numbers(0, 4, 8), 4, numbers(5, 6, 7), 9, memory.ordering)
    assert found.positions.tolist() == [1, 2]
    assert found.addresses.tolist() == [4, 8]
    assert found.others.tolist() == [7, 9]
    assert found.times.tolist() == [1, 2]
    assert found.actions.tolist() == [Action.WRITE, Action.WRITE]
    assert len(found) == 2


def test_of_two_readers_the_more_distant_one_is_kept():
    """Reads by 0, 64 and 65; block 1 meets; then its write races with the other block's read, the least recent."""
    memory = Memory()
    memory("read", 0, 0, 64, 65)
    memory.ordering.barrier(numbers(1), memory.now)
    assert memory("write", 0, 64) == [(0, "read")]

    memory = Memory()  # the same of warps: 0 in one, 32 and 33 in the other, which then syncs
    memory("read", 0, 0, 32, 33)
    memory.ordering.warp_barrier(numbers(32, 33), np.full(2, EVERYONE), memory.now)
    assert memory("write", 0, 32) == [(0, "read")]

    memory = Memory()  # and of lanes: 5, 6 and 7 sync without 0
    memory("read", 0, 0, 5, 6, 7)
    memory.ordering.warp_barrier(numbers(5, 6, 7), np.full(3, 0b11100000), memory.now)
    assert memory("write", 0, 6) == [(0, "read")]


def test_after_a_benign_write_the_other_writer_is_not_forgotten():
    memory = Memory()
    assert memory("write", 0, 3, 4) == [(3, "write")]
    assert memory("read", 0, 4) == [(3, "write")]  # the last writer itself
    assert memory("read", 0, 3) == [(4, "write")]


def test_wide_and_narrow_accesses_meet_in_a_unit():
    memory = Memory(unit=2)
    memory("write", 1, 0, size=8)  # bytes 4 to 11
    assert memory("read", 2, 1, size=2) == [(0, "write")]
    assert memory("read", 1, 1, size=4) == [(0, "write")] * 2  # two units
    assert memory("read", 3, 1, size=2) == []


def test_a_hand_over_orders_what_barriers_do_not():
    for fenced in (True, False):
        memory = Memory()
        memory("write", 0, 5)
        if fenced:
            memory.ordering.fence(numbers(5), memory.now)
        for thread in (5, 64):
            assert memory("atomic", 1, thread) == []
            memory.ordering.atomic(numbers(thread), numbers(4), memory.now)
        assert memory("read", 0, 64) == ([] if fenced else [(5, "write")])
        assert memory("write", 1, 64) == ([] if fenced else [(5, "atomic")])  # lower the flag
        assert memory("read", 0, 65) == [(5, "write")]


def test_blocks_of_earlier_chunks_race_too():
    memory = Memory()
    memory("write", 0, 127)
    memory.ordering.barrier(numbers(0, 1), memory.now)
    memory.ordering.next_chunk(2, 2)
    assert memory("read", 0, 128) == [(127, "write")]


def test_many_conflicts_at_once():
    everyone = np.arange(4096)
    shadow, ordering = Shadow(4, 4), Ordering(64, 0, 64)
    found = shadow.write(np.zeros(4096, np.int64), 4, everyone, 1, ordering)
    assert np.unique(found.positions).tolist() == everyone[1:].tolist()
    assert (found.others < found.positions).all()


def test_bytes_read_and_written():
    shadow, ordering = Shadow(64, 4), Ordering(32)
    shadow.read(numbers(0, 4, 4), 4, numbers(0, 1, 2), 1, ordering)
    shadow.write(numbers(0, 8), 8, numbers(0, 1), 2, ordering)
    assert (shadow.read_bytes, shadow.written_bytes) == (8, 16)
    shadow.atomic(numbers(60, 0), 4, numbers(3, 4), 3, ordering)
    assert (shadow.read_bytes, shadow.written_bytes) == (8, 20)
    shadow.read(numbers(12, 16), 4, numbers(1, 2), 4, ordering)
    assert shadow.read_bytes == 12  # the launch itself had written bytes 12 to 15
    shadow.forget()
    assert (shadow.read_bytes, shadow.written_bytes) == (0, 0)


def test_uninitialised():
    shadow, ordering = Shadow(64, 4), Ordering(32)
    shadow.read(numbers(0), 4, numbers(0), 1, ordering)
    shadow.write(numbers(4), 4, numbers(0), 2, ordering)
    shadow.atomic(numbers(8), 4, numbers(0), 3, ordering)
    assert shadow.uninitialised(numbers(0, 4, 8, 12), 4).tolist() == [True, False, False, True]
    assert shadow.uninitialised(numbers(0, 4, 8), 8).tolist() == [True, False, True]  # not all of it
    shadow.forget()
    assert shadow.uninitialised(numbers(4), 4).tolist() == [True]


def test_nothing_and_nobody():
    nobody = numbers()
    shadow = Shadow(0, 4)
    assert len(shadow.read(nobody, 4, nobody, 1, Ordering(32))) == 0
    assert len(shadow.uninitialised(nobody, 4)) == 0
    assert shadow.read_bytes == shadow.written_bytes == 0


def test_memory_is_bounded():
    shadow, ordering = Shadow(4_000_000, 4), Ordering(32)
    shadow.atomic(numbers(0), 4, numbers(0), 1, ordering)
    assert shadow._slots.nbytes < 60e6


def test_bad_input():
    with pytest.raises(ValueError, match="unit: expected a power of two, got 3"):
        Shadow(12, 3)
    with pytest.raises(ValueError, match="bytes: expected 0 or more, got -1"):
        Shadow(-1, 4)


ACCESS = st.tuples(st.sampled_from(["read", "write", "atomic"]), SCATTERED, LOCATION, st.booleans())


@settings(max_examples=400, deadline=None)
@given(st.lists(st.one_of(ACCESS, ACCESS, ACCESS, *COARSE), max_size=20))
def test_two_accesses_of_a_kind_are_enough(events):
    """With barriers and whole warps, each access is found to race exactly when it does, and with the right kinds."""
    for found, true in races(events):
        assert {(mine, action) for mine, *_, action in found} == {(mine, action) for mine, *_, action in true}


@settings(max_examples=600, deadline=None)
@given(st.lists(st.one_of(ACCESS, ACCESS, ACCESS, *BARRIERS), max_size=20))
def test_reads_at_a_glance_change_nothing(events):
    """Where there are only barriers most reads take the short way: the same races, of the same kinds."""
    for found, true in races(events, only_barriers=True):
        assert {(mine, action) for mine, *_, action in found} == {(mine, action) for mine, *_, action in true}


@settings(max_examples=400, deadline=None)
@given(st.lists(st.one_of(ACCESS, ACCESS, ACCESS, *COARSE, *FINE), max_size=20))
def test_no_false_alarm(events):
    """With parts of warps and hand-overs as well, what is reported is a race."""
    for found, true in races(events):
        assert found <= true


def races(events, only_barriers=False):
    """Yields after each access the races found and the true ones: (my position, other thread, its time, its action)."""
    launch, shadow = Launch(events, only_barriers), Shadow(2 * 4, 4)
    for now, event in enumerate(events, start=1):
        if event[0] not in ("read", "write", "atomic"):
            launch.happens(event, now)
            continue
        name, threads, element, alternate = event
        threads = [launch.ordering.first_thread + thread for thread in threads]
        elements = [(element + place * alternate) % 2 for place in range(len(threads))]
        made = getattr(shadow, name)(4 * np.array(elements), 4, np.array(threads), now, launch.ordering)
        columns = made.positions, made.others, made.times, made.actions
        found = set(zip(*(column.tolist() for column in columns), strict=True))
        true = {
            (position, rival.thread, rival.time, rival.action)
            for position, (thread, unit) in enumerate(zip(threads, elements, strict=True))
            for rival in launch.truth.access(thread, now, Action[name.upper()], unit)
        }
        if name == "atomic":
            launch.atomic(threads, elements, now)
        yield found, true
