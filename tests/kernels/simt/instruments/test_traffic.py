"""Requests, sectors, lines and wavefronts: values worked out by hand, and a count by sets for everything else."""

from math import gcd

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.simt.instruments.traffic import (
    bank_words,
    global_traffic,
    lanes_at_once,
    sectors_of,
    shared_traffic,
)

LANES = np.arange(32)


def in_global(addresses, size, lanes=LANES):
    return global_traffic(np.asarray(addresses, np.int64), np.asarray(lanes, np.int64), size)


def in_shared(addresses, size, lanes=LANES):
    return shared_traffic(np.asarray(addresses, np.int64), np.asarray(lanes, np.int64), size)


@pytest.mark.parametrize(
    ("addresses", "size", "sectors", "lines"),
    [
        (LANES * 4, 4, 4, 1),  # coalesced: 128 bytes from 0: sectors 0 1 2 3
        ((31 - LANES) * 4, 4, 4, 1),  # reversed: the same bytes
        (LANES ^ 21, 1, 1, 1),  # single bytes in any order: 32 bytes
        (LANES * 2, 2, 2, 1),  # 64 bytes
        (LANES * 8, 8, 8, 2),  # 256 bytes
        (LANES * 16, 16, 16, 4),  # 512 bytes
        (LANES * 4 + 4, 4, 5, 2),  # misaligned by one: bytes 4 ... 131, the last four in sector 4, line 1
        (LANES * 4 + 32, 4, 4, 2),  # by a sector: as few sectors, 1 2 3 4, over two lines
        (LANES * 8 + 8, 8, 9, 3),  # bytes 8 ... 263: sectors 0 ... 8
        (LANES * 0 + 64, 4, 1, 1),  # broadcast
        (LANES // 16 * 4000, 4, 2, 2),  # two rows of a matrix, one element of each
        (LANES // 16 * 4096 + LANES % 16 * 4, 4, 4, 2),  # 16 elements of each: 64 bytes twice
        (LANES * 32 + 30, 4, 33, 9),  # each straddles: sectors 0 ... 32, none of them for one lane alone
        ([126], 4, 2, 2),  # over the end of a line
    ],
)
def test_global_patterns(addresses, size, sectors, lines):
    lanes = LANES[: len(addresses)]
    assert in_global(addresses, size, lanes) == (1, sectors, lines)


@pytest.mark.parametrize("stride", range(2, 34))
def test_global_strides(stride):
    """Lane i reads the 4 bytes at 4 · stride · i: under 8 words every sector up to the last is hit, then one a lane."""
    last = 31 * stride * 4
    sectors = last // 32 + 1 if stride <= 8 else 32
    lines = last // 128 + 1 if stride <= 32 else 32
    assert in_global(LANES * stride * 4, 4) == (1, sectors, lines)


def test_warps_are_served_apart():
    lanes = np.arange(80)  # two warps and a half: 128 + 128 + 64 bytes
    assert in_global(lanes * 4, 4, lanes) == (3, 4 + 4 + 2, 3)
    assert in_global(lanes * 0, 4, lanes) == (3, 3, 3)  # a sector shared by two warps is fetched for each
    assert in_global([0, 4, 8], 4, [0, 31, 32]) == (2, 2, 2)
    assert in_global([0, 4], 4, [5, 64]) == (2, 2, 2)  # a warp without active lanes asks for nothing
    assert in_global([], 4, []) == (0, 0, 0)


@pytest.mark.parametrize("stride", range(1, 34))
def test_shared_strides(stride):
    """Lanes `stride` words apart meet in 32 / gcd banks, gcd(stride, 32) of them in each."""
    assert in_shared(LANES * stride * 4, 4) == (1, gcd(stride, 32), 1)


@pytest.mark.parametrize(
    ("addresses", "size", "wavefronts", "least"),
    [
        (LANES * 0 + 12, 4, 1, 1),  # broadcast: one word
        (LANES // 2 * 4, 4, 1, 1),  # pairs on one word
        (LANES % 2 * 128, 4, 2, 1),  # two words of bank 0
        ((31 - LANES) * 4, 4, 1, 1),
        (LANES * 32 * 4, 4, 32, 1),  # a column of a tile of 32 columns: one bank
        (LANES * 33 * 4, 4, 1, 1),  # of 33 columns: bank 33 i mod 32 = i
        (LANES, 1, 1, 1),  # 32 bytes are 8 words, four lanes on each
        (LANES * 2, 2, 1, 1),
        (LANES * 64, 2, 16, 1),  # words 0, 16, 32 ...: banks 0 and 16, sixteen words in each
        (LANES * 8, 8, 2, 2),  # each half-warp fills the 32 banks once
        (LANES * 0, 8, 2, 2),
        (LANES * 16, 8, 4, 2),  # every other 8 bytes: lanes i and i + 8 of a half meet
        (LANES * 33 * 8, 8, 2, 2),  # float64 tile of 33 columns: words 66 i mod 32 = 2 i
        (LANES * 32 * 8, 8, 32, 2),  # of 32 columns: all 16 lanes of a half on banks 0 and 1
        (LANES * 16, 16, 4, 4),  # each quarter-warp fills the banks once
        (LANES * 32, 16, 8, 4),  # every other 16 bytes: lanes i and i + 4 of a quarter meet
        (LANES * 0, 16, 4, 4),
    ],
)
def test_shared_patterns(addresses, size, wavefronts, least):
    assert in_shared(addresses, size) == (1, wavefronts, least)


def test_partial_warps_and_idle_groups():
    assert in_shared([0, 128], 4, [3, 30]) == (1, 2, 1)
    assert in_shared(LANES[:16] * 8, 8, LANES[:16]) == (1, 1, 1)  # the second half-warp is idle
    assert in_shared([0, 256], 8, [0, 16]) == (1, 2, 2)  # one bank, but the halves are served apart anyway
    assert in_shared([0, 256], 8, [0, 15]) == (1, 2, 1)
    assert in_shared(np.arange(8) * 16, 16, np.arange(8, 16)) == (1, 1, 1)  # one quarter-warp of four
    assert in_shared([0, 16, 32], 16, [0, 8, 31]) == (1, 3, 3)
    assert in_shared(np.arange(48) * 4, 4, np.arange(48)) == (2, 2, 2)
    assert in_shared([], 8, []) == (0, 0, 0)


@st.composite
def accesses(draw):
    """Active lanes of up to three warps, a size, and any addresses that suit it."""
    lanes = sorted(draw(st.sets(st.integers(0, 95), max_size=70)))
    size = draw(st.sampled_from([1, 2, 4, 8, 16]))
    step = draw(st.sampled_from([1, 4, size]))  # the first two may leave an access misaligned
    reach = draw(st.sampled_from([8, 64, 4096]))
    places = draw(st.lists(st.integers(0, reach), min_size=len(lanes), max_size=len(lanes)))
    return [step * place for place in places], size, lanes


def groups(addresses, lanes, at_once):
    """The addresses of the lanes that are served together, a list for each."""
    together = {}
    for address, lane in zip(addresses, lanes, strict=True):
        together.setdefault(lane // at_once, []).append(address)
    return list(together.values())


@given(accesses())
def test_global_equals_a_count_by_sets(access):
    addresses, size, lanes = access
    warps = groups(addresses, lanes, 32)
    touched = [{byte // 32 for start in warp for byte in range(start, start + size)} for warp in warps]
    lines = [{sector // 4 for sector in sectors} for sectors in touched]
    assert in_global(addresses, size, lanes) == (len(warps), sum(map(len, touched)), sum(map(len, lines)))
    for warp, sectors in zip(warps, touched, strict=True):
        assert sorted(sectors_of(warp, size)) == sorted(sectors)


@given(accesses())
def test_shared_equals_a_count_by_sets(access):
    addresses, size, lanes = access
    wavefronts = least = 0
    for group in groups(addresses, lanes, lanes_at_once(size)):
        words = {byte // 4 for start in group for byte in range(start, start + size)}
        wavefronts += max(sum(word % 32 == bank for word in words) for bank in range(32))
        least += 1
        assert words == {word for lane in bank_words(group, size) for _, word in lane}
    assert in_shared(addresses, size, lanes) == (len(groups(addresses, lanes, 32)), wavefronts, least)


def test_one_warp_in_the_order_of_its_lanes():
    assert sectors_of([64, 0, 68, 30], 4) == [2, 0, 1]
    assert sectors_of([], 4) == []
    assert bank_words([0, 132], 4) == [[(0, 0)], [(1, 33)]]
    assert bank_words([120], 16) == [[(30, 30), (31, 31), (0, 32), (1, 33)]]
    assert [lanes_at_once(size) for size in (1, 2, 4, 8, 16)] == [32, 32, 32, 16, 8]
