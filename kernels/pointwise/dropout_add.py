"""Dropout and residual addition in one pass: y = residual + x m/(1 − p), with m = 1 where x is kept and 0 elsewhere.

An element is kept if its random word (philox.py) is below (1 − p) 2³², so with probability 1 − p to within 2⁻³². The
word depends on the seed and on the element's index alone. The mask is therefore never stored: the backward pass, which
is dropout again, ∂x = g m/(1 − p) and ∂residual = g, computes it once more.

Ledger for n elements of s bytes: fused reads x, residual and the seed and writes y, 3ns bytes. Unfused, with the mask
given as a byte an element, a product and a scaled addition move (5s + 1)n.

Source: N. Srivastava et al., Dropout, JMLR 15, 2014, section 10; the mask computed again as in Liger's and Triton's
"low-memory dropout", Triton tutorials.
"""

from typing import Any

import numpy as np
import torch
from numba import prange, types
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function

from kernels.arguments import (
    as_real,
    as_rows,
    check_alike,
    check_input,
    empty_rows,
    follow_autocast,
    or_empty,
    rounded,
    wide_or_empty,
    widened,
)
from kernels.backend import blocks, cuda, gpu_kernel, launch, runs_on_gpu
from kernels.ledger import Ledger, entry, imagine
from kernels.loads import load4, real_of, store4
from kernels.op import Gradient, Operation
from kernels.pointwise.philox import cpu_random_words, gpu_random_words, random_words
from kernels.promises import Promise
from kernels.twin import jitable, twin

THREADS = 256  # of a block, four elements each
INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


def threshold(p: float) -> int:
    """An element is kept if its random word is below this."""
    return min(round((1 - p) * 2**32), 2**32 - 1)


def scale(p: float) -> float:
    """What a kept element is multiplied by; where all are dropped it does not matter."""
    return 1 / (1 - p) if p < 1 else 0.0


def kept(x: Tensor, p: float, seed: Tensor) -> Tensor:
    """The mask, made by NumPy: True where an element of x is kept."""
    words = random_words(x.numel(), int(seed.item()))
    return torch.from_numpy(words < np.uint32(threshold(p))).view(x.shape).to(x.device)


def reference(x: Tensor, residual: Tensor, p: float, seed: Tensor) -> Tensor:
    """The same in plain torch, given the mask: two operations."""
    return torch.add(residual, x * kept(x, p, seed), alpha=scale(p))


def reference_backward(grad: Tensor, p: float, seed: Tensor) -> Tensor:
    """The gradient of x in plain torch: two operations."""
    return grad * kept(grad, p, seed) * scale(p)


@gpu_kernel
def dropout_add_kernel(x, residual, seed, out, threshold, scale):  # one axis each; residual may be empty
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


@jitable
def factors(four, seed, limit, scale):  # type: ignore[no-untyped-def]
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
def dropout_add_twin(x, residual, out, seed, threshold, scale):
    """Fours in a loop that can be vectorized, then the last few elements; residual may be empty."""
    x, residual, out = x.ravel(), residual.ravel(), out.ravel()
    limit, fours = np.uint32(threshold), x.size // 4
    for four in prange(fours):
        i = 4 * np.int64(four)  # prange counts in uint64
        a, b, c, d = factors(four, seed, limit, scale)
        a, b, c, d = a * x[i], b * x[i + 1], c * x[i + 2], d * x[i + 3]
        if residual.size:
            a, b, c, d = a + residual[i], b + residual[i + 1], c + residual[i + 2], d + residual[i + 3]
        out[i], out[i + 1], out[i + 2], out[i + 3] = a, b, c, d
    for i in range(4 * fours, x.size):
        out[i] = x[i] * factors(fours, seed, limit, scale)[i - 4 * fours]
        if residual.size:
            out[i] += residual[i]


def _dropped(x: Tensor, residual: Tensor | None, p: float, seed: Tensor) -> Tensor:
    """Dropout of x, plus the residual if there is one."""
    if runs_on_gpu(x):
        out = empty_rows(x)
        flat = (t.view(-1) for t in (x.contiguous(), or_empty(residual, x), seed.to(torch.int64), out))
        grid = (blocks(x.numel(), 4 * THREADS),)
        launch(dropout_add_kernel, grid, (THREADS,), *flat, threshold(p), as_real(scale(p), x))
        return out
    wide = widened(x)
    out = torch.empty_like(wide)
    tensors = as_rows(wide), as_rows(wide_or_empty(residual, wide)), as_rows(out)
    dropout_add_twin(*tensors, int(seed.item()), threshold(p), as_real(scale(p), wide))
    return rounded(out, x.dtype)


def _launch(x: Tensor, residual: Tensor, p: float, seed: Tensor) -> Tensor:
    return _dropped(x, residual, p, seed)


def _launch_backward(grad: Tensor, p: float, seed: Tensor) -> Tensor:
    return _dropped(grad, None, p, seed)


def _fake(x: Tensor, residual: Tensor, p: float, seed: Tensor) -> Tensor:
    return x.new_empty(x.shape)


def _fake_backward(grad: Tensor, p: float, seed: Tensor) -> Tensor:
    return grad.new_empty(grad.shape)


def _ledger(x: Tensor, residual: Tensor, p: float, seed: Tensor) -> Ledger:
    n, full, mask = x.numel(), imagine(x, *x.shape), imagine(x, *x.shape, dtype=torch.bool)
    steps = (
        entry("item", (seed,), (), 0),  # then the mask is made: integer work, of which nothing is counted
        entry("mul", (x, mask), (full,), n),
        entry("add", (residual, full), (full,), 2 * n),
    )
    return entry("dropout_add", (x, residual, seed), (full,), 3 * n, steps)


def _ledger_backward(grad: Tensor, p: float, seed: Tensor) -> Ledger:
    n, full, mask = grad.numel(), imagine(grad, *grad.shape), imagine(grad, *grad.shape, dtype=torch.bool)
    steps = (
        entry("item", (seed,), (), 0),
        entry("mul", (grad, mask), (full,), n),
        entry("mul", (full,), (full,), n),
    )
    return entry("dropout_add_backward", (grad, seed), (full,), 2 * n, steps)


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    _, _, ctx.p, seed = inputs
    ctx.save_for_backward(seed)


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
    (seed,) = ctx.saved_tensors
    need_x, need_residual, *_ = ctx.needs_input_grad
    grad_x = dropout_add_backward_operation(grad, ctx.p, seed) if need_x else None
    return grad_x, grad if need_residual else None, None, None


PROMISE = Promise(
    dropout_add_kernel,
    (1, 1, types.Array(types.int64, 1, "C"), 1, int, float),
    threads=THREADS,
    load_bytes=16,
    occupancy=0.75,
)

dropout_add_operation = Operation(
    schema="dropout_add(Tensor x, Tensor residual, float p, Tensor seed) -> Tensor",
    launcher=_launch,
    fake=_fake,
    reference=reference,
    ledger=_ledger,
    gradient=Gradient(_setup_context, _backward),
    promises=(PROMISE,),
)

dropout_add_backward_operation = Operation(
    schema="dropout_add_backward(Tensor grad, float p, Tensor seed) -> Tensor",
    launcher=_launch_backward,
    fake=_fake_backward,
    reference=reference_backward,
    ledger=_ledger_backward,
    promises=(PROMISE,),
)


def dropout_add(x: Tensor, residual: Tensor, p: float, seed: int | Tensor, training: bool = True) -> Tensor:
    """residual + dropout(x, p), read and written once, the mask neither stored nor read.

    x, residual: (..., width) alike in shape, dtype and device; the result too. Each element of x is dropped with
    probability p, from 0 to 1, the others are divided by 1 − p. The mask depends on seed and on the element's index
    alone: take another seed in every call. seed: an int of 64 bits, or an integer tensor with one element on x's
    device, which is read there. Without `training` this is x + residual. Gradients flow to x and residual.

    Raises TypeError for a dtype and ValueError for a shape, device, p or seed that does not fit.
    Source: JMLR 15, 2014, pages 1929-1958; the random words: SC11 (Philox).
    """
    if has_torch_function((x, residual, seed)):
        return handle_torch_function(dropout_add, (x, residual, seed), x, residual, p, seed, training)
    check_input("x", x)
    check_input("residual", residual)
    x, residual, _ = follow_autocast((x, residual), None)
    check_alike("residual", residual, x)
    if isinstance(p, bool) or not isinstance(p, (int, float)):
        raise TypeError(f"p must be a number, got {type(p).__name__}")
    if not 0 <= p <= 1:
        raise ValueError(f"p must be from 0 to 1, got {p}")
    seed = _as_tensor(seed, x)
    if p == 0 or not training:
        return x + residual
    return dropout_add_operation(x, residual, float(p), seed)


def _as_tensor(seed: int | Tensor, x: Tensor) -> Tensor:
    """The seed as a one-element tensor on x's device; filling one there asks no GPU to wait, as a copy would."""
    if isinstance(seed, Tensor):
        if seed.dtype not in INTEGERS:
            raise TypeError(f"seed must be an int or an integer tensor, got {seed.dtype}")
        if seed.numel() != 1:
            raise ValueError(f"seed must have one element, got shape {tuple(seed.shape)}")
        if seed.device != x.device:
            raise ValueError(f"seed must be on {x.device} like x, got {seed.device}")
        return seed
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise TypeError(f"seed must be an int or an integer tensor, got {type(seed).__name__}")
    if not -(2**63) <= seed < 2**63:
        raise ValueError(f"seed must fit in 64 bits with a sign, got {seed}")
    return torch.full((1,), seed, dtype=torch.int64, device=x.device)
