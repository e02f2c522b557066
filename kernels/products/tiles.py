"""Products of tiles: the part that every kernel with a matrix product in it shares.

Of C = A B a block of 256 threads computes a tile of 64 by 64 numbers (or 128 by 128). It walks along the depth in steps
of 16: all threads bring a tile of A and one of B to shared memory, wait, multiply, wait. So an element of A comes from
memory once for 64 columns, not once for each. The threads stand 16 by 16, and each keeps 4 by 4 sums in registers: at
each step in depth it takes 4 numbers of each tile from shared memory and multiplies each with each, two loads of 16
bytes for 16 multiply-adds; with 8 by 8 sums, in a tile of 128 by 128, four for 64.

A kernel uses it like this (`row` and `column` are where its tile of C begins; a matrix may end anywhere):

    real = real_of(a)
    left, right = shared_array((DEPTH, WIDTH), real), shared_array((DEPTH, WIDTH), real)
    sums = cuda.local.array((4, 4), real)          # a shape must be written in numbers
    clear(sums)
    for k in range(0, a.shape[1], DEPTH):
        fill_transposed(left, a, row, k)           # a: (rows, depth)
        fill(right, b, k, column)                  # b: (depth, columns); for (columns, depth): fill_transposed
        cuda.syncthreads()
        accumulate(sums, left, right)
        cuda.syncthreads()                         # before the next fill
    store_tile(out, row, column, sums)

- A tile in shared memory lies with the depth along its first axis, so that the 4 numbers of a thread are neighbors. It
  is 4 wider than it need be: a transposed fill then writes to 32 different banks, and rows still begin at 16 bytes.
  Its first axis may be any multiple of 16, its second 64 n + 4.
- `sums` may be (4 n, 4 m), n and m at most 2, for tiles of 64 n rows and 64 m columns. sums[i, j] belongs to row
  place(down(), i) and column place(across(), j) of the tile. All loops have constant lengths: the compiler unrolls
  them, and the sums stay in registers.
- The 16 threads that share rows are half a warp, in the order of their columns: a maximum or a sum over a row of the
  tile is four shuffles (distances 8, 4, 2, 1) away.
- A kernel that makes its numbers itself (quantized weights, pixels under a filter) fills its tile itself: tile[k, i].

Source: V. Volkov, J. Demmel, Benchmarking GPUs to Tune Dense Linear Algebra, SC 2008, section 4 (sums in registers);
S. Boehm, How to Optimize a CUDA Matmul Kernel for cuBLAS-like Performance, 2022, kernels 5 and 6.
"""

from kernels.backend import cuda, device_function
from kernels.lanes import WARP
from kernels.loads import load4, real_of, store4
from kernels.shared import put4, take4

ACROSS = 16  # threads side by side, and one below the other
THREADS = ACROSS * ACROSS
SIDE = 4 * ACROSS  # rows and columns of a tile of which each thread has 4
DEPTH = 16
PADDING = 4
WIDTH = SIDE + PADDING  # of a tile in shared memory


@device_function
def across():
    """The first of the four columns of the tile that are this thread's."""
    return 4 * (cuda.threadIdx.x % ACROSS)


@device_function
def down():
    """The first of its four rows."""
    return 4 * (cuda.threadIdx.x // ACROSS)


@device_function
def clear(sums):
    """All sums to zero."""
    for i in range(sums.shape[0]):
        for j in range(sums.shape[1]):
            sums[i, j] = type(sums[i, j])(0)


@device_function
def fill(tile, matrix, row, column):
    """tile[k, i] = matrix[row + k, column + i], and 0 beyond the matrix; half a warp reads a row of 64."""
    zero = real_of(tile)(0)
    for above in range(0, tile.shape[0], DEPTH):
        k = above + cuda.threadIdx.x // ACROSS
        for beside in range(0, tile.shape[1] - PADDING, SIDE):
            i = beside + across()
            a, b, c, d = zero, zero, zero, zero
            if row + k < matrix.shape[0]:
                a, b, c, d = load4(matrix[row + k], column + i, zero)
            put4(tile[k], i, a, b, c, d)


@device_function
def fill_transposed(tile, matrix, row, column):
    """tile[k, i] = matrix[row + i, column + k], and 0 beyond the matrix.

    A warp reads two quads, 32 bytes in float32, of 16 rows each, so that no sector is read in parts.
    """
    zero = real_of(tile)(0)
    warp, lane = cuda.threadIdx.x // WARP, cuda.threadIdx.x % WARP
    for above in range(0, tile.shape[0], DEPTH):
        k = above + 8 * (warp // 4) + 4 * (lane % 2)
        for beside in range(0, tile.shape[1] - PADDING, SIDE):
            i = beside + 16 * (warp % 4) + lane // 2
            a, b, c, d = zero, zero, zero, zero
            if row + i < matrix.shape[0]:
                a, b, c, d = load4(matrix[row + i], column + k, zero)
            tile[k, i], tile[k + 1, i], tile[k + 2, i], tile[k + 3, i] = a, b, c, d


@device_function
def accumulate(sums, left, right):
    """sums[i, j] += Σ_k left[k, i] right[k, j] for the rows i and columns j of this thread."""
    a, b = cuda.local.array(8, left.dtype), cuda.local.array(8, right.dtype)
    for k in range(left.shape[0]):
        for i in range(0, sums.shape[0], 4):
            a[i], a[i + 1], a[i + 2], a[i + 3] = take4(left[k], SIDE // 4 * i + down())
        for j in range(0, sums.shape[1], 4):
            b[j], b[j + 1], b[j + 2], b[j + 3] = take4(right[k], SIDE // 4 * j + across())
        for i in range(sums.shape[0]):
            for j in range(sums.shape[1]):
                sums[i, j] += a[i] * b[j]


@device_function
def place(first, i):
    """The row (or column) of the tile that the thread's i-th row of sums belongs to, given its first one."""
    return first + SIDE * (i // 4) + i % 4


@device_function
def store_tile(out, row, column, sums):
    """Write the tile that begins at (row, column); what lies beyond the matrix is dropped."""
    for i in range(sums.shape[0]):
        below = row + place(down(), i)
        if below < out.shape[0]:
            for j in range(0, sums.shape[1], 4):
                beside = column + place(across(), j)
                store4(out[below], beside, sums[i, j], sums[i, j + 1], sums[i, j + 2], sums[i, j + 3])
