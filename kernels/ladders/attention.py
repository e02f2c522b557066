"""Attention of one head, O = softmax(scale Q Kᵀ) V, in three rungs: from scores in memory to scores nobody ever sees.

For n queries and s keys of width w in float32, and what each rung saves (tests hold the bytes to these formulas):

1. *Scores in memory.* Three kernels, as in plain torch: scores, softmax, product. The scores are written, read and
   written by the softmax, and read: 4 (2 n w + 2 s w + 4 n s) bytes. For n = s = 4096, w = 32 that is 270 MB, all but
   2 of them scores.
2. *Streaming.* One kernel, a thread a query. It keeps the largest score m so far, l = Σ exp(score − m) and
   o = Σ exp(score − m) v, and when a score raises m to m′, multiplies both by exp(m − m′). No score is ever stored:
   4 (2 n w + 2 s w) bytes pass through memory. But each warp asks for every key and value anew, number by number:
   2 s w load requests for 32 queries.
3. *Shared tiles.* The threads of a block bring 32 keys and values to shared memory together, side by side, and all of
   them read them there: 2 s w / 32 requests for 64 queries, 64 times fewer.

The next step is kernels/sequences/attention.py: tiles of scores in registers, each number taken from shared memory used
for four scores.

Source: T. Dao et al., FlashAttention, arXiv 2205.14135, section 3.1; M. Milakov, N. Gimelshein, Online normalizer
calculation for softmax, arXiv 1805.02867, algorithm 3.
"""

import math
from typing import Any

import torch
from numpy import float32
from torch import Tensor

from kernels.backend import blocks, cuda, gpu_kernel, launch
from kernels.ladders.rung import Rung

WIDTH = 32  # the widest head: a thread keeps one query and one row of the output in registers
QUERIES = 64  # of a block, a thread each
KEYS = 32  # of a tile in shared memory


@gpu_kernel
def scores_kernel(q, k, scores, scale):
    """A thread a score; neighbors have neighboring keys."""
    key, query = cuda.grid(2)
    if query < q.shape[0] and key < k.shape[0]:
        score = float32(0)
        for column in range(q.shape[1]):
            score += q[query, column] * k[key, column]
        scores[query, key] = score * scale


@gpu_kernel
def softmax_kernel(scores):
    """A thread a row, in place."""
    query = cuda.grid(1)
    if query < scores.shape[0]:
        largest, total = float32(-math.inf), float32(0)
        for key in range(scores.shape[1]):
            largest = max(largest, scores[query, key])
        for key in range(scores.shape[1]):
            total += math.exp(scores[query, key] - largest)
        for key in range(scores.shape[1]):
            scores[query, key] = math.exp(scores[query, key] - largest) / total


@gpu_kernel
def product_kernel(weights, v, out):
    """A thread a number of the output."""
    column, query = cuda.grid(2)
    if query < out.shape[0] and column < out.shape[1]:
        total = float32(0)
        for key in range(v.shape[0]):
            total += weights[query, key] * v[key, column]
        out[query, column] = total


@gpu_kernel
def streaming_kernel(q, k, v, out, scale):
    """A thread a query: one pass over the keys, with what was summed before scaled down whenever the maximum grows."""
    own, sums = cuda.local.array(WIDTH, float32), cuda.local.array(WIDTH, float32)
    query = cuda.grid(1)
    if query < q.shape[0]:
        for column in range(WIDTH):
            own[column] = q[query, column] if column < q.shape[1] else float32(0)
            sums[column] = float32(0)
        largest, total = float32(-math.inf), float32(0)
        for key in range(k.shape[0]):
            score = float32(0)
            for column in range(WIDTH):
                if column < k.shape[1]:
                    score += own[column] * k[key, column]
            before, largest = largest, max(largest, score * scale)
            shrink, weight = math.exp(before - largest), math.exp(score * scale - largest)
            total = total * shrink + weight
            for column in range(WIDTH):
                if column < v.shape[1]:
                    sums[column] = sums[column] * shrink + weight * v[key, column]
        for column in range(WIDTH):
            if column < out.shape[1]:
                out[query, column] = sums[column] / total


@gpu_kernel
def tiled_kernel(q, k, v, out, scale):
    """The same, but keys and values come from shared memory, to which the whole block has brought a tile of them."""
    keys, values = cuda.shared.array((KEYS, WIDTH), float32), cuda.shared.array((KEYS, WIDTH), float32)
    own, sums = cuda.local.array(WIDTH, float32), cuda.local.array(WIDTH, float32)
    query, width = cuda.grid(1), q.shape[1]
    for column in range(WIDTH):
        own[column] = q[query, column] if query < q.shape[0] and column < width else float32(0)
        sums[column] = float32(0)
    largest, total = float32(-math.inf), float32(0)
    for first in range(0, k.shape[0], KEYS):
        for place in range(cuda.threadIdx.x, KEYS * WIDTH, QUERIES):
            key, column = place // WIDTH, place % WIDTH
            inside = first + key < k.shape[0] and column < width
            keys[key, column] = k[first + key, column] if inside else float32(0)
            values[key, column] = v[first + key, column] if inside else float32(0)
        cuda.syncthreads()
        for key in range(min(KEYS, k.shape[0] - first)):
            score = float32(0)
            for column in range(WIDTH):
                score += own[column] * keys[key, column]
            before, largest = largest, max(largest, score * scale)
            shrink, weight = math.exp(before - largest), math.exp(score * scale - largest)
            total = total * shrink + weight
            for column in range(WIDTH):
                sums[column] = sums[column] * shrink + weight * values[key, column]
        cuda.syncthreads()  # before the next tile overwrites this one
    for column in range(WIDTH):
        if query < q.shape[0] and column < width:
            out[query, column] = sums[column] / total


def _thread_a_query(queries: int, keys: int, width: int) -> Any:
    return (blocks(queries, QUERIES),), (QUERIES,)


def _three_launches(queries: int, keys: int, width: int) -> Any:
    """A shape for each of the three kernels."""
    return (
        ((blocks(keys, 32), blocks(queries, 8)), (32, 8)),
        _thread_a_query(queries, keys, width),
        ((blocks(width, 32), blocks(queries, 8)), (32, 8)),
    )


NAIVE = Rung(
    "scores in memory",
    "scores, softmax and product are a kernel each, and hand each other queries × keys numbers through memory",
    (scores_kernel, softmax_kernel, product_kernel),
    _three_launches,
)
STREAMING = Rung(
    "streaming",
    "one kernel keeps a running maximum and scales what it has summed when the maximum grows: no score is ever stored",
    streaming_kernel,
    _thread_a_query,
)
TILED = Rung(
    "shared tiles",
    "a block brings each key and value to shared memory once for all of its queries: 64 times fewer load requests",
    tiled_kernel,
    _thread_a_query,
)
RUNGS = (NAIVE, STREAMING, TILED)


def run(rung: Rung, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """One head's attention by this rung, on a GPU or inside `simt.simulated()`.

    q: (queries, width), k and v: (keys, width), float32 without gaps, width up to 32, one key at least.
    Raises ValueError for a width beyond 32.
    """
    if q.shape[1] > WIDTH:
        raise ValueError(f"q must have a width of at most {WIDTH}, got {q.shape[1]}")
    out, scale = torch.empty_like(q), float32(1 / math.sqrt(q.shape[1]))
    shape: Any = rung.shape(q.shape[0], k.shape[0], q.shape[1])
    if rung is not NAIVE:
        launch(rung.kernel, *shape, q, k, v, out, scale)
        return out
    scores = torch.empty(q.shape[0], k.shape[0], device=q.device)
    arguments = (q, k, scores, scale), (scores,), (scores, v, out)
    for kernel, (grid, block), given in zip(rung.kernel, shape, arguments, strict=True):
        launch(kernel, grid, block, *given)
    return out
