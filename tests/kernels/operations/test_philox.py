"""Philox4x32-10 against the numbers its authors publish, on every processor it is compiled for."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import simt
from kernels.backend import cuda, device_function, gpu_kernel, gpu_present
from kernels.pointwise.philox import cpu_random_words, gpu_random_words, philox, random_words
from kernels.twin import twin

# counter, key and random words: Random123's tests/kat_vectors, lines "philox4x32 10"
KNOWN_ANSWERS = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]
SEEDS = [0, 1, -1, 2**32, 0x1234_5678_9ABC_DEF0, -(2**63), 2**63 - 1]


def words(text):
    return np.array([int(word, 16) for word in text.split()], dtype=np.uint32)


gpu_philox = device_function(philox)


@gpu_kernel
def on_gpu(counters, keys, out):
    i = cuda.grid(1)
    if i < counters.shape[0]:
        counter, key = counters[i], keys[i]
        a, b, c, d = gpu_philox(counter[0], counter[1], counter[2], counter[3], key[0], key[1])
        out[i, 0], out[i, 1], out[i, 2], out[i, 3] = a, b, c, d


@twin
def on_cpu(counters, keys, out):
    for i in range(counters.shape[0]):
        counter, key = counters[i], keys[i]
        out[i] = np.array(philox(counter[0], counter[1], counter[2], counter[3], key[0], key[1]))


def in_numpy(counters, keys, out):
    out[:] = np.stack(philox(*counters.T, *keys.T), axis=1)


def on_simulated_gpu(*arrays):
    simt.launch(on_gpu, 1, 32, *arrays)


def on_real_gpu(*arrays):
    if not gpu_present():
        pytest.skip("needs a GPU")
    on_gpu[1, 32](*arrays)


BACKENDS = [
    in_numpy,
    on_cpu.serial,
    on_simulated_gpu,
    pytest.param(on_real_gpu, marks=pytest.mark.gpu),
]


@pytest.mark.parametrize("backend", BACKENDS, ids=["NumPy", "CPU", "simulated GPU", "GPU"])
def test_known_answers(backend):
    counters, keys, expected = (np.stack([words(line[part]) for line in KNOWN_ANSWERS]) for part in range(3))
    out = np.zeros_like(expected)
    backend(counters, keys, out)
    np.testing.assert_array_equal(out, expected)


@gpu_kernel
def fours_on_gpu(first, seed, out):
    i = cuda.grid(1)
    if i < out.shape[0]:
        out[i, 0], out[i, 1], out[i, 2], out[i, 3] = gpu_random_words(first + i, seed[0])


@twin
def fours_on_cpu(first, seed, out):
    for i in range(out.shape[0]):
        out[i] = np.array(cpu_random_words(first + i, seed[0]))


def high_and_low(factor, word):
    product = factor * word  # Python's integers have no end
    return product >> 32, product & 0xFFFFFFFF


def by_definition(counter, key):
    """The definition in plain Python's integers."""
    (c0, c1, c2, c3), (k0, k1) = counter, key
    for step in range(10):
        first, second = (k0 + step * 0x9E3779B9) % 2**32, (k1 + step * 0xBB67AE85) % 2**32
        (high_0, low_0), (high_2, low_2) = high_and_low(0xD2511F53, c0), high_and_low(0xCD9E8D57, c2)
        c0, c1, c2, c3 = high_2 ^ c1 ^ first, low_2, high_0 ^ c3 ^ second, low_0
    return [c0, c1, c2, c3]


@settings(deadline=None)
@given(st.lists(st.integers(0, 2**32 - 1), min_size=6, max_size=6))
def test_agrees_with_the_definition(numbers):
    arrays = np.array(numbers, dtype=np.uint32).reshape(6, 1)
    found = [int(word[0]) for word in philox(*arrays)]
    assert found == by_definition(numbers[:4], numbers[4:])


@pytest.mark.parametrize("first", [0, 1, 2**32 - 2, 2**40])
@pytest.mark.parametrize("seed", SEEDS)
def test_positions_beyond_32_bits_and_any_seed(first, seed):
    """Four elements each from the four at `first` on: counters with carries, keys with signs."""
    key = (seed % 2**32, (seed >> 32) % 2**32)
    expected = [by_definition((four % 2**32, four >> 32, 0, 0), key) for four in range(first, first + 5)]
    given_seed, out, simulated = np.array([seed]), *np.zeros((2, 5, 4), np.uint32)
    fours_on_cpu.serial(first, given_seed, out)
    simt.launch(fours_on_gpu, 1, 32, first, given_seed, simulated)
    np.testing.assert_array_equal(out, expected)
    np.testing.assert_array_equal(simulated, expected)


def test_words_of_a_tensor_go_by_fours():
    expected = np.ravel([by_definition((four, 0, 0, 0), (5, 0)) for four in range(4)])
    for count in range(16):
        np.testing.assert_array_equal(random_words(count, 5), expected[:count])


def test_bits_are_fair_and_independent():
    """Each of 32 bits, and each pair of neighboring words' bits, is set as often as by chance: 5 sigma."""
    bits = np.unpackbits(random_words(1 << 16, 1).view(np.uint8).reshape(-1, 4), axis=1)
    for sample in (bits, bits[1:] ^ bits[:-1], bits[:, 1:] ^ bits[:, :-1]):
        sigma = 0.5 / np.sqrt(len(sample))
        assert np.abs(sample.mean(axis=0) - 0.5).max() < 5 * sigma
