"""Philox4x32-10: random numbers by position, with no state to keep.

A usual generator makes each number from the one before. A counter-based one encrypts a position: four 32-bit words of
*counter* become four random words under two words of *key*, in ten rounds of

    (c₀, c₁, c₂, c₃) → (high(B c₂) ⊕ c₁ ⊕ k₀, low(B c₂), high(A c₀) ⊕ c₃ ⊕ k₁, low(A c₀)),

where high and low are the halves of a 64-bit product; after each round two constants are added to the key. So any
thread can compute any number, in any order, twice if need be: just what a dropout mask needs that is never stored.

Element i of a tensor takes word i mod 4 of counter i div 4, and its key is the seed: a thread that moves four elements
at a time needs one counter for them. The formulas are written once and compiled for GPU and CPU; left as they are,
they compute on NumPy's arrays.

Source: J. Salmon, M. Moraes, R. Dror, D. Shaw, Parallel Random Numbers: As Easy as 1, 2, 3, SC11.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.backend import device_function
from kernels.twin import jitable

ROUNDS = 10
MULTIPLIER_A, MULTIPLIER_B = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
KEY_STEP_0, KEY_STEP_1 = np.uint32(0x9E3779B9), np.uint32(0xBB67AE85)  # golden ratio and √3 − 1, as fractions
HALF = np.uint64(32)
ZERO = np.uint32(0)


def philox(c0, c1, c2, c3, k0, k1):
    """Four random words of a counter under a key, all uint32.

    Every result is cast: Numba makes 64 bits of any two integers, and a float64 of uint64 and int64.
    """
    for _ in range(ROUNDS):
        a, b = MULTIPLIER_A * np.uint64(c0), MULTIPLIER_B * np.uint64(c2)
        c0, c1 = np.uint32(np.uint32(b >> HALF) ^ c1 ^ k0), np.uint32(b)
        c2, c3 = np.uint32(np.uint32(a >> HALF) ^ c3 ^ k1), np.uint32(a)
        k0, k1 = np.uint32(k0 + KEY_STEP_0), np.uint32(k1 + KEY_STEP_1)
    return c0, c1, c2, c3


def by_position(philox: Any) -> Any:
    """The same for four neighboring elements, over a given Philox."""

    def random_words(four, seed):
        """The words of elements 4·four to 4·four + 3, all uint32; a negative seed counts as its 64 bits."""
        position, key = np.uint64(four), np.uint64(seed)
        return philox(
            np.uint32(position),
            np.uint32(position >> HALF),
            ZERO,
            ZERO,
            np.uint32(key),
            np.uint32(key >> HALF),
        )

    return random_words


gpu_random_words = device_function(by_position(device_function(philox)))
cpu_random_words = jitable(by_position(jitable(philox)))


def random_words(count: int, seed: int) -> npt.NDArray[np.uint32]:
    """The words of elements 0 to count − 1, in NumPy."""
    fours, key = np.arange(-(-count // 4)), np.array([seed])  # arrays wrap around in silence
    return np.stack(by_position(philox)(fours, key), axis=-1).reshape(-1)[:count]
