"""A fresh task after `add_rms_norm_kernel`: each row less its own mean, a block of threads for each row.

    out[row, column] = x[row, column] − mean(x[row])

It is the first half of layer normalization. Nobody knows the mean before all have read, so the threads of a block meet
as in RMSNorm: each adds up its own columns, the shares are added up in shared memory, and then all can subtract.

Sources: J. Ba, J. Kiros, G. Hinton, Layer Normalization, arXiv 1607.06450, equation 3; M. Harris, Optimizing Parallel
Reduction in CUDA, NVIDIA, 2007, "sequential addressing".
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from kernels.backend import blocks, cuda, device_function, gpu_kernel
from kernels.lanes import block_sum
from workbench.exercises.exercise import Exercise
from workbench.exercises.kernel_run import KernelRun

LESSON = "3_fusion/3_hard"
THREADS, WARP, SECTOR = 64, 32, 32
ROW_READS = 2  # once for the mean, once to subtract it
MEETINGS = 8  # one for the shares, one after each halving of 64 threads, one to spare
ZERO = np.float32(0)


@gpu_kernel
def center_kernel(x, out):  # both (rows, width)
    """Own columns, then all shares by halving, then the mean goes from each number."""
    shares = cuda.shared.array(THREADS, np.float32)
    row, thread, distance, share = cuda.blockIdx.x, cuda.threadIdx.x, THREADS // 2, ZERO
    for column in range(thread, x.shape[1], THREADS):
        share += x[row, column]
    shares[thread] = share
    cuda.syncthreads()
    while distance > 0:
        if thread < distance:
            shares[thread] += shares[thread + distance]
        cuda.syncthreads()
        distance //= 2
    mean = shares[0] / np.float32(x.shape[1])
    for column in range(thread, x.shape[1], THREADS):
        out[row, column] = x[row, column] - mean


@device_function
def _own_columns(x):
    row, total = cuda.blockIdx.x, ZERO
    for column in range(cuda.threadIdx.x, x.shape[1], THREADS):
        total += x[row, column]
    return total


@device_function
def _subtract(x, mean, out):
    row = cuda.blockIdx.x
    for column in range(cuda.threadIdx.x, x.shape[1], THREADS):
        out[row, column] = x[row, column] - mean


@gpu_kernel
def _without_barrier(x, out):
    """A share may be read once it is written and all threads have passed a barrier since; none may stand in an `if`."""
    shares, thread, distance = cuda.shared.array(THREADS, np.float32), cuda.threadIdx.x, THREADS // 2
    shares[thread] = _own_columns(x)
    while distance > 0:
        if thread < distance:
            shares[thread] += shares[thread + distance]
        cuda.syncthreads()
        distance //= 2
    _subtract(x, shares[0] / np.float32(x.shape[1]), out)


@gpu_kernel
def _divides_by_threads(x, out):
    """There are 64 shares, but each is a sum, of several columns or of none. The mean divides by the row's width."""
    _subtract(x, block_sum(_own_columns(x)) / np.float32(THREADS), out)


@gpu_kernel
def _own_mean(x, out):
    """A thread knows only its own columns. The row's mean needs the sums of all threads, and so a meeting."""
    columns = (x.shape[1] - cuda.threadIdx.x + THREADS - 1) // THREADS
    _subtract(x, _own_columns(x) / np.float32(max(columns, 1)), out)


@gpu_kernel
def _one_column(x, out):
    """A row may be wider than a block. Thread t then has the columns t, t + 64, t + 128 and so on."""
    row, column, share = cuda.blockIdx.x, cuda.threadIdx.x, ZERO
    if column < x.shape[1]:
        share = x[row, column]
    mean = block_sum(share) / np.float32(x.shape[1])
    if column < x.shape[1]:
        out[row, column] = x[row, column] - mean


@gpu_kernel
def _one_thread(x, out):
    """Right, but one thread reads number after number while 63 wait. Neighbors could have come in the same request."""
    row, total = cuda.blockIdx.x, ZERO
    if cuda.threadIdx.x == 0:
        for column in range(x.shape[1]):
            total += x[row, column]
        for column in range(x.shape[1]):
            out[row, column] = x[row, column] - total / np.float32(x.shape[1])


@gpu_kernel
def _double_precision(x, out):
    """Right, but the width is an int, and float32 / int is float64: divide by np.float32(x.shape[1])."""
    _subtract(x, block_sum(_own_columns(x)) / x.shape[1], out)


def _inputs(rng: np.random.Generator) -> dict[str, tuple[Tensor]]:
    def draw(rows: int, width: int, mean: float = 3.0) -> tuple[Tensor]:
        return (torch.from_numpy(rng.normal(mean, 1, (rows, width))).float(),)

    return {
        "narrow": draw(2, int(rng.integers(2, 32))),
        "ragged": draw(2, int(rng.integers(90, 125))),
        "extreme": draw(1, 1, mean=-1e3),  # less its mean a single number is 0
    }


def _requests(x: Tensor) -> float:
    return ROW_READS * x.shape[0] * blocks(x.shape[1], WARP)


def _sectors(x: Tensor) -> float:
    # a request of n bytes lies in n / 32 sectors, or up to two more where it begins in the middle of one
    return ROW_READS * x.nbytes / SECTOR + 2 * _requests(x)


RUN = KernelRun(outputs=lambda x: (torch.empty_like(x),), grid=lambda x: x.shape[0], block=THREADS)

CENTER_KERNEL = Exercise(
    name="fusion.center_kernel",
    lesson=LESSON,
    title="Each row less its mean",
    statement=(
        "Subtract from each number of x the mean of its row, and write the result into out. Both are float32 (rows, "
        "width), and the width may be 1, less than 64 or more. A block of 64 threads has one row: cuda.blockIdx.x. "
        "Each number of x may be read twice, each result is written once. The threads meet at no more than 8 barriers, "
        "without bank conflicts in shared memory, and nothing is calculated in double precision."
    ),
    signature="center_kernel(x, out)",
    solution=center_kernel,
    wrong={
        "does not let all threads wait": _without_barrier,
        "divides by the number of threads": _divides_by_threads,
        "takes the mean of a thread's own columns": _own_mean,
        "gives each thread one column": _one_column,
        "lets one thread do the row": _one_thread,
        "divides in double precision": _double_precision,
    },
    inputs=_inputs,
    run=RUN,
    budgets={
        "a row read twice": RUN.budget("global_load_requests", _requests, "load requests"),
        "neighbors read together": RUN.budget("global_load_sectors", _sectors, "sectors read"),
        "each result written once": RUN.budget(
            "global_store_requests", lambda x: x.shape[0] * blocks(x.shape[1], WARP), "store requests"
        ),
        "few meetings": RUN.budget(
            "barriers", lambda x: MEETINGS * x.shape[0] * THREADS // WARP, "warps at a barrier"
        ),
        "no bank conflicts": RUN.budget("shared_bank_conflicts", lambda x: 0, "bank conflicts"),
        "single precision": RUN.budget("flops64", lambda x: 0, "FLOPs in double precision"),
    },
    hints=(
        "Three parts: add up a thread's own columns, add up what all threads have, subtract. What do threads without a "
        "column contribute, and where must all wait?",
        "Thread t takes the columns t, t + 64, t + 128 and so on. Shares of the sum lie in shared memory and are added "
        "as in RMSNorm, half as many at each step. The mean divides the sum by the width, as a float32.",
        "shares = cuda.shared.array(64, np.float32); shares[thread] = the sum of its columns; barrier; distance = 32; "
        "while distance > 0: if thread < distance: shares[thread] += shares[thread + distance]; barrier; distance //= "
        "2. Then mean = shares[0] / np.float32(x.shape[1]), and a second loop over the same columns writes "
        "x[row, column] - mean.",
    ),
    points=4,
    tolerance=1e-5,
)
