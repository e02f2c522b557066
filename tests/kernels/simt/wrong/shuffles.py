"""A shuffle hands a register from lane to lane: only lanes that execute it together, and are in its mask, take part."""

import numpy as np
from numba import float32
from wrong.case import any_thread, wrong

from kernels.backend import cuda

ALL = 0xFFFFFFFF


def fifty(rng):
    return rng.random(50, dtype=np.float32), np.zeros(1, np.float32)


def forty_eight(rng):
    return rng.random(48, dtype=np.float32), np.zeros(2, np.float32)


def in_the_last_block(asks, *_):
    return asks.block == 1 and asks.thread < 50 - 32


def lower_half(asks, *_):
    return asks.thread < 16


def upper_half(asks, *_):
    return asks.thread >= 16


def second_warp(asks, *_):
    return 32 <= asks.thread < 48


def one_warp(rng):
    return rng.random(32, dtype=np.float32), np.zeros(32, np.float32)


@cuda.jit
def guarded_load(x, total):
    """The right way with a ragged end: guard the load, not the shuffles."""
    i = cuda.grid(1)
    value = x[i] if i < x.shape[0] else float32(0)
    offset = 16
    while offset > 0:
        value += cuda.shfl_down_sync(ALL, value, offset)
        offset //= 2
    if cuda.laneid == 0:
        cuda.atomic.add(total, 0, value)


@wrong("ShuffleInactiveLane", 2, 32, fifty, in_the_last_block, "lane", fix=guarded_load)
@cuda.jit
def shuffle_behind_the_bounds_check(x, total):
    i = cuda.grid(1)
    if i < x.shape[0]:
        value = x[i]
        offset = 16
        while offset > 0:
            value += cuda.shfl_down_sync(ALL, value, offset)  # <-
            offset //= 2
        if cuda.laneid == 0:
            cuda.atomic.add(total, 0, value)


@wrong("ShuffleInactiveLane", 2, 32, fifty, in_the_last_block, "lane", fix=guarded_load)
@cuda.jit
def shuffle_after_early_return(x, total):
    i = cuda.grid(1)
    if i >= x.shape[0]:
        return
    value = x[i]
    offset = 16
    while offset > 0:
        value += cuda.shfl_down_sync(ALL, value, offset)  # <-
        offset //= 2
    if cuda.laneid == 0:
        cuda.atomic.add(total, 0, value)


@wrong("ShuffleInactiveLane", 1, 32, one_warp, lower_half, "lane")
@cuda.jit
def half_a_warp_asks_the_other(x, out):
    """Lanes 0 … 15 want what lanes 16 … 31 have, which are not there to give it."""
    t = cuda.threadIdx.x
    value = x[t]
    # fix: upper = cuda.shfl_down_sync(ALL, value, 16)
    if t < 16:
        upper = cuda.shfl_down_sync(ALL, value, 16)  # <- fix: pass
        out[t] = value + upper


@wrong("ShuffleInactiveLane", 1, 32, one_warp, upper_half, "mask")
@cuda.jit
def mask_without_the_caller(x, out):
    t = cuda.threadIdx.x
    value = x[t]
    value += cuda.shfl_xor_sync(0x0000FFFF, value, 8)  # <- fix: value += cuda.shfl_xor_sync(ALL, value, 8)
    out[t] = value


@wrong("ShuffleInactiveLane", 1, 48, forty_eight, second_warp, "lane")
@cuda.jit
def block_of_a_warp_and_a_half(x, sums):
    """48 threads are two warps; the second one's upper lanes do not exist."""
    t = cuda.threadIdx.x
    value = x[t]
    offset = 16
    while offset > 0:
        value += cuda.shfl_down_sync(ALL, value, offset)  # <-
        offset //= 2
    if cuda.laneid == 0:
        sums[t // 32] = value


@wrong("ShuffleInactiveLane", 1, 32, one_warp, any_thread, "lane")
@cuda.jit
def lanes_leave_the_loop_one_by_one(x, out):
    t = cuda.threadIdx.x
    value = x[t]
    for _ in range(t // 8 + 1):  # fix: for _ in range(4):
        value = max(value, cuda.shfl_xor_sync(ALL, value, 16))  # <-
    out[t] = value
