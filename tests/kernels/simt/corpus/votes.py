"""A warp decides together: votes, matches, and any lane's value in any other.

Source: CUDA C++ Programming Guide, "Warp Vote Functions", "Warp Match Functions", "Warp Shuffle Functions".
"""

import numpy as np
from corpus.case import NO_SHUFFLES, NO_VOTES, Case, normal, whole
from numba import float32, int32

from kernels.backend import cuda

EVERYONE = 0xFFFFFFFF


@cuda.jit
def ballot(x, signs, count):
    """The signs of 32 numbers as the bits of one; popc counts them."""
    i = cuda.grid(1)
    votes = cuda.ballot_sync(EVERYONE, i < x.size and x[i] < 0)
    if cuda.laneid == 0:
        signs[i // 32] = votes
        cuda.atomic.add(count, 0, cuda.popc(votes))


@cuda.jit
def any_all_equal(x, low, verdicts):
    """Three questions to a warp, answered in every lane of it."""
    i = cuda.grid(1)
    some = cuda.any_sync(EVERYONE, x[i] < low)
    every = cuda.all_sync(EVERYONE, x[i] < low)
    same = cuda.eq_sync(EVERYONE, x[i] < low)
    verdicts[i] = (4 if some else 0) + (2 if every else 0) + (1 if same else 0)


@cuda.jit
def compact(x, kept, count):
    """Lanes that keep something count those before them; the first takes places for all with one atomic."""
    i = cuda.grid(1)
    keep = i < x.size and x[i] > 0
    keepers = cuda.ballot_sync(EVERYONE, keep)
    start = 0
    if cuda.laneid == 0:
        start = cuda.atomic.add(count, 0, cuda.popc(keepers))
    start = cuda.shfl_sync(EVERYONE, start, 0)
    if keep:
        kept[start + cuda.popc(keepers & cuda.lanemask_lt())] = x[i]


@cuda.jit
def peers(x, masks):
    """Who else holds my number?"""
    i = cuda.grid(1)
    masks[i] = cuda.match_any_sync(EVERYONE, x[i])


@cuda.jit
def uniform(x, masks, agreed):
    """Do all hold the same number?"""
    i = cuda.grid(1)
    mask, same = cuda.match_all_sync(EVERYONE, x[i])
    masks[i] = mask
    agreed[i] = 1 if same else 0


@cuda.jit
def masks_of_branches(x, masks):
    """Lanes that branch apart: each side sees who is on it, where all of a side arrive together."""
    i = cuda.grid(1)
    if x[i] > 0:
        masks[i] = cuda.popc(cuda.match_any_sync(cuda.activemask(), 1))
    else:
        masks[i] = -cuda.popc(cuda.match_any_sync(cuda.activemask(), 1))


@cuda.jit
def butterfly(x, out):
    """Reverses a warp: lane i takes the value of lane 31 - i, then of 31 - i by xor, and compares."""
    i = cuda.grid(1)
    last = cuda.warpsize - 1
    direct = cuda.shfl_sync(EVERYONE, x[i], last - cuda.laneid)
    crossed = cuda.shfl_xor_sync(EVERYONE, x[i], last)
    out[i] = direct if direct == crossed else float32(0)


@cuda.jit
def broadcast_half_warps(x, out):
    """Each half of a warp shuffles with a mask of its own."""
    i = cuda.grid(1)
    lane = cuda.laneid
    if lane < 16:
        out[i] = cuda.shfl_sync(0x0000FFFF, x[i], 3)
    else:
        out[i] = cuda.shfl_sync(0xFFFF0000, x[i], 19)


@cuda.jit
def edges(x, above, below):
    """Beyond the end of the warp there is nobody: the lane keeps its own value."""
    i = cuda.grid(1)
    above[i] = cuda.shfl_down_sync(EVERYONE, x[i], 3)
    below[i] = cuda.shfl_up_sync(EVERYONE, x[i], 5)


@cuda.jit
def neighbors_through_shared(x, out):
    """What a lane writes another may read after syncwarp, though no block barrier follows."""
    scratch = cuda.shared.array(64, int32)
    t = cuda.threadIdx.x
    scratch[t] = x[t]
    cuda.syncwarp()
    right = scratch[t ^ 1]
    cuda.syncwarp(EVERYONE)
    scratch[t] = right + x[t]
    cuda.syncwarp()
    out[t] = scratch[t ^ 2]


def bit_masks(same):
    """(..., 32) of truth to the int32 whose bits they are."""
    return (same << np.arange(32)).sum(-1).astype(np.uint32).view(np.int32)


def warps(x):
    return x.reshape(-1, 32)


def expected_verdicts(x, low, _):
    below = warps(x < low)
    some, every = below.any(1), below.all(1)
    return {2: np.repeat(4 * some + 2 * every + (every | ~some), 32)}


def sides(x, _):
    positive = (warps(x) > 0).sum(1, keepdims=True)
    return {1: np.where(warps(x) > 0, positive, positive - 32).ravel()}


def expected_signs(x, *_):
    negative = np.concatenate([x < 0, np.zeros(-x.size % 32, bool)])
    return {1: bit_masks(warps(negative)), 2: [negative.sum()]}


def case(kernel, arguments, expected, n=64, reason=NO_VOTES, **options):
    """Two warps in a block; `arguments` gets the generator and n."""
    return Case(kernel, (1,), (64,), lambda rng: arguments(rng, n), expected, not_in_numba=reason, **options)


def ints(rng, n, low=-9, high=9, outputs=1):
    return whole(rng, low, high, n), *(np.zeros(n, np.int32) for _ in range(outputs))


def same_in_first_warp(rng, n):
    x, *outputs = ints(rng, n, outputs=2)
    x[:32] = 7
    return x, *outputs


CASES = (
    case(
        ballot,
        lambda rng, n: (normal(rng, n), np.zeros(2, np.int32), np.zeros(1, np.int32)),
        expected_signs,
        61,
    ),
    case(
        any_all_equal,
        lambda rng, n: (whole(rng, 0, 9, n), 9, np.zeros(n, np.int32)),
        expected_verdicts,
        label="all",
    ),
    case(
        any_all_equal,
        lambda rng, n: (whole(rng, 0, 9, n), 5, np.zeros(n, np.int32)),
        expected_verdicts,
        label="some",
    ),
    case(
        any_all_equal,
        lambda rng, n: (whole(rng, 0, 9, n), 0, np.zeros(n, np.int32)),
        expected_verdicts,
        label="none",
    ),
    Case(
        compact,
        (1,),
        (32,),
        lambda rng: (whole(rng, -9, 9, 29), np.zeros(29, np.int32), np.zeros(1, np.int32)),
        lambda x, kept, _: {1: np.concatenate([x[x > 0], kept[(x > 0).sum() :]]), 2: [(x > 0).sum()]},
        not_in_numba=NO_VOTES,
    ),
    case(peers, ints, lambda x, _: {1: bit_masks(warps(x)[:, :, None] == warps(x)[:, None, :]).ravel()}),
    case(
        uniform,
        same_in_first_warp,
        lambda x, *_: {1: np.repeat(np.array([-1, 0], np.int32), 32), 2: np.repeat([1, 0], 32)},
    ),
    case(masks_of_branches, ints, sides),
    case(
        butterfly,
        lambda rng, n: (normal(rng, n), np.zeros(n, np.float32)),
        lambda x, _: {1: warps(x)[:, ::-1].ravel()},
    ),
    case(broadcast_half_warps, ints, lambda x, _: {1: np.repeat(x[[3, 19, 35, 51]], 16)}, reason=NO_SHUFFLES),
    case(
        edges,
        lambda rng, n: ints(rng, n, outputs=2),
        lambda x, *_: {
            1: np.concatenate([warps(x)[:, 3:], warps(x)[:, 29:]], 1).ravel(),
            2: np.concatenate([warps(x)[:, :5], warps(x)[:, :-5]], 1).ravel(),
        },
        reason=NO_SHUFFLES,
    ),
    case(
        neighbors_through_shared,
        ints,
        lambda x, _: {1: (x + x[np.arange(64) ^ 1])[np.arange(64) ^ 2]},
        reason="Numba's simulator has no syncwarp",
    ),
)
