"""Dropout whose mask is never stored: x m/(1 − p), with m = 1 where x is kept and 0 elsewhere, and a residual added.

An element is kept if its random word (philox.py) is below (1 − p) 2³²: with probability 1 − p, to within 2⁻³². The word
depends on the seed and on the element's index alone, so the mask is the same in the backward pass as in the forward
pass, on a GPU as on the CPU, for any layout, grid and number of threads. About a hundred integer instructions make the
mask of four elements, work that a processor has time for while it waits for their 48 bytes.

Source: N. Srivastava et al., Dropout: A Simple Way to Prevent Neural Networks from Overfitting, JMLR 15, 2014, section
10; the mask computed again as in the Triton tutorial "Low-Memory Dropout".
"""

import numpy as np
import torch
from numba import prange, types
from torch import Tensor

from kernels.arguments import as_real, as_rows, empty_rows, or_empty, rounded, wide_or_empty, widened
from kernels.backend import blocks, cuda, gpu_kernel, launch, runs_on_gpu
from kernels.loads import load4, real_of, store4
from kernels.pointwise.philox import cpu_random_words, gpu_random_words, random_words
from kernels.promises import Promise
from kernels.twin import jitable, twin

THREADS = 256  # of a block, four elements each


def threshold(p: float) -> int:
    """An element is kept if its random word is below this."""
    return min(round((1 - p) * 2**32), 2**32 - 1)


def scale(p: float) -> float:
    """What a kept element is multiplied by; where none is kept it does not matter."""
    return 1 / (1 - p) if p < 1 else 0.0


def kept(x: Tensor, p: float, seed: Tensor) -> Tensor:
    """The mask, made by NumPy: True where an element of x is kept."""
    words = random_words(x.numel(), int(seed.item()))
    return torch.from_numpy(words < np.uint32(threshold(p))).view(x.shape).to(x.device)


@gpu_kernel
def dropout_kernel(x, residual, seed, out, threshold, scale):  # one axis each; residual may be empty
    four = cuda.grid(1)
    first = 4 * four
    if first < x.shape[0]:
        zero, limit = real_of(x)(0), np.uint32(threshold)
        word_a, word_b, word_c, word_d = gpu_random_words(four, seed[0])
        a, b, c, d = load4(x, first, zero)
        a, b = a * (scale if word_a < limit else zero), b * (scale if word_b < limit else zero)
        c, d = c * (scale if word_c < limit else zero), d * (scale if word_d < limit else zero)
        if residual.size:
            more_a, more_b, more_c, more_d = load4(residual, first, zero)
            a, b, c, d = a + more_a, b + more_b, c + more_c, d + more_d
        store4(out, first, a, b, c, d)


PROMISE = Promise(
    dropout_kernel,
    (1, 1, types.Array(types.int64, 1, "C"), 1, int, float),
    threads=THREADS,
    load_bytes=16,
    occupancy=1.0,
)


@jitable
def factors(four, seed, limit, scale):
    """What four neighboring elements are multiplied by."""
    a, b, c, d = cpu_random_words(four, seed)
    zero = type(scale)(0)
    return (
        scale if a < limit else zero,
        scale if b < limit else zero,
        scale if c < limit else zero,
        scale if d < limit else zero,
    )


@twin
def dropout_twin(x, residual, out, seed, threshold, scale):
    """Fours in loops that can be vectorized, one with and one without residual; then the last few elements."""
    x, residual, out = x.ravel(), residual.ravel(), out.ravel()
    limit, fours = np.uint32(threshold), x.size // 4
    if residual.size:
        for four in prange(fours):
            first = 4 * np.int64(four)  # prange counts in uint64
            a, b, c, d = factors(four, seed, limit, scale)
            out[first] = x[first] * a + residual[first]
            out[first + 1] = x[first + 1] * b + residual[first + 1]
            out[first + 2] = x[first + 2] * c + residual[first + 2]
            out[first + 3] = x[first + 3] * d + residual[first + 3]
    else:
        for four in prange(fours):
            first = 4 * np.int64(four)
            a, b, c, d = factors(four, seed, limit, scale)
            out[first], out[first + 1] = x[first] * a, x[first + 1] * b
            out[first + 2], out[first + 3] = x[first + 2] * c, x[first + 3] * d
    for last in range(4 * fours, x.size):
        out[last] = x[last] * factors(fours, seed, limit, scale)[last - 4 * fours]
        if residual.size:
            out[last] += residual[last]


def dropped(x: Tensor, residual: Tensor | None, p: float, seed: Tensor) -> Tensor:
    """Dropout of x, plus the residual if there is one."""
    if runs_on_gpu(x):
        out = empty_rows(x)
        flat = (t.view(-1) for t in (x.contiguous(), or_empty(residual, x), seed.to(torch.int64), out))
        grid = (blocks(x.numel(), 4 * THREADS),)
        launch(dropout_kernel, grid, (THREADS,), *flat, threshold(p), as_real(scale(p), x))
        return out
    wide = widened(x)
    out = torch.empty_like(wide)
    tensors = as_rows(wide), as_rows(wide_or_empty(residual, wide)), as_rows(out)
    dropout_twin(*tensors, int(seed.item()), threshold(p), as_real(scale(p), wide))
    return rounded(out, x.dtype)
