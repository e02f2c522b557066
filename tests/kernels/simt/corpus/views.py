"""Arrays and what is made of them: rows, columns, slices, and what an array knows of itself."""

import numpy as np
from corpus.case import Case, normal, whole
from numba import float32

from kernels.backend import cuda

THREADS = 32


@cuda.jit
def rows(x, out):
    """x[i] is a view of a row, and a slice of it a view of that."""
    i = cuda.grid(1)
    if i < x.shape[0]:
        row = x[i]
        middle = row[1:-1]
        total = float32(0)
        for k in range(middle.size):
            total += middle[k]
        out[i] = total - row[0] * row[-1] + len(row)


@cuda.jit
def written_through_views(x, step):
    """What is stored in a view is stored in the array."""
    i = cuda.grid(1)
    every_other = x[:, ::2]
    if i < every_other.shape[0]:
        row = every_other[i]
        for k in range(row.shape[0]):
            row[k] += step


@cuda.jit
def backwards(x, out):
    """A view with a negative stride, of part of the array."""
    flipped = x[-2:0:-1]
    i = cuda.grid(1)
    if i < flipped.size:
        out[i] = flipped[i]


@cuda.jit
def columns(x, out):
    """A column of a C-ordered array: a stride of a whole row."""
    j = cuda.grid(1)
    if j < x.shape[1]:
        column = x[:, j]
        largest = column[0]
        for value in column:
            largest = max(largest, value)
        out[j] = largest


@cuda.jit
def shapes(x, out):
    """What an array knows of itself."""
    if cuda.grid(1) == 0:
        rows, columns = x.shape
        out[0], out[1], out[2] = rows, columns, x.size
        out[3], out[4] = x.ndim, len(x)
        out[5], out[6] = x.strides[0], x.itemsize


@cuda.jit
def several_dtypes(a, b, c, out):
    """Arguments of one, two and eight bytes."""
    i = cuda.grid(1)
    if i < out.size:
        out[i] = a[i] + b[i] * c[i]


def stepped(x, step):
    x = x.copy()
    x[:, ::2] += step
    return {0: x}


def case(kernel, arguments, expected, tolerance=0.0, **options):
    return Case(kernel, (1,), (THREADS,), arguments, expected, tolerance=tolerance, **options)


CASES = (
    case(
        rows,
        lambda rng: (normal(rng, 9, 7), np.zeros(9, np.float32)),
        lambda x, _: {1: x[:, 1:-1].sum(1) - x[:, 0] * x[:, -1] + 7},
        1e-6,
        notes=("NegativeIndex",),
    ),
    case(written_through_views, lambda rng: (whole(rng, 0, 99, 8, 5), 100), stepped),
    case(backwards, lambda rng: (normal(rng, 20), np.zeros(18, np.float32)), lambda x, _: {1: x[-2:0:-1]}),
    case(columns, lambda rng: (normal(rng, 9, 7), np.zeros(7, np.float32)), lambda x, _: {1: x.max(0)}),
    case(
        shapes,
        lambda rng: (normal(rng, 5, 3), np.zeros(7, np.int32)),
        lambda x, _: {1: [5, 3, 15, 2, 5, 12, 4]},
    ),
    case(
        several_dtypes,
        lambda rng: (*(whole(rng, 0, 9, 20).astype(kind) for kind in "bhd"), np.zeros(20)),
        lambda a, b, c, _: {3: a + b * c},
    ),
)
