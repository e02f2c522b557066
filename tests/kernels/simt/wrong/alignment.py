"""An access of 8 bytes needs an address that 8 divides: on a GPU anything else ends the launch."""

import numpy as np
from numba import float32, float64
from wrong.case import any_thread, wrong

from kernels.backend import cuda


def eight(rng):
    return (rng.random(8),)


def misplaced(rng):
    """Eight float64 that begin four bytes into their memory, as after a header of one float32."""
    raw = np.zeros(4 + 8 * 8, np.uint8)
    return np.frombuffer(raw, np.float64, count=8, offset=4), np.zeros(8)


@wrong("MisalignedAccess", 1, 8, misplaced, any_thread, "8 bytes", "x[0]", "byte 4")
@cuda.jit
def numbers_behind_a_header(x, out):
    t = cuda.threadIdx.x
    out[t] = x[t] + float64(1)  # <-


@wrong("MisalignedAccess", 1, 8, eight, any_thread, "8 bytes", "byte 68")
@cuda.jit
def doubles_behind_an_odd_count_of_floats(out):
    """Shared memory cut by hand: 17 float32, then float64."""
    raw = cuda.shared.array(34, float32)
    doubles = raw[17:33].view(np.float64)  # fix: doubles = raw[18:34].view(np.float64)
    t = cuda.threadIdx.x
    doubles[t] = out[t]  # <-
    out[t] = doubles[t] * float64(2)
