"""Lanes: the threads of a chunk of blocks, side by side, and those of them that execute one statement together.

A value of a kernel is either one number for all lanes (a loop counter, an argument) or an array with a number for each
lane. Lane = place in the chunk: blocks one after another, each padded to whole warps, so that lane // 32 is a warp.
A statement works on *compressed* arrays, which hold its active lanes only, in ascending order; between statements
values wait at full length in the chunk's state.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from kernels.simt.counters import WARP

Number = Any  # one number for all lanes, or an array with one for each active lane


class Lanes:
    """The active lanes of one statement: `index`, their places in the chunk, ascending."""

    def __init__(self, chunk: Chunk, index: np.ndarray) -> None:
        self.chunk = chunk
        self.index = index
        self.count = len(index)
        self.whole = self.count == chunk.lanes  # nobody is missing: compressed and full length are the same

    def take(self, value: Number) -> Number:
        """A value at full length, compressed to these lanes."""
        return value if self.whole or not isinstance(value, np.ndarray) else value[self.index]

    def spread(self, value: Number) -> np.ndarray:
        """One number for each of these lanes, whether it was one for all of them or not."""
        return value if isinstance(value, np.ndarray) else np.full(self.count, value)

    def only(self, keep: np.ndarray) -> Lanes:
        """Those of them where `keep` (count,) is true."""
        return Lanes(self.chunk, self.index[keep])

    @functools.cached_property
    def starts(self) -> np.ndarray:
        """Where in `index` each active warp begins: (warps,)."""
        warps = self.index // WARP
        return np.flatnonzero(np.concatenate(([True], warps[1:] != warps[:-1])))

    @property
    def warps(self) -> int:
        """The number of warps with an active lane."""
        return len(self.starts)

    @functools.cached_property
    def warp_sizes(self) -> np.ndarray:
        """The active lanes of each active warp: (warps,)."""
        return np.diff(np.append(self.starts, self.count))

    @functools.cached_property
    def threads(self) -> np.ndarray:
        """Their thread numbers in the launch: int64 (count,)."""
        return self.index + self.chunk.first_block * self.chunk.padded

    @functools.cached_property
    def blocks(self) -> np.ndarray:
        """The block of each, counted within the chunk: int64 (count,)."""
        return self.index // self.chunk.padded


class Chunk:
    """A run of consecutive blocks, laid out in lanes.

    grid, block: (x, y, z). padded: the lanes of a block, its threads rounded up to whole warps. shared_stride: bytes
    from one block's shared memory to the next one's.
    """

    def __init__(
        self,
        grid: tuple[int, int, int],
        block: tuple[int, int, int],
        first_block: int,
        blocks: int,
        shared_stride: int,
    ) -> None:
        self.grid, self.block, self.first_block, self.blocks = grid, block, first_block, blocks
        self.threads_per_block = block[0] * block[1] * block[2]
        self.padded = padded(self.threads_per_block)
        self.lanes = blocks * self.padded
        self.shared_stride = shared_stride
        slot = np.arange(self.padded)
        self.exists = np.tile(slot < self.threads_per_block, blocks)  # padding does not

    @functools.cached_property
    def thread_index(self) -> dict[str, np.ndarray]:
        """threadIdx along each axis, int32 (lanes,): x runs fastest."""
        return {
            axis: np.tile(values.astype(np.int32), self.blocks)
            for axis, values in zip("xyz", unravel(np.arange(self.padded), self.block), strict=True)
        }

    @functools.cached_property
    def block_index(self) -> dict[str, Number]:
        """blockIdx along each axis, int32 (lanes,), or one number where the chunk is a single block."""
        numbers = np.arange(self.first_block, self.first_block + self.blocks)
        found = {}
        for axis, values in zip("xyz", unravel(numbers, self.grid), strict=True):
            same = bool((values == values[0]).all())
            found[axis] = np.int32(values[0]) if same else np.repeat(values.astype(np.int32), self.padded)
        return found

    @functools.cached_property
    def global_index(self) -> dict[str, np.ndarray]:
        """threadIdx + blockIdx · blockDim along each axis, int64 (lanes,)."""
        return {
            axis: self.thread_index[axis] + self.block_index[axis].astype(np.int64) * size
            for axis, size in zip("xyz", self.block, strict=True)
        }

    @functools.cached_property
    def lane_id(self) -> np.ndarray:
        """The place in its warp of each lane, int32 (lanes,)."""
        return np.tile(np.arange(WARP, dtype=np.int32), self.lanes // WARP)


def padded(threads: int) -> int:
    """Threads of a block, rounded up to whole warps."""
    return -(-threads // WARP) * WARP


def unravel(numbers: np.ndarray, shape: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The x, y and z of linear numbers, x fastest, as CUDA counts threads and blocks."""
    return numbers % shape[0], numbers // shape[0] % shape[1], numbers // (shape[0] * shape[1])
