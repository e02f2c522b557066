"""Integers and their bits: what widens, what wraps around, what counts as true."""

import numpy as np
from corpus.case import normal, one_each, whole, zeros
from numba import int8, int32, uint8, uint32

from kernels.backend import cuda


@cuda.jit
def widening(x, sums, products):
    """int32 + int32 is int64: a sum of two large ones does not overflow before it is stored."""
    i = cuda.grid(1)
    if i < x.size:
        sums[i] = x[i] + x[i]
        products[i] = x[i] * x[i] // 2


@cuda.jit
def narrowing(x, small, tiny):
    """A cast keeps the low bits."""
    i = cuda.grid(1)
    if i < x.size:
        small[i] = int32(x[i]) >> 1
        tiny[i] = int8(x[i]) + uint8(x[i])


@cuda.jit
def hashes(x, out):
    """xorshift and a multiplication, modulo 2^32: uint32 stays so only where each step is cast back."""
    i = cuda.grid(1)
    if i < x.size:
        h = uint32(x[i])
        h = uint32(h ^ (h << uint32(13)))
        h = uint32(h ^ (h >> uint32(17)))
        h = uint32(h * uint32(2654435761))
        out[i] = uint32(h ^ (h << uint32(5)))


@cuda.jit
def true_division(a, b, out):
    """int / int is float64."""
    i = cuda.grid(1)
    if i < a.size:
        out[i] = a[i] / b[i]


@cuda.jit
def bit_casts(x, bits, doubled):
    """The bits of a float32 as an integer: one added to the exponent doubles it."""
    i = cuda.grid(1)
    if i < x.size:
        pattern = x[i].view(np.int32)
        bits[i] = pattern
        doubled[i] = int32(pattern + (1 << 23)).view(np.float32)


@cuda.jit
def counting_bits(x, out):
    """Population count, leading zeros, first set bit, and all of them in reverse."""
    i = cuda.grid(1)
    if i < x.size:
        out[0, i], out[1, i] = cuda.popc(x[i]), cuda.clz(x[i])
        out[2, i], out[3, i] = cuda.ffs(x[i]), cuda.brev(x[i])


@cuda.jit
def booleans(x, out):
    """Truth counts as 0 and 1; a bool array holds bytes."""
    i = cuda.grid(1)
    if i < x.size:
        positive = x[i] > 0
        odd = x[i] % 2 == 1
        out[i] = (positive and not odd) or (positive ^ odd)


def hashed(x):
    h = x.astype(np.uint64)
    low = np.uint64(0xFFFFFFFF)
    h = (h ^ (h << np.uint64(13))) & low
    h ^= h >> np.uint64(17)
    h = (h * np.uint64(2654435761)) & low
    return h ^ (h << np.uint64(5)) & low


def bit_table(x, _):
    words = [f"{v:032b}" for v in x.tolist()]
    rows = (
        [word.count("1") for word in words],
        [len(word) - len(word.lstrip("0")) for word in words],
        [32 - word.rindex("1") if "1" in word else 0 for word in words],
        [int(word[::-1], 2) for word in words],
    )
    return {1: np.array(rows, np.uint32)}


CASES = (
    one_each(
        widening,
        lambda rng, n: (whole(rng, 1 << 30, (1 << 31) - 1, n), *zeros(n, np.int64, np.int64)),
        lambda x, *_: {1: 2 * x.astype(np.int64), 2: x.astype(np.int64) ** 2 // 2},
        not_in_numba="NumPy keeps int32 + int32 in 32 bits",
    ),
    one_each(
        narrowing,
        lambda rng, n: (rng.integers(-1 << 40, 1 << 40, n), *zeros(n, np.int32, np.int16)),
        lambda x, *_: {
            1: x.astype(np.int32) >> 1,
            2: x.astype(np.int8).astype(np.int16) + x.astype(np.uint8),
        },
    ),
    one_each(
        hashes,
        lambda rng, n: (whole(rng, 0, 1 << 30, n), *zeros(n, np.uint32)),
        lambda x, _: {1: hashed(x)},
    ),
    one_each(
        true_division,
        lambda rng, n: (whole(rng, -99, 99, n), whole(rng, 1, 99, n), *zeros(n, np.float64)),
        lambda a, b, _: {2: a / b},
    ),
    one_each(
        bit_casts,
        lambda rng, n: (normal(rng, n), *zeros(n, np.int32, np.float32)),
        lambda x, *_: {1: x.view(np.int32), 2: 2 * x},
    ),
    one_each(
        counting_bits,
        lambda rng, n: (
            (rng.integers(0, 1 << 32, n) >> rng.integers(0, 33, n)).astype(np.uint32),
            np.zeros((4, n), np.uint32),
        ),
        bit_table,
    ),
    one_each(
        booleans,
        lambda rng, n: (whole(rng, -9, 9, n), *zeros(n, np.bool_)),
        lambda x, _: {1: (x > 0) != (x % 2 == 1)},
    ),
)
