"""What attention holds in memory: all its scores, or one tile of them at a time. By formula, and measured.

With h heads, t tokens, width d and s bytes a number, q, k, v and the output take 4 h t d s bytes whatever one does.
The naive way holds two matrices beside them, since softmax reads the scores while it writes the weights:

    2 h t² s      the same as q, k, v and the output at t = 2d, and ever more beyond

`kernels.attention` holds one tile of scores, whose size has nothing to do with t, and for its queries the largest score
so far, the sum of exponentials and the output: from them each tile's share can be put right afterwards. Torch's own
`scaled_dot_product_attention` works in the same manner.

Source: T. Dao et al., FlashAttention, arXiv 2205.14135, section 3.1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import psutil
import torch
from torch import Tensor

import kernels
from kernels.sequences.attention_cpu import KEYS, QUERIES
from workbench.profiling.memory import peak_bytes

HEADS, WIDTH, NUMBER = 4, 64, 4  # of one sequence; bytes of a float32
LENGTHS = tuple(2**power for power in range(4, 16))
NAIVE, STREAMING = "naive", "streaming"
INPUTS = "q, k, v and the output"  # the part that both ways have


def naive_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """softmax(q kᵀ / √width) v, line by line; shapes as of `kernels.attention`."""
    scores = (q @ k.mT).div_(math.sqrt(q.shape[-1]))  # (batch, heads, time, time)
    weights = scores.softmax(-1)  # (batch, heads, time, time): both matrices are held
    return weights @ v  # (batch, heads, time, width)


WAYS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    NAIVE: naive_attention,
    STREAMING: kernels.attention,
}


def held(way: str, length: int) -> dict[str, int]:
    """Bytes of each part of what is held at most, by formula; `way` is "naive" or "streaming".

    The parts of the streaming way are those of the CPU's tiles; what it keeps for a moment from one block of queries to
    the next (some 0.1 MB) is left out.
    """
    rows = HEADS * length
    parts = {INPUTS: 4 * rows * WIDTH * NUMBER}
    if way == NAIVE:
        return parts | {"scores": rows * length * NUMBER, "weights": rows * length * NUMBER}
    if way != STREAMING:
        raise ValueError(f"way: expected one of {', '.join(WAYS)}, got {way!r}")
    queries, keys = tile(length)
    running = 2 * HEADS * queries * (WIDTH + 1)  # scaled queries and o, m and l
    return parts | {
        "one tile of scores": HEADS * queries * keys * NUMBER,
        "running m, l and o of its queries; m + ln l of all": (running + rows) * NUMBER,
    }


def tile(length: int) -> tuple[int, int]:
    """Queries and keys of a tile."""
    return min(QUERIES, length), min(KEYS, length)


def tiles(length: int) -> tuple[int, int]:
    """How many tiles stand below and beside each other in the whole matrix."""
    queries, keys = tile(length)
    return math.ceil(length / queries), math.ceil(length / keys)


@dataclass(frozen=True)
class Peaks:
    """The most bytes held at a time in a call, its inputs among them, and the memory of the machine."""

    bytes: dict[tuple[str, int], int]  # by way and length
    memory: int

    def __post_init__(self) -> None:
        wrong = [key for key, value in self.bytes.items() if key[0] not in WAYS or value <= 0]
        if wrong or self.memory <= 0:
            raise ValueError(
                f"bytes, memory: expected ways of {', '.join(WAYS)} and figures above 0, got {self}"
            )


def measure_attention(lengths: Sequence[int] = (128, 256, 512, 1024, 2048, 4096)) -> Peaks:
    """Measures both ways on this machine's CPU, in some seconds; a length of 4096 takes half a gigabyte.

    Raises ValueError for a length below 1.
    """
    if any(length < 1 for length in lengths):
        raise ValueError(f"lengths: expected numbers of at least 1, got {tuple(lengths)}")
    found = {}
    for length in lengths:
        q = torch.ones(1, HEADS, length, WIDTH)  # (batch, heads, time, width)
        inputs = q, q.clone(), q.clone()
        for way, attention in WAYS.items():
            with torch.no_grad():
                found[way, length] = 3 * q.nbytes + peak_bytes(partial(attention, *inputs))
    return Peaks(found, psutil.virtual_memory().total)
