"""What a request costs: the pieces of memory that a warp's lanes touch together.

**Global memory** moves in *sectors* of 32 bytes, four of them to a cache *line* of 128. A request costs one transfer
for each distinct sector its active lanes touch, in whatever order: 32 lanes side by side read 128 bytes in 4 sectors;
32 lanes 32 bytes or more apart need 32 of them for the same 128 useful bytes. An access that straddles a boundary
counts on both sides.

**Shared memory** has 32 banks; bank b holds the 4-byte words b, b + 32, b + 64, ... In one pass, a *wavefront*, each
bank serves one word, to as many lanes as ask for it (a broadcast). A request therefore takes

    wavefronts = max over the banks of the number of distinct words asked of that bank

Lanes s words apart meet in 32 / gcd(s, 32) banks: gcd(s, 32) wavefronts, one for any odd s. Accesses of 1 and 2 bytes
go by the word they lie in. A wavefront returns 128 bytes at most, so wider accesses take several: those of 8 bytes go
by half-warps and those of 16 by quarter-warps, each group by the same rule and a group without an active lane for
free. This last part is a model: chips of compute capability 7 are known to serve pairs of lanes that agree together.

Sources: NVIDIA, CUDA C++ Best Practices Guide, "Coalesced Access to Global Memory"; CUDA C++ Programming Guide,
"Compute Capability 5.x", "Shared Memory" (banks, broadcasts); Nsight Compute, Profiling Guide, "Metrics Decoder"
(request, sector, wavefront); NVIDIA developer forum, topic 77228 (128 bytes a cycle; pairs of lanes).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from kernels.simt.counters import WARP
from kernels.simt.instrument import instrument

SECTOR = 32  # bytes
SECTORS_OF_LINE = 4
BANKS = 32
WORD = 4  # bytes that a bank gives in one pass


@instrument
def global_traffic(addresses: Any, lanes: Any, size: Any) -> tuple[int, int, int]:
    """The requests of one access to global memory, and the sectors and lines that they take together.

    addresses: int64 (active,), bytes; lanes: int64 (active,), ascending, so that a warp's lanes are neighbors; size:
    bytes a lane.
    """
    requests = sectors = lines = 0
    room = WARP * (size // SECTOR + 2)
    seen_sectors, seen_lines = np.empty(room, np.int64), np.empty(room, np.int64)
    sectors_here = lines_here = 0  # of the warp at hand
    end = 0  # the first lane of the next warp
    for at in range(addresses.size):
        if lanes[at] >= end:
            end = (lanes[at] // WARP + 1) * WARP
            requests += 1
            sectors += sectors_here
            lines += lines_here
            sectors_here = lines_here = 0
        last = (addresses[at] + size - 1) // SECTOR
        for sector in range(addresses[at] // SECTOR, last + 1):
            before = sectors_here
            sectors_here = remember(seen_sectors, sectors_here, sector)
            if sectors_here > before:
                lines_here = remember(seen_lines, lines_here, sector // SECTORS_OF_LINE)
    return requests, sectors + sectors_here, lines + lines_here


@instrument
def remember(seen: Any, count: Any, number: Any) -> int:
    """Add `number` to the `count` distinct ones in `seen` unless it is among them; returns how many there are then.

    The largest stands last: numbers that ascend or repeat, as most do, are settled by one look.
    """
    if count == 0 or number > seen[count - 1]:
        seen[count] = number
        return count + 1
    for place in range(count - 1, -1, -1):
        if seen[place] == number:
            return count
    seen[count] = seen[count - 1]
    seen[count - 1] = number
    return count + 1


@instrument
def shared_traffic(addresses: Any, lanes: Any, size: Any) -> tuple[int, int, int]:
    """The requests of one access to shared memory, the wavefronts they take, and the least they could have taken.

    Arguments as for `global_traffic`. The least is one for each group of lanes that is served at once and has an active
    lane; what is above it is bank conflicts.
    """
    requests = wavefronts = least = 0
    served = WARP * WORD // max(size, WORD)  # lanes at once
    words = np.empty((BANKS, WARP), np.int64)  # the distinct words asked of each bank by the group at hand
    asked = np.zeros(BANKS, np.int64)  # how many those are
    warp_end = start = 0
    while start < addresses.size:
        if lanes[start] >= warp_end:
            warp_end = (lanes[start] // WARP + 1) * WARP
            requests += 1
        group_end = (lanes[start] // served + 1) * served
        end, low, high = start, addresses[start], addresses[start]
        while end < addresses.size and lanes[end] < group_end:
            low, high = min(low, addresses[end]), max(high, addresses[end])
            end += 1
        least += 1
        if (high + size - 1) // WORD - low // WORD < BANKS:
            wavefronts += 1  # within 32 words in a row every bank has one
        else:
            wavefronts += most_of_a_bank(addresses[start:end], size, words, asked)
        start = end
    return requests, wavefronts, least


@instrument
def most_of_a_bank(addresses: Any, size: Any, words: Any, asked: Any) -> int:
    """The most distinct words that lanes served at once ask of one bank; words and asked are room to work in."""
    longest = 0
    asked[:] = 0
    for address in addresses:
        for word in range(address // WORD, (address + size - 1) // WORD + 1):
            bank = word % BANKS
            asked[bank] = remember(words[bank], asked[bank], word)
            longest = max(longest, asked[bank])
    return longest


def sectors_of(addresses: Sequence[int], size: int) -> list[int]:
    """The distinct sectors that lanes touch with `size` bytes each at these addresses, in order of first touch."""
    touched = (
        sector
        for address in addresses
        for sector in range(address // SECTOR, (address + size - 1) // SECTOR + 1)
    )
    return list(dict.fromkeys(touched))


def bank_words(addresses: Sequence[int], size: int) -> list[list[tuple[int, int]]]:
    """For each lane the (bank, word) pairs that it asks for with `size` bytes at its address; word 32 is in bank 0."""
    return [
        [(word % BANKS, word) for word in range(address // WORD, (address + size - 1) // WORD + 1)]
        for address in addresses
    ]


def lanes_at_once(size: int) -> int:
    """How many neighboring lanes shared memory serves together: 32 up to 4 bytes a lane, then 16, 8."""
    return WARP * WORD // max(size, WORD)
