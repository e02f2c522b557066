"""Exercise of the hard lesson: a residual added and the sum normalized in one kernel, a block of threads for each row.

    s = x + residual,   y = w · s / √(mean(s²) + ε),   both kept

The mean needs the whole row, so the threads of a block have to meet: each adds up the squares of its own columns, then
they add up their shares in shared memory, half as many at each step, with a barrier between the steps. What was
written by a thread itself it may read again without one.

Sources: B. Zhang, R. Sennrich, Root Mean Square Layer Normalization, arXiv 1910.07467, equation 4; M. Harris,
Optimizing Parallel Reduction in CUDA, NVIDIA, 2007, "sequential addressing".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from operator import itemgetter
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kernels.backend import blocks
from workbench.exercises.exercise import Budget, Exercise
from workbench.exercises.fusion import mistakes_add_rms_norm as mistakes
from workbench.exercises.fusion import mistakes_block_sum as meeting
from workbench.exercises.fusion.fresh.center_kernel import CENTER_KERNEL
from workbench.exercises.fusion.mistakes_add_rms_norm import THREADS, add_rms_norm_kernel
from workbench.exercises.kernel_run import KernelRun

LESSON = "3_fusion/3_hard"
WARP, SECTOR = 32, 32
ROW_READS = 4  # x, residual and weight, and the sum once more
MEETINGS = 8  # one for the shares, one after each halving of 64 threads, one to spare
SHARED_READS = 40  # by a warp at once; the halving takes 14, one share after another 64 or more

Inputs = tuple[Tensor, Tensor, Tensor, np.float32]


def _inputs(rng: np.random.Generator) -> dict[str, Inputs]:
    def draw(rows: int, width: int, scale: float = 1.0) -> Inputs:
        shapes = (rows, width), (rows, width), (width,)
        x, residual, weight = (torch.from_numpy(rng.normal(0, 1, shape)).float() for shape in shapes)
        return scale * x, scale * residual, weight, np.float32(rng.choice([1e-6, 1e-5]))

    return {
        "narrow": draw(2, int(rng.integers(2, 32))),
        "ragged": draw(2, int(rng.integers(90, 125))),
        "extreme": draw(1, 64, scale=1e-3),  # so small that ε decides
    }


RUN = KernelRun(
    outputs=lambda x, *_: (torch.empty_like(x), torch.empty_like(x)),
    grid=lambda x, *_: x.shape[0],
    block=THREADS,
)


def _spent(kernel: Callable[..., Any], x: Tensor, *others: Any) -> dict[str, float]:
    """What the kernel costs for each row."""
    counters = asdict(RUN.counters(kernel, x, *others))
    counters["barriers"] *= WARP / THREADS  # it counts warps
    return {name: count / x.shape[0] for name, count in counters.items()}


def _a_row(counter: str, limit: Callable[..., float], unit: str) -> Budget:
    return Budget(_spent, limit, f"{unit} a row", itemgetter(counter))


def _requests(x: Tensor, *_: Any) -> float:
    return ROW_READS * blocks(x.shape[1], WARP)


def _sectors(x: Tensor, *_: Any) -> float:
    # a request of n bytes lies in n / 32 sectors, or up to two more where it begins in the middle of one
    return ROW_READS * x[0].nbytes / SECTOR + 2 * _requests(x)


ADD_RMS_NORM_KERNEL = Exercise(
    name="fusion.add_rms_norm_kernel",
    lesson=LESSON,
    title="Add and normalize in one kernel",
    statement=(
        "Write x + residual into summed, and weight · summed / √(mean of summed² + eps) into normed, with the mean of "
        "each row. All are float32; weight is (width,), the others are (rows, width), eps is a number. A block of 64 "
        "threads has one row: cuda.blockIdx.x; the width may be any. x and residual are read once, the sum is read "
        "again at most once, neighbors together. The threads of a block meet at no more than 8 barriers; shared memory "
        "is read about twice for each halving of the threads, without bank conflicts. All is calculated in float32: "
        "shares[0] / x.shape[1] would be float64, so write np.float32(x.shape[1])."
    ),
    signature="add_rms_norm_kernel(x, residual, weight, eps, normed, summed)",
    solution=add_rms_norm_kernel,
    wrong={
        "leaves out a barrier": meeting.without_barrier,
        "puts a barrier where only some threads pass": meeting.barrier_for_some,
        "returns before a barrier": mistakes.returns_early,
        "sums one warp only": meeting.one_warp,
        "adds eps outside the root": mistakes.eps_outside,
        "forgets eps": mistakes.forgets_eps,
        "forgets the mean": mistakes.without_mean,
        "divides by 64 instead of the width": mistakes.divides_by_threads,
        "forgets the weight": mistakes.forgets_weight,
        "normalizes x instead of the sum": mistakes.normalizes_x,
        "keeps the sum to itself": mistakes.sum_unwritten,
        "adds x and residual again": mistakes.adds_again,
        "lets one thread do the row": mistakes.one_thread,
        "gives each thread neighboring columns": mistakes.neighboring_columns,
        "lets every thread add up all shares": meeting.all_add_all,
        "lets one thread add up all shares": meeting.one_adds_all,
        "pairs threads so that banks collide": meeting.colliding_banks,
        "meets again for every stretch of columns": mistakes.many_barriers,
        "calculates in double precision": mistakes.double_precision,
    },
    inputs=_inputs,
    run=RUN,
    budgets={
        "a row read once": _a_row("global_load_requests", _requests, "load requests"),
        "neighbors read together": _a_row("global_load_sectors", _sectors, "sectors read"),
        "each result written once": _a_row(
            "global_store_requests", lambda x, *_: 2 * blocks(x.shape[1], WARP), "store requests"
        ),
        "few meetings": _a_row("barriers", lambda *_: MEETINGS, "barriers"),
        "few reads of shared memory": _a_row(
            "shared_load_wavefronts", lambda *_: SHARED_READS, "reads of shared memory by a warp"
        ),
        "no bank conflicts": _a_row("shared_bank_conflicts", lambda *_: 0, "bank conflicts"),
        "single precision": _a_row("flops64", lambda *_: 0, "FLOPs in double precision"),
    },
    hints=(
        "Three parts: add, keep and square; add up the squares of all threads; normalize. The middle one needs "
        "shares = cuda.shared.array(64, np.float32) and cuda.syncthreads(). Where are barriers needed?",
        "Each thread leaves its share in shared memory. With a distance of 32, 16, … 1, threads below it add what "
        "lies that far away, and all threads wait at a barrier.",
        "shares[thread] = squares; barrier; while distance > 0: if thread < distance: shares[thread] += "
        "shares[thread + distance]; barrier; distance //= 2. Then np.float32(1) / the root of shares[0] / "
        "np.float32(width) + eps, and a second loop that reads summed.",
    ),
    points=4,
    tolerance=1e-5,
    again=CENTER_KERNEL,
)
