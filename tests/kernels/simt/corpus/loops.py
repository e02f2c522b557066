"""Loops whose length differs from thread to thread, and every way out of them."""

import numpy as np
from corpus.case import Case, each, normal, whole

from kernels.backend import blocks, cuda

THREADS = 32


@cuda.jit
def collatz(x, steps):
    """Each thread loops as often as its number needs."""
    i = cuda.grid(1)
    if i < x.size:
        n = x[i]
        count = 0
        while n != 1:
            n = n // 2 if n % 2 == 0 else 3 * n + 1
            count += 1
        steps[i] = count


@cuda.jit
def mandelbrot(left, top, step, escapes):
    """Two axes; `while` with two conditions, of which the second may end it early."""
    column, row = cuda.grid(2)
    if row < escapes.shape[0] and column < escapes.shape[1]:
        c_real, c_imag = left + column * step, top + row * step
        real = imag = 0.0
        count = 0
        while count < 30 and real * real + imag * imag <= 4:
            real, imag = real * real - imag * imag + c_real, 2 * real * imag + c_imag
            count += 1
        escapes[row, column] = count


@cuda.jit
def first_divisor(x, found):
    """`break` leaves the loop; what follows it runs for those who found nothing, too."""
    i = cuda.grid(1)
    if i < x.size:
        divisor = x[i]
        for k in range(2, x[i]):
            if x[i] % k == 0:
                divisor = k
                break
        found[i] = divisor


@cuda.jit
def skipping(x, out):
    """`continue` in nested loops, and a `break` out of the inner one only."""
    i = cuda.grid(1)
    if i >= x.size:
        return
    total = 0
    for j in range(10):
        if j % 3 == x[i] % 3:
            continue
        for k in range(j):
            if k > x[i]:
                break
            if k == 2:
                continue
            total += j * k
        total -= 1
    out[i] = total


@cuda.jit
def loop_else(x, limit, out):
    """The `else` of a loop runs when no `break` has."""
    i = cuda.grid(1)
    if i < x.shape[0]:
        for j in range(x.shape[1]):
            if x[i, j] > limit:
                out[i] = j
                break
        else:
            out[i] = -1


@cuda.jit
def countdown(out):
    """Ranges with negative steps, empty ones, and ones that differ by thread."""
    i = cuda.grid(1)
    if i < out.size:
        total = 0
        for k in range(i, -1, -2):
            total = 3 * total + k
        for _ in range(5, 5):
            total = -1
        for k in range(i % 4, i, 3):
            total ^= k
        out[i] = total


@cuda.jit
def newton(x, roots):
    """Iterates until it is close enough: an endless loop with a way out."""
    i = cuda.grid(1)
    if i < x.size:
        guess = x[i]
        while True:
            better = 0.5 * (guess + x[i] / guess)
            if abs(better - guess) <= 1e-12 * better:
                break
            guess = better
        roots[i] = guess


def python_collatz(n):
    count = 0
    while n != 1:
        n, count = (n // 2 if n % 2 == 0 else 3 * n + 1), count + 1
    return count


def escape_times(left, top, step, escapes):
    rows, columns = np.indices(escapes.shape)
    c = left + columns * step + 1j * (top + rows * step)
    z, count = np.zeros_like(c), np.zeros(escapes.shape, np.int32)
    for _ in range(30):
        inside = np.abs(z) <= 2
        count += inside
        z = np.where(inside, z * z + c, z)
    return {3: count}


def divisor(n):
    return next((k for k in range(2, n) if n % k == 0), n)


def skipped(v):
    rest = [(j, [k for k in range(min(j, v + 1)) if k != 2]) for j in range(10) if j % 3 != v % 3]
    return sum(j * sum(ks) - 1 for j, ks in rest)


def counted(i):
    total = 0
    for k in range(i, -1, -2):
        total = 3 * total + k
    return total ^ int(np.bitwise_xor.reduce(np.arange(i % 4, i, 3, dtype=np.int64)))


def ints(kernel, low, high, expected, n=50):
    return Case(
        kernel,
        (blocks(n, THREADS),),
        (THREADS,),
        lambda rng: (whole(rng, low, high, n), np.zeros(n, np.int32)),
        expected,
    )


CASES = (
    ints(collatz, 1, 100, each(python_collatz)),
    Case(
        mandelbrot,
        (3, 2),
        (6, 5),
        lambda rng: (-2.1, -1.2, 0.171, np.zeros((9, 17), np.int32)),
        escape_times,
    ),
    ints(first_divisor, 2, 120, each(divisor)),
    ints(skipping, 0, 12, each(skipped)),
    Case(
        loop_else,
        (1,),
        (THREADS,),
        lambda rng: (normal(rng, 30, 6), np.float32(1), np.zeros(30, np.int32)),
        lambda x, limit, _: {2: np.where((x > limit).any(1), (x > limit).argmax(1), -1)},
    ),
    Case(
        countdown,
        (2,),
        (THREADS,),
        lambda rng: (np.zeros(41, np.int64),),
        lambda out: {0: list(map(counted, range(41)))},
    ),
    Case(
        newton,
        (1,),
        (THREADS,),
        lambda rng: (rng.uniform(0.01, 90, 21), np.zeros(21)),
        lambda x, _: {1: np.sqrt(x)},
        tolerance=1e-12,
    ),
)
