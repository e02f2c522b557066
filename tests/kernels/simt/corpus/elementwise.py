"""One thread an element: arithmetic that must round, widen and divide as CUDA does in Numba, bit for bit.

Each formula is a device function, so that the test can compile the same one for the CPU and compare every bit: there
is no exp or sin among them, and addition, multiplication, division and square root are exact in IEEE 754.
"""

import math

import numpy as np
from corpus.case import Case, normal, whole

from kernels.backend import blocks, cuda, device_function

THREADS = 64


@device_function
def axpy(a, x, y):
    return a * x + y


@device_function
def tenth_plus_one(x):
    """A bare 0.1 is float64 in Numba, so the product is too: it rounds once, when it is stored."""
    return x * 0.1 + 1.0


@device_function
def horner(x):
    """A cubic in float32 throughout."""
    real = np.float32
    return ((real(0.25) * x - real(1.5)) * x + real(3)) * x - real(0.125)


@device_function
def distance(x, y):
    return math.sqrt(x * x + y * y)


@device_function
def safe_ratio(x, y):
    """Conditional expressions choose element by element."""
    return x / y if abs(y) > np.float32(0.5) else x * np.float32(2)


@device_function
def divide_and_modulo(a, b):
    """Python's floor division: -7 // 2 is -4 and -7 % 2 is 1, in Numba on a GPU too."""
    return a // b * 1000 + a % b


@device_function
def mix_bits(h, k):
    """A few steps of a hash in 64 bits: int32 operands widen, so nothing overflows."""
    h ^= k << 5
    h = (h ^ (h >> 3)) & 0xFFFFFFF
    return (h | 1) ^ ~k


@cuda.jit
def axpy_kernel(a, x, y, out):
    i = cuda.grid(1)
    if i < out.size:
        out[i] = axpy(a, x[i], y[i])


@cuda.jit
def double_kernel(x, out):
    i = cuda.grid(1)
    if i < out.size:
        out[i] = tenth_plus_one(x[i])


@cuda.jit
def horner_kernel(x, out):
    """A grid-stride loop: any grid does for any size."""
    for i in range(cuda.grid(1), out.size, cuda.gridsize(1)):
        out[i] = horner(x[i])


@cuda.jit
def distance_kernel(x, y, out):
    i = cuda.grid(1)
    if i >= out.size:
        return
    out[i] = distance(x[i], y[i])


@cuda.jit
def ratio_kernel(x, y, out):
    i = cuda.grid(1)
    if i < out.size:
        out[i] = safe_ratio(x[i], y[i])


@cuda.jit
def divide_kernel(a, b, out):
    i = cuda.grid(1)
    if i < out.size:
        out[i] = divide_and_modulo(a[i], b[i])


@cuda.jit
def mix_kernel(h, k, out):
    i = cuda.grid(1)
    if i < out.size:
        out[i] = mix_bits(h[i], k[i])


def case(kernel, formula, draw, reference, tolerance, grid=None):
    """Cases of three sizes; `draw` gives the inputs for a size, `out` has the dtype of the last of them."""
    for n in (1, 64, 201):

        def arguments(rng, n=n):
            inputs = draw(rng, n)
            return *inputs, np.zeros(n, inputs[-1].dtype)

        def expected(*arguments):
            *inputs, _ = arguments
            wide = [a.astype(np.float64) if getattr(a, "dtype", None) == np.float32 else a for a in inputs]
            return {len(inputs): reference(*wide)}

        shape = grid or (blocks(n, THREADS),)
        yield Case(kernel, shape, (THREADS,), arguments, expected, str(n), 0, tolerance, formula)


def nonzero(rng, n):
    """Divisors of both signs, none of them zero."""
    return whole(rng, 1, 20, n) * rng.choice(np.array([-1, 1], np.int32), n)


def unbounded_bits(h: int, k: int) -> int:
    """`mix_bits` in Python's own unbounded integers."""
    h ^= k << 5
    h = (h ^ (h >> 3)) & 0xFFFFFFF
    return (h | 1) ^ ~k


CASES = (
    *case(
        axpy_kernel,
        axpy,
        lambda rng, n: (np.float32(2.7), normal(rng, n), normal(rng, n)),
        lambda a, x, y: np.float64(a) * x + y,
        1e-6,
    ),
    *case(double_kernel, tenth_plus_one, lambda rng, n: (normal(rng, n),), lambda x: x * 0.1 + 1, 1e-6),
    *case(
        horner_kernel,
        horner,
        lambda rng, n: (normal(rng, n),),
        lambda x: 0.25 * x**3 - 1.5 * x**2 + 3 * x - 0.125,
        1e-6,
        grid=(2,),
    ),
    *case(distance_kernel, distance, lambda rng, n: (normal(rng, n), normal(rng, n)), np.hypot, 1e-6),
    *case(
        ratio_kernel,
        safe_ratio,
        lambda rng, n: (normal(rng, n), normal(rng, n)),
        lambda x, y: np.where(np.abs(y) > 0.5, x / np.where(y == 0, 1, y), 2 * x),
        1e-6,
    ),
    *case(
        divide_kernel,
        divide_and_modulo,
        lambda rng, n: (whole(rng, -99, 99, n), nonzero(rng, n)),
        lambda a, b: np.floor(a / b).astype(np.int64) * 1000 + (a - b * np.floor(a / b).astype(np.int64)),
        0.0,
    ),
    *case(
        mix_kernel,
        mix_bits,
        lambda rng, n: (whole(rng, 0, 1 << 20, n), whole(rng, 0, 1 << 20, n)),
        lambda h, k: list(map(unbounded_bits, h.tolist(), k.tolist())),
        0.0,
    ),
)
