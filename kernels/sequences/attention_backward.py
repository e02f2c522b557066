"""The gradients of attention from tiles of weights that are computed again: with S = scale Q Kᵀ, P = exp(S − logsumexp)
and G the gradient of O = P V,

    ∂V = Pᵀ G,     δ = rowsum(G ∘ O),     ∂S = P ∘ (G Vᵀ − δ),     ∂Q = scale ∂S K,     ∂K = scale ∂Sᵀ Q.

δ is rowsum(P ∘ G Vᵀ), which the softmax's gradient takes off, without a row of P. Two kernels share the work, so that
each sum belongs to one block and is added up there in one order: in one a block keeps 64 queries and walks over the
keys, in the other it keeps 64 keys and walks over the queries of all heads that share them. No atomic additions, the
same bits every time; the price is that scores and G Vᵀ are computed twice, 7 products instead of 5.

Ledger: fused reads G, Q, K, V, O and the logsumexp and writes three gradients; in plain torch some 16 passes over the
time × time scores come to that. FLOPs are those of the formulas above, over the whole matrix of scores.

Source: T. Dao, FlashAttention-2, arXiv 2307.08691, algorithm 2.
"""

import torch
from torch import Tensor

from kernels.arguments import as_real, as_rows, rounded, sums_dtype, widened
from kernels.backend import blocks, launch, runs_on_gpu
from kernels.lanes import WARP
from kernels.ledger import Ledger, entry, imagine
from kernels.op import Operation
from kernels.products.tiles import SIDE, THREADS
from kernels.promises import Promise, sums
from kernels.sequences import attention_cpu
from kernels.sequences.attention_backward_kernels import (
    grad_keys_kernel,
    grad_queries_kernel,
    row_products_kernel,
)
from kernels.sequences.attention_shapes import grouped, kept_keys, score_steps, scores_of
from kernels.sequences.attention_tiles import slices


def reference(
    grad: Tensor,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    out: Tensor,
    logsumexp: Tensor,
    causal: bool,
    scale: float,
    need_q: bool,
    need_kv: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """The same in plain torch; a gradient that is not needed comes back empty."""
    grad_out = grouped(widened(grad), k).flatten(1, 2)  # (batch × key heads, group × time, value width)
    rows, keys, values = (
        grouped(widened(q), k).flatten(1, 2),
        widened(k).flatten(0, 1),
        widened(v).flatten(0, 1),
    )
    weights = (scores_of(q, k, causal, scale) - grouped(logsumexp, k).flatten(1).unsqueeze(-1)).exp()
    delta = (grad_out * grouped(widened(out), k).flatten(1, 2)).sum(-1, keepdim=True)
    slopes = weights * (torch.bmm(grad_out, values.mT) - delta) * scale
    grad_q, grad_k, grad_v = (q.new_empty(0) for _ in range(3))
    if need_q:
        grad_q = rounded(torch.bmm(slopes, keys).view(q.shape), q.dtype)
    if need_kv:
        grad_k = rounded(torch.bmm(slopes.mT, rows).view(k.shape), k.dtype)
        grad_v = rounded(torch.bmm(weights.mT, grad_out).view(v.shape), v.dtype)
    return grad_q, grad_k, grad_v


def _launch(
    grad: Tensor,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    out: Tensor,
    logsumexp: Tensor,
    causal: bool,
    scale: float,
    need_q: bool,
    need_kv: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    if runs_on_gpu(q):
        found = _on_gpu(grad, q, k, v, out, logsumexp, causal, scale, need_q, need_kv)
    else:
        grads, queries, outs, statistics = (grouped(widened(x), k) for x in (grad, q, out, logsumexp))
        keys, values = widened(k).flatten(0, 1), widened(v).flatten(0, 1)
        inputs = grads, queries, keys, values, outs, statistics
        found = attention_cpu.backward(*inputs, causal, scale, need_q, need_kv)
    grad_q, grad_k, grad_v = (
        rounded(gradient.view(x.shape), x.dtype) if need else x.new_empty(0)
        for gradient, x, need in zip(found, (q, k, v), (need_q, need_kv, need_kv), strict=True)
    )
    return grad_q, grad_k, grad_v


def _on_gpu(
    grad: Tensor,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    out: Tensor,
    logsumexp: Tensor,
    causal: bool,
    scale: float,
    need_q: bool,
    need_kv: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    grad, q, k, v, out, logsumexp = (x.contiguous().flatten(0, 1) for x in (grad, q, k, v, out, logsumexp))
    delta = torch.empty_like(logsumexp)
    rows = as_rows(grad), as_rows(out), delta.view(-1)
    launch(row_products_kernel, (blocks(delta.numel(), THREADS // WARP),), (THREADS,), *rows)
    inputs = grad, q, k, v, logsumexp, delta
    numbers = q.shape[0] // max(k.shape[0], 1), causal, as_real(scale, q)
    grad_q, grad_k, grad_v = torch.empty_like(q), torch.empty_like(k), torch.empty_like(v)
    if need_q:
        grid = q.shape[0] * blocks(q.shape[1], SIDE), slices(q.shape[2])
        launch(grad_queries_kernel, grid, (THREADS,), *inputs, grad_q, *numbers)
    if need_kv:
        grid = k.shape[0] * blocks(k.shape[1], SIDE), slices(max(k.shape[2], v.shape[2]))
        launch(grad_keys_kernel, grid, (THREADS,), *inputs, grad_k, grad_v, *numbers)
    return grad_q, grad_k, grad_v


def _fake(
    grad: Tensor,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    out: Tensor,
    logsumexp: Tensor,
    causal: bool,
    scale: float,
    need_q: bool,
    need_kv: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    needs = (q, need_q), (k, need_kv), (v, need_kv)
    grad_q, grad_k, grad_v = (x.new_empty(x.shape if need else 0) for x, need in needs)
    return grad_q, grad_k, grad_v


def _ledger(
    grad: Tensor,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    out: Tensor,
    logsumexp: Tensor,
    causal: bool = False,
    scale: float | None = None,
    need_q: bool = True,
    need_kv: bool = True,
) -> Ledger:
    full = imagine(q, *q.shape[:-1], k.shape[2], dtype=sums_dtype(q.dtype))
    rows, wide = imagine(logsumexp, *logsumexp.shape), imagine(out, *out.shape)
    like_q, like_k, like_v = (imagine(x, *x.shape) for x in (q, k, v))
    n = full.numel()
    steps = [
        *score_steps(q, k, causal),
        entry("sub", (full, rows), (full,), n),
        entry("exp", (full,), (full,), n),
        entry("mul", (grad, out), (wide,), out.numel()),
        entry("sum", (wide,), (rows,), out.numel()),
        entry("matmul", (grad, v), (full,), 2 * n * v.shape[-1]),
        entry("sub", (full, rows), (full,), n),
        entry("mul", (full, full), (full,), n),
        entry("mul", (full,), (full,), n),
    ]
    if need_q:
        steps.append(entry("matmul", (full, k), (like_q,), 2 * n * q.shape[-1]))
    if need_kv:
        steps.append(entry("matmul", (full, q), (like_k,), 2 * n * q.shape[-1]))
        steps.append(entry("matmul", (full, grad), (like_v,), 2 * n * v.shape[-1]))
    reads = grad, q, kept_keys(k, q, causal), kept_keys(v, q, causal), out, logsumexp
    writes = [like_q] * need_q + [like_k, like_v] * need_kv
    return entry("attention_backward", reads, writes, sum(step.flops for step in steps), tuple(steps))


attention_backward_operation = Operation(
    schema="attention_backward(Tensor grad, Tensor q, Tensor k, Tensor v, Tensor out, Tensor logsumexp, bool causal,"
    " float scale, bool need_q, bool need_kv) -> (Tensor, Tensor, Tensor)",
    launcher=_launch,
    fake=_fake,
    reference=reference,
    ledger=_ledger,
    promises=(
        Promise(row_products_kernel, (2, 2, sums(1)), threads=THREADS, load_bytes=16, occupancy=0.75),
        Promise(
            grad_queries_kernel,
            (3, 3, 3, 3, sums(2), sums(2), 3, int, bool, float),
            threads=THREADS,
            load_bytes=16,
            occupancy=0.25,
        ),
        Promise(
            grad_keys_kernel,
            (3, 3, 3, 3, sums(2), sums(2), 3, 3, int, bool, float),
            threads=THREADS,
            load_bytes=16,
            occupancy=0.25,
        ),
    ),
)
