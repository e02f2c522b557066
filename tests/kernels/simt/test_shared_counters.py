"""Wavefronts and bank conflicts of real kernels equal values worked out by hand."""

from math import gcd

import numpy as np
import pytest

from kernels import simt
from kernels.backend import cuda


def counters(kernel, block, out, **options):
    """What one block of this kernel costs."""
    return simt.launch(kernel, 1, block, out, **options).counters


def in_shared(dtype, stride, threads=32):
    """Counters of the kernel that writes shared[stride · i] and reads it back, in thread i."""

    @cuda.jit
    def kernel(out):
        scratch = cuda.shared.array(33 * 32, dtype)
        i = cuda.threadIdx.x
        scratch[stride * i] = i
        out[i] = scratch[stride * i]

    found = counters(kernel, threads, np.zeros(threads, dtype))
    assert found.shared_load_wavefronts == found.shared_store_wavefronts
    assert found.shared_load_requests == found.shared_store_requests == -(-threads // 32)
    return found.shared_load_wavefronts, found.shared_bank_conflicts // 2


@pytest.mark.parametrize("stride", range(1, 34))
def test_shared_stride(stride):
    """gcd(stride, 32) lanes meet in each bank that is hit."""
    assert in_shared(np.float32, stride) == (gcd(stride, 32), gcd(stride, 32) - 1)


@pytest.mark.parametrize(
    ("dtype", "stride", "threads", "wavefronts", "conflicts"),
    [
        (np.int8, 1, 32, 1, 0),  # four lanes on a word
        (np.int16, 1, 32, 1, 0),
        (np.int16, 4, 32, 2, 1),  # words 2 i: two lanes on each even bank
        (np.float64, 1, 32, 2, 0),  # two half-warps, 128 bytes each
        (np.float64, 2, 32, 4, 2),  # words 4 i: lanes i and i + 8 of a half meet
        (np.float64, 16, 32, 32, 30),  # words 32 i: all 16 lanes of a half on banks 0 and 1
        (np.float64, 1, 16, 1, 0),  # the other half idles
        (np.float64, 1, 17, 2, 0),
        (np.complex128, 1, 32, 4, 0),  # four quarter-warps
        (np.complex128, 2, 32, 8, 4),
        (np.complex128, 1, 9, 2, 0),
        (np.float32, 1, 40, 2, 0),  # a warp and a quarter
        (np.float32, 8, 40, 8 + 2, 7 + 1),  # 32 lanes on 4 banks, 8 in each; then 8 lanes, 2 in each
    ],
)
def test_shared_widths_and_partial_warps(dtype, stride, threads, wavefronts, conflicts):
    assert in_shared(dtype, stride, threads) == (wavefronts, conflicts)


@pytest.mark.parametrize(("columns", "wavefronts"), [(32, 32), (33, 1), (34, 2), (40, 8)])
def test_column_of_a_tile(columns, wavefronts):
    @cuda.jit
    def kernel(out):
        tile = cuda.shared.array((32, columns), np.float32)
        i = cuda.threadIdx.x
        tile[i, 5] = i
        out[i] = tile[i, 5]

    found = counters(kernel, 32, np.zeros(32, np.float32))
    assert found.shared_load_wavefronts == wavefronts  # gcd(columns, 32)
    assert found.shared_bank_conflicts == 2 * (wavefronts - 1)


def test_shared_broadcast_and_barrier():
    @cuda.jit
    def kernel(out):
        scratch = cuda.shared.array(0, np.float32)
        i = cuda.threadIdx.x
        scratch[i] = i
        cuda.syncthreads()
        out[i] = scratch[7]

    found = counters(kernel, 64, np.zeros(64, np.float32), shared_bytes=256)
    assert (found.shared_load_requests, found.shared_load_wavefronts, found.shared_bank_conflicts) == (
        2,
        2,
        0,
    )
    assert found.barriers == 2  # both warps
