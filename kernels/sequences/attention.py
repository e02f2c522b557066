"""Attention that never stores the scores: O = softmax(scale Q Kᵀ) V for each head, computed tile by tile.

For `time` queries and as many keys, plain torch writes time × time scores to memory and carries them to and fro for
each step. Here a tile of them lives in registers and shared memory, and the softmax is taken *online*: with m the
largest score of a row so far, l = Σ exp(score − m) and o = Σ exp(score − m) v are kept for the keys seen so far; a tile
that raises m to m′ finds both worth exp(m − m′) of what they were. After the last tile, O = o / l. For the backward
pass one number a row is kept, its logsumexp m + ln l, from which any tile of weights can be computed again.

Ledger for n queries and s keys a head, h heads on g key heads, in elements: Q, K and V are read and O is written once,
h n (width + value width) + g s (width + value width), and h n for the logsumexp where a gradient is wanted. In plain
torch product, scale, mask, softmax and product carry 6 to 8 h n s beside that. Causal attention reads no key that
nobody may see. FLOPs are those of the whole matrix of scores; tiles that a causal mask leaves empty are skipped.

Source: T. Dao, FlashAttention-2, arXiv 2307.08691, section 3.1; M. Milakov, N. Gimelshein, Online normalizer
calculation for softmax, arXiv 1805.02867, algorithm 3.
"""

import math
from typing import Any

import torch
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function

from kernels.arguments import as_real, check_input, multiplied_under_autocast, rounded, sums_dtype, widened
from kernels.backend import blocks, cuda, gpu_kernel, launch, runs_on_gpu
from kernels.ledger import Ledger, entry, imagine
from kernels.loads import real_of
from kernels.op import Gradient, Operation
from kernels.products.row_tiles import add_weighted, max_of_row, multiply_rows, put_transposed, sum_of_row
from kernels.products.tiles import DEPTH, SIDE, THREADS, WIDTH, across, clear, down, store_tile
from kernels.promises import Promise, sums
from kernels.sequences import attention_cpu
from kernels.sequences.attention_backward import attention_backward_operation
from kernels.sequences.attention_shapes import (
    check_heads,
    check_scale,
    grouped,
    kept_keys,
    score_steps,
    scores_of,
)
from kernels.sequences.attention_tiles import finite_or_zero, slices
from kernels.shared import shared_array


def reference(
    q: Tensor, k: Tensor, v: Tensor, causal: bool, scale: float, keep: bool
) -> tuple[Tensor, Tensor]:
    """The same in plain torch: product, scale, mask, softmax, product; half types are computed in float32."""
    scores = scores_of(q, k, causal, scale)  # (batch × key heads, group × time, keys)
    out = torch.bmm(scores.softmax(-1), widened(v).flatten(0, 1))
    shape = q.shape[:-1]
    logsumexp = scores.logsumexp(-1).view(shape) if keep else scores.new_empty(0)
    return rounded(out.view(*shape, v.shape[-1]), q.dtype), logsumexp


@gpu_kernel
def attention_kernel(q, k, v, out, logsumexp, group, causal, scale):
    """q, out: (heads, time, width); k, v: (key heads, keys, width); logsumexp: (heads, time) or empty."""
    real = real_of(q)
    weights, right = shared_array((SIDE, WIDTH), real), shared_array((DEPTH, WIDTH), real)
    left = weights[:DEPTH]  # done with before weights are put down
    scores, sums = cuda.local.array((4, 4), real), cuda.local.array((4, 4), real)
    largest, total = cuda.local.array(4, real), cuda.local.array(4, real)
    clear(sums)
    for i in range(4):
        largest[i], total[i] = real(-math.inf), real(0)
    tiles = (q.shape[1] + SIDE - 1) // SIDE
    head, row, column = cuda.blockIdx.x // tiles, cuda.blockIdx.x % tiles * SIDE, cuda.blockIdx.y * SIDE
    seen = min(k.shape[1], q.shape[1], row + SIDE) if causal else k.shape[1]
    for key in range(0, seen, SIDE):
        multiply_rows(scores, left, right, q[head], k[head // group, :seen], row, key)
        for i in range(4):
            end = min(seen, row + down() + i + 1) if causal else seen
            peak = largest[i]
            for j in range(4):
                scores[i, j] = scores[i, j] * scale if key + across() + j < end else real(-math.inf)
                peak = max(peak, scores[i, j])
            peak = max_of_row(peak)
            shift = finite_or_zero(peak)
            shrink = math.exp(largest[i] - shift)
            largest[i], total[i] = peak, total[i] * shrink
            for j in range(4):
                sums[i, j] *= shrink
                scores[i, j] = math.exp(scores[i, j] - shift)
                total[i] += scores[i, j]
        put_transposed(weights, scores)
        add_weighted(sums, weights, right, v[head // group, :seen], key, column)
    for i in range(4):
        whole, query = sum_of_row(total[i]), row + down() + i
        # a query that sees no key has 0, as in torch
        share = real(1) / whole if whole != real(0) else real(0)
        for j in range(4):
            sums[i, j] *= share
        if logsumexp.size and column == 0 and across() == 0 and query < q.shape[1]:
            logsumexp[head, query] = largest[i] + math.log(whole)
    store_tile(out[head], row, column, sums)


def _launch(q: Tensor, k: Tensor, v: Tensor, causal: bool, scale: float, keep: bool) -> tuple[Tensor, Tensor]:
    real, shape = sums_dtype(q.dtype), q.shape[:-1]
    if runs_on_gpu(q):
        out = q.new_empty(*shape, v.shape[-1])
        logsumexp = q.new_empty(shape if keep else (0, 0, 0), dtype=real)
        q, k, v, flat_out, statistics = (
            tensor.contiguous().flatten(0, 1) for tensor in (q, k, v, out, logsumexp)
        )
        grid = q.shape[0] * blocks(q.shape[1], SIDE), slices(v.shape[2])
        numbers = q.shape[0] // max(k.shape[0], 1), causal, as_real(scale, q)
        launch(attention_kernel, grid, (THREADS,), q, k, v, flat_out, statistics, *numbers)
        return out, logsumexp if keep else logsumexp.view(0)
    keys, values = widened(k).flatten(0, 1), widened(v).flatten(0, 1)
    out, logsumexp = attention_cpu.forward(grouped(widened(q), k), keys, values, causal, scale)
    out = rounded(out.view(*shape, v.shape[-1]), q.dtype)
    return out, logsumexp.view(shape) if keep else logsumexp.new_empty(0)


def _fake(q: Tensor, k: Tensor, v: Tensor, causal: bool, scale: float, keep: bool) -> tuple[Tensor, Tensor]:
    logsumexp = q.new_empty(q.shape[:-1] if keep else 0, dtype=sums_dtype(q.dtype))
    return q.new_empty(*q.shape[:-1], v.shape[-1]), logsumexp


def _ledger(
    q: Tensor, k: Tensor, v: Tensor, causal: bool = False, scale: float | None = None, keep: bool = False
) -> Ledger:
    out = imagine(q, *q.shape[:-1], v.shape[-1])
    rows = imagine(q, *q.shape[:-1], dtype=sums_dtype(q.dtype))
    full = imagine(q, *q.shape[:-1], k.shape[-2])
    steps = [
        *score_steps(q, k, causal),
        entry("softmax", (full,), (full,), 5 * full.numel()),
        entry("matmul", (full, v), (out,), 2 * full.numel() * v.shape[-1]),
    ]
    if keep:
        # maximum and sum of exponentials are counted with softmax
        steps.append(entry("logsumexp", (full,), (rows,), 2 * rows.numel()))
    reads = q, kept_keys(k, q, causal), kept_keys(v, q, causal)
    flops = sum(step.flops for step in steps)
    return entry("attention", reads, (out, rows) if keep else (out,), flops, tuple(steps))


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    q, k, v, ctx.causal, ctx.scale, _ = inputs
    out, logsumexp = output
    ctx.mark_non_differentiable(logsumexp)
    ctx.save_for_backward(q, k, v, out, logsumexp)


def _backward(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
    q, k, v, out, logsumexp = ctx.saved_tensors
    need_q, need_k, need_v = ctx.needs_input_grad[:3]
    options = ctx.causal, ctx.scale
    if logsumexp.shape != q.shape[:-1]:  # called as an operator, and not told to keep it
        _, logsumexp = attention_operation(q.detach(), k.detach(), v.detach(), *options, True)
    found = attention_backward_operation(grad, q, k, v, out, logsumexp, *options, need_q, need_k or need_v)
    needs = need_q, need_k, need_v
    return (
        *(gradient if need else None for gradient, need in zip(found, needs, strict=True)),
        None,
        None,
        None,
    )


attention_operation = Operation(
    schema="attention(Tensor q, Tensor k, Tensor v, bool causal, float scale, bool keep) -> (Tensor, Tensor)",
    launcher=_launch,
    fake=_fake,
    reference=reference,
    ledger=_ledger,
    gradient=Gradient(_setup_context, _backward),
    promises=(
        # two blocks of 8 warps: a product of tiles has 16 independent sums a thread to wait with
        Promise(
            attention_kernel,
            (3, 3, 3, 3, sums(2), int, bool, float),
            threads=THREADS,
            load_bytes=16,
            occupancy=0.25,
        ),
    ),
)


def attention(q: Tensor, k: Tensor, v: Tensor, causal: bool = False, scale: float | None = None) -> Tensor:
    """softmax(scale q kᵀ) v for each head, without ever storing the scores.

    q: (batch, heads, time, width), k: (batch, key heads, keys, width), v: (batch, key heads, keys, value width); the
    result is (batch, heads, time, value width) in q's dtype. Each key head serves heads / key heads heads in a row.
    With `causal`, query i sees keys 0 to i, also where there are more keys than queries or fewer, as in torch's
    is_causal. scale None is 1/√width. A query that sees no key gets zeros, as in torch. Gradients flow to q, k and v.

    Raises TypeError for a dtype and ValueError for a shape, device or scale that does not fit.
    Source: arXiv 2307.08691, section 3.1.
    """
    if has_torch_function((q, k, v)):
        return handle_torch_function(attention, (q, k, v), q, k, v, causal, scale)
    for name, tensor in (("q", q), ("k", k), ("v", v)):
        check_input(name, tensor)
    q, k, v = multiplied_under_autocast(q, k, v)
    check_heads(q, k, v)
    keep = torch.is_grad_enabled() and (q.requires_grad or k.requires_grad or v.requires_grad)
    out: Tensor = attention_operation(q, k, v, bool(causal), check_scale(scale, q), keep)[0]
    return out
