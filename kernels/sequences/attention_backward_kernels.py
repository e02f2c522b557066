"""The GPU kernels of attention's backward pass (attention_backward.py has the formulas).

δ first, a row a warp. Then ∂Q: a block keeps 64 queries and walks over the keys. Then ∂K and ∂V: a block keeps 64
keys and walks over the queries of all heads that share them, with scores that lie the other way, keys down and queries
across. So each sum belongs to one block, which adds it up in one order.
"""

import math

from kernels.backend import cuda, gpu_kernel
from kernels.lanes import WARP, warp_sum
from kernels.loads import load4, real_of
from kernels.products.row_tiles import add_weighted, multiply_rows, put_transposed
from kernels.products.tiles import DEPTH, SIDE, WIDTH, across, clear, down, store_tile
from kernels.sequences.attention_tiles import finite_or_zero, take_four
from kernels.shared import shared_array


@gpu_kernel
def row_products_kernel(a, b, out):  # (rows, width) twice, (rows,)
    """out = rowsum(a ∘ b), a row a warp."""
    row = (cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x) // WARP
    lane, zero = cuda.threadIdx.x % WARP, real_of(a)(0)
    if row < a.shape[0]:
        total = zero
        for column in range(4 * lane, a.shape[1], 4 * WARP):
            a_a, a_b, a_c, a_d = load4(a[row], column, zero)
            b_a, b_b, b_c, b_d = load4(b[row], column, zero)
            total += a_a * b_a + a_b * b_b + a_c * b_c + a_d * b_d
        total = warp_sum(total)
        if lane == 0:
            out[row] = total


@gpu_kernel
def grad_queries_kernel(grad, q, k, v, logsumexp, delta, grad_q, group, causal, scale):
    """grad, q, grad_q: (heads, time, width); k, v: (key heads, keys, width); logsumexp, delta: (heads, time)."""
    real = real_of(q)
    tile, right = shared_array((SIDE, WIDTH), real), shared_array((DEPTH, WIDTH), real)
    left = tile[:DEPTH]
    scores, slopes = cuda.local.array((4, 4), real), cuda.local.array((4, 4), real)
    shift, mean = cuda.local.array(4, real), cuda.local.array(4, real)
    sums = cuda.local.array((4, 4), real)
    clear(sums)
    tiles = (q.shape[1] + SIDE - 1) // SIDE
    head, row, column = cuda.blockIdx.x // tiles, cuda.blockIdx.x % tiles * SIDE, cuda.blockIdx.y * SIDE
    take_four(shift, logsumexp[head], row + down())
    take_four(mean, delta[head], row + down())
    seen = min(k.shape[1], q.shape[1], row + SIDE) if causal else k.shape[1]
    keys, values = k[head // group, :seen], v[head // group, :seen]
    for key in range(0, seen, SIDE):
        multiply_rows(scores, left, right, q[head], keys, row, key)
        multiply_rows(slopes, left, right, grad[head], values, row, key)
        for i in range(4):
            end = min(seen, row + down() + i + 1) if causal else seen
            for j in range(4):
                weight = math.exp(scores[i, j] * scale - finite_or_zero(shift[i]))
                visible = key + across() + j < end
                slopes[i, j] = weight * (slopes[i, j] - mean[i]) * scale if visible else real(0)
        put_transposed(tile, slopes)
        add_weighted(sums, tile, right, keys, key, column)
    store_tile(grad_q[head], row, column, sums)


@gpu_kernel
def grad_keys_kernel(grad, q, k, v, logsumexp, delta, grad_k, grad_v, group, causal, scale):
    """grad, q: (heads, time, width); k, v, grad_k, grad_v: (key heads, keys, width); the others (heads, time)."""
    real = real_of(q)
    tile, right = shared_array((SIDE, WIDTH), real), shared_array((DEPTH, WIDTH), real)
    left = tile[:DEPTH]
    weights, slopes = cuda.local.array((4, 4), real), cuda.local.array((4, 4), real)
    shift, mean = cuda.local.array(4, real), cuda.local.array(4, real)
    sums_k, sums_v = cuda.local.array((4, 4), real), cuda.local.array((4, 4), real)
    clear(sums_k)
    clear(sums_v)
    tiles = (k.shape[1] + SIDE - 1) // SIDE
    key_head, row, column = cuda.blockIdx.x // tiles, cuda.blockIdx.x % tiles * SIDE, cuda.blockIdx.y * SIDE
    seen = min(k.shape[1], q.shape[1]) if causal else k.shape[1]
    keys, values = k[key_head, :seen], v[key_head, :seen]
    for head in range(key_head * group, (key_head + 1) * group):
        for query in range(row if causal else 0, q.shape[1], SIDE):
            multiply_rows(weights, left, right, keys, q[head], row, query)
            take_four(shift, logsumexp[head], query + across())
            take_four(mean, delta[head], query + across())
            for j in range(4):
                place = query + across() + j
                for i in range(4):
                    visible = place < q.shape[1] and (not causal or row + down() + i <= place)
                    score = weights[i, j] * scale - finite_or_zero(shift[j])
                    weights[i, j] = math.exp(score) if visible else real(0)
            put_transposed(tile, weights)
            add_weighted(sums_v, tile, right, grad[head], query, column)
            multiply_rows(slopes, left, right, values, grad[head], row, query)
            for i in range(4):
                for j in range(4):
                    slopes[i, j] = weights[i, j] * (slopes[i, j] - mean[j]) * scale
            put_transposed(tile, slopes)
            add_weighted(sums_k, tile, right, q[head], query, column)
    store_tile(grad_k[key_head], row, column, sums_k)
    store_tile(grad_v[key_head], row, column, sums_v)
