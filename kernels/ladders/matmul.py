"""C = A B six times over, each kernel with one new idea: why a product is fast or slow on a GPU.

A is (m, k), B (k, n), C (m, n), all float32, of any size. A product of two n by n matrices does 2n³ FLOPs on 3n²
numbers. The first kernel takes its 2n³ operands from memory one by one; each rung takes fewer, until arithmetic is the
bound.

| rung | idea | FLOPs for each byte from memory | multiply-adds for each shared load |
|---|---|---|---|
| naive | a thread for each number of C, a warp's lanes below each other | 1/4, in 33 sectors | |
| coalesced | a warp's lanes side by side: a row of B and one number of A | 1/4, in 5 sectors | |
| shared | a block uses each number of its 16 by 16 tiles 16 times | 4 | 1/2 |
| column | a thread keeps 8 sums in registers: a number of B serves 8 times | 16 | 8/9 |
| square | a thread keeps 8 by 8 sums: 16 numbers serve 64 multiply-adds | 32 | 4 |
| vectorized | 16 bytes a lane, everywhere: a quarter of the instructions | 32 | 16 |

FLOPs for each byte (arithmetic intensity): for a tile of t by s numbers a block loads t + s numbers of 4 bytes for
2 t s FLOPs at each step in depth, t s / (2 (t + s)). `kernels.products.product` goes on from the last rung: any layout
and dtype, small tiles for small products, an epilogue. `square` is held back by its registers: it computes every
address for itself and leaves room for one block; `vectorized`, with a quarter of the addresses, for two.

Source: S. Boehm, How to Optimize a CUDA Matmul Kernel for cuBLAS-like Performance, 2022, kernels 1 to 6; the kernels
here are our own.
"""

from kernels.backend import blocks, cuda, gpu_kernel
from kernels.ladders.rung import Rung
from kernels.lanes import WARP
from kernels.loads import real_of
from kernels.products import tiles
from kernels.products.product import LARGE_SIDE, LARGE_WIDTH
from kernels.shared import shared_array

TILE = 16  # numbers along each side of a tile of `shared`
COLUMN = 64  # rows and columns of a tile of `column`, of which each thread keeps PER_THREAD rows
STEP = 8  # how deep the tiles of `column` and `square` are
PER_THREAD = 8


@gpu_kernel
def naive(a, b, c):
    """Lanes take rows: what they ask for at once lies a row apart, and each number is a request of its own."""
    row, column = cuda.grid(2)
    if row < c.shape[0] and column < c.shape[1]:
        total = real_of(a)(0)
        for k in range(a.shape[1]):
            total += a[row, k] * b[k, column]
        c[row, column] = total


@gpu_kernel
def coalesced(a, b, c):
    """Lanes take columns: 32 neighbors in B make one request of four sectors, and A's number serves the whole warp."""
    column, row = cuda.grid(2)
    if row < c.shape[0] and column < c.shape[1]:
        total = real_of(a)(0)
        for k in range(a.shape[1]):
            total += a[row, k] * b[k, column]
        c[row, column] = total


@gpu_kernel
def shared(a, b, c):
    """Each thread brings one number of each tile; then all use them all."""
    left = cuda.shared.array((TILE, TILE), a.dtype)
    right = cuda.shared.array((TILE, TILE), b.dtype)
    column, row = cuda.grid(2)
    x, y, zero = cuda.threadIdx.x, cuda.threadIdx.y, real_of(a)(0)
    total = zero
    for first in range(0, a.shape[1], TILE):
        left[y, x] = a[row, first + x] if row < a.shape[0] and first + x < a.shape[1] else zero
        right[y, x] = b[first + y, column] if first + y < b.shape[0] and column < b.shape[1] else zero
        cuda.syncthreads()
        for k in range(TILE):
            total += left[y, k] * right[k, x]
        cuda.syncthreads()
    if row < c.shape[0] and column < c.shape[1]:
        c[row, column] = total


@gpu_kernel
def column(a, b, c):
    """512 threads, 64 side by side and 8 below each other, with 8 sums each: a tile of 64 by 64, 8 deep."""
    left = cuda.shared.array((COLUMN, STEP), a.dtype)
    right = cuda.shared.array((STEP, COLUMN), b.dtype)
    totals, zero = cuda.local.array(PER_THREAD, a.dtype), real_of(a)(0)
    top, beside = COLUMN * cuda.blockIdx.y, COLUMN * cuda.blockIdx.x
    x, y = cuda.threadIdx.x % COLUMN, cuda.threadIdx.x // COLUMN
    row, deep = (
        cuda.threadIdx.x // STEP,
        cuda.threadIdx.x % STEP,
    )  # of A's tile, the number this thread brings
    for i in range(PER_THREAD):
        totals[i] = zero
    for first in range(0, a.shape[1], STEP):
        inside = top + row < a.shape[0] and first + deep < a.shape[1]
        left[row, deep] = a[top + row, first + deep] if inside else zero
        inside = first + y < b.shape[0] and beside + x < b.shape[1]
        right[y, x] = b[first + y, beside + x] if inside else zero
        cuda.syncthreads()
        for k in range(STEP):
            number = right[k, x]
            for i in range(PER_THREAD):
                totals[i] += left[PER_THREAD * y + i, k] * number
        cuda.syncthreads()
    for i in range(PER_THREAD):
        if top + PER_THREAD * y + i < c.shape[0] and beside + x < c.shape[1]:
            c[top + PER_THREAD * y + i, beside + x] = totals[i]


@gpu_kernel
def square(a, b, c):
    """256 threads with 8 by 8 sums each: a tile of 128 by 128, 8 deep; A's tile lies transposed, as it is read."""
    left = cuda.shared.array((STEP, LARGE_WIDTH), a.dtype)
    right = cuda.shared.array((STEP, LARGE_WIDTH), b.dtype)
    totals, zero = cuda.local.array((PER_THREAD, PER_THREAD), a.dtype), real_of(a)(0)
    mine, other = cuda.local.array(PER_THREAD, a.dtype), cuda.local.array(PER_THREAD, b.dtype)
    top, beside = LARGE_SIDE * cuda.blockIdx.y, LARGE_SIDE * cuda.blockIdx.x
    x, y = cuda.threadIdx.x % 16, cuda.threadIdx.x // 16
    tiles.clear(totals)
    for first in range(0, a.shape[1], STEP):
        for place in range(cuda.threadIdx.x, STEP * LARGE_SIDE, tiles.THREADS):
            row, deep = place // STEP, place % STEP
            inside = top + row < a.shape[0] and first + deep < a.shape[1]
            left[deep, row] = a[top + row, first + deep] if inside else zero
            deep, along = place // LARGE_SIDE, place % LARGE_SIDE
            inside = first + deep < b.shape[0] and beside + along < b.shape[1]
            right[deep, along] = b[first + deep, beside + along] if inside else zero
        cuda.syncthreads()
        for k in range(STEP):
            for i in range(PER_THREAD):
                mine[i], other[i] = left[k, y + 16 * i], right[k, x + 16 * i]
            for i in range(PER_THREAD):
                for j in range(PER_THREAD):
                    totals[i, j] += mine[i] * other[j]
        cuda.syncthreads()
    for i in range(PER_THREAD):
        for j in range(PER_THREAD):
            if top + y + 16 * i < c.shape[0] and beside + x + 16 * j < c.shape[1]:
                c[top + y + 16 * i, beside + x + 16 * j] = totals[i, j]


@gpu_kernel
def vectorized(a, b, c):
    """The same tile, 16 deep, moved by fours: from memory, to and from shared memory, and back (products/tiles.py)."""
    left, right = shared_array((16, LARGE_WIDTH), real_of(a)), shared_array((16, LARGE_WIDTH), real_of(a))
    totals = cuda.local.array((PER_THREAD, PER_THREAD), a.dtype)
    top, beside = LARGE_SIDE * cuda.blockIdx.y, LARGE_SIDE * cuda.blockIdx.x
    tiles.clear(totals)
    for first in range(0, a.shape[1], 16):
        tiles.fill_transposed(left, a, top, first)
        tiles.fill(right, b, first, beside)
        cuda.syncthreads()
        tiles.accumulate(totals, left, right)
        cuda.syncthreads()
    tiles.store_tile(c, top, beside, totals)


Shape = tuple[tuple[int, ...], tuple[int, ...]]


def _naive_shape(m: int, n: int) -> Shape:
    return (blocks(m, WARP), blocks(n, 8)), (WARP, 8)


def _coalesced_shape(m: int, n: int) -> Shape:
    return (blocks(n, WARP), blocks(m, 8)), (WARP, 8)


def _shared_shape(m: int, n: int) -> Shape:
    return (blocks(n, TILE), blocks(m, TILE)), (TILE, TILE)


def _column_shape(m: int, n: int) -> Shape:
    return (blocks(n, COLUMN), blocks(m, COLUMN)), (COLUMN * COLUMN // PER_THREAD,)


def _square_shape(m: int, n: int) -> Shape:
    return (blocks(n, LARGE_SIDE), blocks(m, LARGE_SIDE)), (tiles.THREADS,)


RUNGS = (
    Rung("naive", "a thread for each number, the lanes of a warp below each other", naive, _naive_shape),
    Rung("coalesced", "the lanes side by side: one request for 32 neighbors", coalesced, _coalesced_shape),
    Rung("shared", "tiles in shared memory: each number loaded is used 16 times", shared, _shared_shape),
    Rung("column", "8 sums a thread: a number of B serves 8 times", column, _column_shape),
    Rung("square", "8 by 8 sums a thread: 16 numbers serve 64 times", square, _square_shape),
    Rung("vectorized", "16 bytes a lane, from memory and from shared memory", vectorized, _square_shape),
)
