"""Beside the arithmetic: how long to keep a line in cache, and which fast function will do.

Source: PTX ISA, "Cache Operators"; NVIDIA, libdevice User's Guide.
"""

import numpy as np
from corpus.case import Case, normal

from kernels.backend import cuda

THREADS = 32
NO_HINTS = "Numba's simulator has no cache hints"
NO_LIBDEVICE = "calls of libdevice return None in Numba's simulator"


@cuda.jit
def streamed(x, out):
    """Read once, written once: `cs` says that nobody will come back for either."""
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        cuda.stcs(out, i, cuda.ldcs(x, i))


@cuda.jit
def each_operator(x, out):
    """Cached at all levels, in L2 only, last use, volatile; written back, to L2, through."""
    i = cuda.grid(1)
    if i < x.shape[0]:
        total = cuda.ldca(x, (i, 0)) + cuda.ldcg(x, (i, 1))
        cuda.stwb(out, (i, 0), total)
        cuda.stcg(out, (i, 1), total + cuda.ldlu(x, (i, 2)))
        cuda.stwt(out, (i, 2), cuda.ldcv(x, (i, 2)))


@cuda.jit
def fast_functions(x, out):
    """libdevice by name: the reciprocal square root in one instruction, and exp with a larger error."""
    i = cuda.grid(1)
    if i < x.size:
        out[i] = cuda.libdevice.rsqrtf(x[i]) + cuda.libdevice.fast_expf(-x[i])


@cuda.jit
def two_results(x, sines, cosines):
    """A function of libdevice with two results gives a tuple."""
    i = cuda.grid(1)
    if i < x.size:
        sines[i], cosines[i] = cuda.libdevice.sincosf(x[i])


@cuda.jit
def polite_wait(x, out):
    """A short sleep changes nothing but the time."""
    i = cuda.grid(1)
    if i < x.size:
        cuda.nanosleep(20)
        out[i] = x[i]


def each_operator_expected(x, _):
    return {1: np.stack([x[:, 0] + x[:, 1], x[:, 0] + x[:, 1] + x[:, 2], x[:, 2]], 1)}


def case(kernel, shape, outputs, expected, reason, tolerance=0.0):
    return Case(
        kernel,
        (2,),
        (THREADS,),
        lambda rng: (
            abs(normal(rng, *shape)) + np.float32(0.1),
            *(np.zeros(shape, np.float32) for _ in range(outputs)),
        ),
        expected,
        tolerance=tolerance,
        not_in_numba=reason,
    )


CASES = (
    case(streamed, (150,), 1, lambda x, _: {1: x}, NO_HINTS),
    case(each_operator, (40, 3), 1, each_operator_expected, NO_HINTS, 1e-6),
    case(fast_functions, (50,), 1, lambda x, _: {1: 1 / np.sqrt(x) + np.exp(-x)}, NO_LIBDEVICE, 2e-6),
    case(two_results, (50,), 2, lambda x, *_: {1: np.sin(x), 2: np.cos(x)}, NO_LIBDEVICE, 1e-6),
    case(polite_wait, (50,), 1, lambda x, _: {1: x}, "Numba's simulator has no nanosleep"),
)
