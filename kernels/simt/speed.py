"""`python -m kernels.simt.speed`: how fast the simulated GPU is, beside the simulator that Numba brings.

Both run the same two kernels in the same minute: a shared-memory reduction of 4096 threads and a tiled product of
64 x 64 matrices. Ours counts sectors, wavefronts and all else meanwhile and looks for hazards; Numba's only runs. It
has to be switched on before Numba is imported, so it runs in a process of its own.

Times are of the wall clock, and the share of it that the processor spent here says whether to believe them.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numba import float32

from kernels.backend import SIMULATING, blocks, cuda

THREADS, TILE = 256, 16
LAUNCHES = 5  # the middle one counts
ASKED = 150  # times faster than Numba's


@cuda.jit
def block_sums(x, out):
    """Each block's sum by a tree in shared memory."""
    scratch = cuda.shared.array(THREADS, float32)
    lane = cuda.threadIdx.x
    scratch[lane] = x[cuda.grid(1)]
    cuda.syncthreads()
    half = THREADS // 2
    while half > 0:
        if lane < half:
            scratch[lane] += scratch[lane + half]
        cuda.syncthreads()
        half //= 2
    if lane == 0:
        out[cuda.blockIdx.x] = scratch[0]


@cuda.jit
def tiled_product(a, b, out):
    """A product of square matrices whose side is a multiple of the tile's."""
    tile_a = cuda.shared.array((TILE, TILE), float32)
    tile_b = cuda.shared.array((TILE, TILE), float32)
    x, y = cuda.threadIdx.x, cuda.threadIdx.y
    column, row = cuda.grid(2)
    total = float32(0)
    for start in range(0, a.shape[1], TILE):
        tile_a[y, x] = a[row, start + x]
        tile_b[y, x] = b[start + y, column]
        cuda.syncthreads()
        for k in range(TILE):
            total += tile_a[y, k] * tile_b[k, x]
        cuda.syncthreads()
    out[row, column] = total


@cuda.jit
def scaled_sum(x, y, out):
    """One multiplication and one addition an element."""
    i = cuda.grid(1)
    if i < out.size:
        out[i] = float32(2) * x[i] + y[i]


def launches(large: bool) -> Iterator[tuple[str, Any, Any, Any, tuple[Any, ...]]]:
    """Name, kernel, grid, block and arguments; the large ones are more than Numba's simulator gets done."""
    rng = np.random.default_rng(0)

    def numbers(*shape: int) -> Any:
        return rng.random(shape, dtype=np.float32)

    yield "reduction, 4096 threads", block_sums, 16, THREADS, (numbers(4096), numbers(16))
    for side in (64, 512) if large else (64,):
        name, grid = f"tiled product, {side} x {side}", (side // TILE, side // TILE)
        yield name, tiled_product, grid, (TILE, TILE), tuple(numbers(side, side) for _ in range(3))
    if large:
        n = 1_000_000
        yield (
            "elementwise, 1,000,000 threads",
            scaled_sum,
            blocks(n, 256),
            256,
            (*[numbers(n) for _ in range(3)],),
        )


def seconds(call: Callable[[], object], times: int) -> tuple[float, float]:
    """The median over so many calls, and the share of it that this thread was computing."""
    walls, shares = [], []
    for _ in range(times):
        wall, own = time.perf_counter(), time.thread_time()
        call()
        walls.append(time.perf_counter() - wall)
        shares.append((time.thread_time() - own) / walls[-1])
    return statistics.median(walls), statistics.median(shares)


def in_numbas_simulator() -> dict[str, float]:
    """Seconds of each small launch in Numba's simulator, measured in another process."""
    environment = {**os.environ, "NUMBA_ENABLE_CUDASIM": "1"}
    command = [sys.executable, __file__]  # as a file: the package it is in needs Numba's compiler
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    """Print a table."""
    if SIMULATING:
        found = {}
        for name, kernel, grid, block, arguments in launches(large=False):
            found[name] = seconds(lambda k=kernel, g=grid, b=block, a=arguments: k[g, b](*a), 1)[0]  # type: ignore[misc]
        print(json.dumps(found))
        return
    from kernels import simt  # not under Numba's simulator, which has not all of CUDA

    theirs = in_numbas_simulator()
    print("| launch | ours | CPU share | Numba's simulator | times |\n|---|---|---|---|---|")
    for name, kernel, grid, block, arguments in launches(large=True):
        simt.launch(kernel, grid, block, *arguments)  # lowers it
        times = LAUNCHES if name in theirs else 1
        wall, share = seconds(
            lambda k=kernel, g=grid, b=block, a=arguments: simt.launch(k, g, b, *a),  # type: ignore[misc]
            times,
        )
        other = (
            f"{theirs[name]:.2f} s | {theirs[name] / wall:.0f} (asked: {ASKED})"
            if name in theirs
            else "- | -"
        )
        print(f"| {name} | {1e3 * wall:.1f} ms | {share:.2f} | {other} |")


if __name__ == "__main__":
    main()
