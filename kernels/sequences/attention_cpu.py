"""Attention on the CPU: block by block, with the products in torch and everything between them in a twin.

A block is some queries beside some keys. Its scores are a matrix product, which the CPU's own library does best; what
plain torch does in five passes over memory (scale, mask, maximum, exp and sum, division) is one pass here over scores
that are still in cache. A block's scores are overwritten by the next one's, so the memory taken beyond inputs and
outputs is that of one block (two in the backward pass), whatever the number of queries and keys.

The queries of the heads that share a key head are rows of one matrix: (heads, group, time, width) in, and in a block
(heads, group × queries, width). `heads` counts the key heads of all sequences of the batch.

Source: T. Dao, FlashAttention-2, arXiv 2307.08691, algorithms 1 and 2.
"""

import math
from collections.abc import Iterator

import torch
from numba import prange
from torch import Tensor

from kernels.fastmath import exp
from kernels.row_max import row_max
from kernels.twin import jitable, twin

QUERIES, KEYS = 128, 512  # of a block
SCORES = 1 << 19  # about as many at once, of several heads: 2 MB in float32, which stay in cache


@jitable
def keys_seen(row, first_query, queries, first_key, keys, causal):
    """How many of a block's keys its row may see: with `causal`, a query sees keys up to its own place."""
    if not causal:
        return keys
    return max(0, min(keys, first_query + row % queries + 1 - first_key))


@jitable
def finite_or_zero(peak):
    """What to subtract from scores of which this is the largest: where all are −∞, nothing, so that exp gives 0."""
    return peak if peak > -math.inf else type(peak)(0)


@twin
def online_softmax_twin(scores, sums, largest, total, first_query, queries, first_key, causal):
    """scores (rows, keys) become weights exp(score − largest so far); what was summed before is scaled to match."""
    real = scores.dtype.type
    for row in prange(scores.shape[0]):
        seen = keys_seen(row, first_query, queries, first_key, scores.shape[1], causal)
        peak, weights = max(largest[row], row_max(scores[row, :seen])), real(0)
        shift = finite_or_zero(peak)
        for key in range(seen):
            scores[row, key] = exp(scores[row, key] - shift)
            weights += scores[row, key]
        for key in range(seen, scores.shape[1]):
            scores[row, key] = 0
        shrink = exp(largest[row] - shift)
        largest[row], total[row] = peak, total[row] * shrink + weights
        for column in range(sums.shape[1]):
            sums[row, column] *= shrink


@twin
def slopes_twin(scores, slopes, logsumexp, delta, first_query, queries, first_key, causal):
    """scores (rows, keys) become weights; slopes, the gradients of the weights, become those of the scores."""
    for row in prange(scores.shape[0]):
        seen = keys_seen(row, first_query, queries, first_key, scores.shape[1], causal)
        shift = finite_or_zero(logsumexp[row])
        for key in range(seen):
            scores[row, key] = exp(scores[row, key] - shift)
        for key in range(seen):
            slopes[row, key] = scores[row, key] * (slopes[row, key] - delta[row])
        for key in range(seen, scores.shape[1]):
            scores[row, key] = slopes[row, key] = 0


def forward(
    q: Tensor, k: Tensor, v: Tensor, causal: bool, scale: float, queries: int = QUERIES, keys: int = KEYS
) -> tuple[Tensor, Tensor]:
    """q: (heads, group, time, width), k: (heads, keys, width), v: (heads, keys, value width).

    Gives the output, (heads, group, time, value width), and the logsumexp, (heads, group, time). `queries` (of
    all heads of a group) and `keys` are the size of a block; results depend on it by roundings only.
    """
    _, group, time, _ = q.shape
    out, logsumexp = q.new_empty(*q.shape[:-1], v.shape[-1]), q.new_empty(q.shape[:-1])
    scratch = _Scratch(q, min(queries, group * time), min(keys, k.shape[1]))
    for heads, rows in scratch.blocks(q.shape[0], time):
        block = q[heads, :, rows].mul(scale).flatten(1, 2)  # (heads, group × queries, width)
        sums = v.new_zeros(*block.shape[:-1], v.shape[-1])
        largest, total = q.new_full(block.shape[:-1], -math.inf), q.new_zeros(block.shape[:-1])
        for columns in _slices(min(k.shape[1], rows.stop) if causal else k.shape[1], keys):
            scores = scratch.product(block, k[heads, columns].mT)
            arrays = scores.flatten(0, 1), sums.flatten(0, 1), largest.view(-1), total.view(-1)
            online_softmax_twin(*arrays, rows.start, rows.stop - rows.start, columns.start, causal)
            sums.baddbmm_(scores, v[heads, columns])
        # a total is at least 1, or 0 where there was no key to see: such a query has 0, as in torch, not 0/0
        total.clamp_(min=0.5)
        shape = (block.shape[0], group, rows.stop - rows.start)
        out[heads, :, rows] = sums.div_(total.unsqueeze(-1)).view(*shape, v.shape[-1])
        logsumexp[heads, :, rows] = total.log_().add_(largest).view(shape)
    return out, logsumexp


def backward(
    grad: Tensor,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    out: Tensor,
    logsumexp: Tensor,
    causal: bool,
    scale: float,
    need_q: bool = True,
    need_kv: bool = True,
    queries: int = QUERIES,
    keys: int = KEYS,
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of q, k and v, shapes as in `forward`; one that is not needed is zeros or unwritten."""
    _, group, time, _ = q.shape
    delta = (grad * out).sum(-1)  # (heads, group, time)
    grad_q, grad_k, grad_v = torch.empty_like(q), torch.zeros_like(k), torch.zeros_like(v)
    weighing, sloping = (_Scratch(q, min(queries, group * time), min(keys, k.shape[1])) for _ in range(2))
    for heads, rows in weighing.blocks(q.shape[0], time):
        block = q[heads, :, rows].mul(scale).flatten(1, 2)  # (heads, group × queries, width)
        grad_out = grad[heads, :, rows].flatten(1, 2)
        statistics = logsumexp[heads, :, rows].flatten(), delta[heads, :, rows].flatten()
        sums = torch.zeros_like(block)
        for columns in _slices(min(k.shape[1], rows.stop) if causal else k.shape[1], keys):
            weights = weighing.product(block, k[heads, columns].mT)
            slopes = sloping.product(grad_out, v[heads, columns].mT)
            place = rows.start, rows.stop - rows.start, columns.start, causal
            slopes_twin(weights.flatten(0, 1), slopes.flatten(0, 1), *statistics, *place)
            if need_q:
                sums.baddbmm_(slopes, k[heads, columns])
            if need_kv:
                grad_k[heads, columns].baddbmm_(slopes.mT, block)
                grad_v[heads, columns].baddbmm_(weights.mT, grad_out)
        grad_q[heads, :, rows] = sums.mul_(scale).view_as(q[heads, :, rows])
    return grad_q, grad_k, grad_v


class _Scratch:
    """Room for the scores of a block, used again by every block."""

    def __init__(self, q: Tensor, queries: int, keys: int) -> None:
        # of each head of a group, whose rows stand together
        self.queries = max(1, queries // max(1, q.shape[1]))
        rows = q.shape[1] * self.queries
        self.heads = max(1, min(q.shape[0], SCORES // max(1, rows * keys)))
        self.room = q.new_empty(self.heads * rows * keys)

    def blocks(self, heads: int, time: int) -> Iterator[tuple[slice, slice]]:
        """The heads and the queries of each block."""
        for some in _slices(heads, self.heads):
            for rows in _slices(time, self.queries):
                yield some, rows

    def product(self, a: Tensor, b: Tensor) -> Tensor:
        """The products a b of matrices, written here."""
        shape = (a.shape[0], a.shape[1], b.shape[2])
        return torch.bmm(a, b, out=self.room[: math.prod(shape)].view(shape))


def _slices(length: int, step: int) -> Iterator[slice]:
    """`length` cut into pieces of `step`, the last one shorter."""
    return (slice(start, min(start + step, length)) for start in range(0, length, max(step, 1)))
