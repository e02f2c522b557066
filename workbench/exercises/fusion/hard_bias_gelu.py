"""Exercise of the hard lesson: bias and GELU as one kernel, a thread for each column.

    y = GELU(x + b),   GELU(z) = z/2 · (1 + erf(z/√2))

Threads stand side by side along a row and walk down the rows together: a warp then touches 32 neighboring numbers at a
time, which lie in as few 32-byte sectors as possible, and a thread needs its column's bias only once.

Source: D. Hendrycks, K. Gimpel, Gaussian Error Linear Units, arXiv 1606.08415, section 2.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from kernels.backend import blocks, cuda, device_function, gpu_kernel
from workbench.exercises.exercise import Exercise
from workbench.exercises.kernel_run import KernelRun

LESSON = "3_fusion/3_hard"
THREADS, WARP, SECTOR = 64, 32, 32
HALF, ONE, ROOT_HALF = np.float32(0.5), np.float32(1), np.float32(math.sqrt(0.5))
ROOT = np.float32(math.sqrt(2 / math.pi))


@gpu_kernel
def bias_gelu_kernel(x, bias, out):  # (rows, width), (width,), (rows, width)
    """The bias stays in a register while the thread walks down its column; constants are float32."""
    column = cuda.grid(1)
    if column < x.shape[1]:
        shift = bias[column]
        for row in range(x.shape[0]):
            z = x[row, column] + shift
            out[row, column] = HALF * z * (ONE + math.erf(ROOT_HALF * z))


@device_function
def _gelu(z):
    return HALF * z * (ONE + math.erf(ROOT_HALF * z))


@gpu_kernel
def _without_guard(x, bias, out):
    """Blocks are whole: the last one has threads beyond the last column, and they must do nothing."""
    column = cuda.grid(1)
    shift = bias[column]
    for row in range(x.shape[0]):
        out[row, column] = _gelu(x[row, column] + shift)


@gpu_kernel
def _bias_of_the_row(x, bias, out):
    """A bias belongs to a column (a feature), not to a row (an example)."""
    column = cuda.grid(1)
    if column < x.shape[1]:
        for row in range(x.shape[0]):
            out[row, column] = _gelu(x[row, column] + bias[row])


@gpu_kernel
def _bias_after(x, bias, out):
    """The bias belongs inside: GELU(x + b). GELU bends, so GELU(x) + b is another function."""
    column = cuda.grid(1)
    if column < x.shape[1]:
        shift = bias[column]
        for row in range(x.shape[0]):
            out[row, column] = _gelu(x[row, column]) + shift


@gpu_kernel
def _approximate(x, bias, out):
    """That is the approximation with tanh, up to 0.0005 off. The task asks for the one with erf."""
    column = cuda.grid(1)
    if column < x.shape[1]:
        shift = bias[column]
        for row in range(x.shape[0]):
            z = x[row, column] + shift
            inner = ROOT * (z + np.float32(0.044715) * z * z * z)
            out[row, column] = HALF * z * (ONE + math.tanh(inner))


@gpu_kernel
def _one_row_only(x, bias, out):
    """The grid has a thread for each column, not for each number: a thread has all rows of its column to do."""
    column = cuda.grid(1)
    if column < x.shape[1]:
        out[0, column] = _gelu(x[0, column] + bias[column])


@gpu_kernel
def _reads_bias_each_time(x, bias, out):
    """Right, but the bias is loaded again in each row. Load it once before the loop: a register keeps it."""
    column = cuda.grid(1)
    if column < x.shape[1]:
        for row in range(x.shape[0]):
            out[row, column] = _gelu(x[row, column] + bias[column])


@gpu_kernel
def _two_passes(x, bias, out):
    """Right, but the sum goes to memory and comes back: two operations in one kernel, not fused at all."""
    column = cuda.grid(1)
    if column < x.shape[1]:
        shift = bias[column]
        for row in range(x.shape[0]):
            out[row, column] = x[row, column] + shift
        for row in range(x.shape[0]):
            out[row, column] = _gelu(out[row, column])


@gpu_kernel
def _double_precision(x, bias, out):
    """Right, but a bare 0.5 is float64, and so is all that it touches, which a GPU is slow at: np.float32(0.5)."""
    column = cuda.grid(1)
    if column < x.shape[1]:
        shift = bias[column]
        for row in range(x.shape[0]):
            z = x[row, column] + shift
            out[row, column] = 0.5 * z * (1.0 + math.erf(z / math.sqrt(2.0)))


@gpu_kernel
def _thread_a_row(x, bias, out):
    """Right, but the lanes of a warp stand in different rows, far apart: each touches a sector of its own."""
    for row in range(cuda.grid(1), x.shape[0], cuda.gridsize(1)):
        for column in range(x.shape[1]):
            out[row, column] = _gelu(x[row, column] + bias[column])


def _inputs(rng: np.random.Generator) -> dict[str, tuple[Tensor, Tensor]]:
    def draw(rows: int, width: int, scale: float = 1.0) -> tuple[Tensor, Tensor]:
        x, bias = rng.normal(0, scale, (rows, width)), rng.normal(0, scale, width)
        return torch.from_numpy(x).float(), torch.from_numpy(bias).float()

    return {
        "one number": draw(1, 1),
        "tall": draw(int(rng.integers(65, 80)), 3),
        "ragged": draw(5, int(rng.integers(65, 120))),
        "extreme": draw(3, 64, scale=100.0),
    }


def _requests(x: Tensor, bias: Tensor) -> float:
    return blocks(x.shape[1], WARP) * (x.shape[0] + 1)  # each warp: every row of x, and the bias, once


def _sectors(x: Tensor, bias: Tensor) -> float:
    # a request of n bytes lies in n / 32 sectors, or up to two more where it begins in the middle of one
    return (x.nbytes + bias.nbytes) / SECTOR + 2 * _requests(x, bias)


RUN = KernelRun(
    outputs=lambda x, bias: (torch.empty_like(x),),
    grid=lambda x, bias: blocks(x.shape[1], THREADS),
    block=THREADS,
)

BIAS_GELU_KERNEL = Exercise(
    name="fusion.bias_gelu_kernel",
    lesson=LESSON,
    title="Bias and GELU in one kernel",
    statement=(
        "Write GELU(x + bias), with erf, into out; x and out are float32 (rows, width), bias is (width,). Blocks of 64 "
        "threads stand side by side along the columns: cuda.grid(1) is a thread's column. Each number is read once."
    ),
    signature="bias_gelu_kernel(x, bias, out)",
    solution=bias_gelu_kernel,
    wrong={
        "has no guard at the last column": _without_guard,
        "takes the bias of the row": _bias_of_the_row,
        "adds the bias after GELU": _bias_after,
        "takes the approximate GELU": _approximate,
        "does the first row only": _one_row_only,
        "loads the bias again in each row": _reads_bias_each_time,
        "sends the sum through memory": _two_passes,
        "calculates in double precision": _double_precision,
        "gives a thread a row": _thread_a_row,
    },
    inputs=_inputs,
    run=RUN,
    budgets={
        "each number read once": RUN.budget("global_load_requests", _requests, "load requests"),
        "neighbors read together": RUN.budget("global_load_sectors", _sectors, "sectors read"),
        "each result written once": RUN.budget(
            "global_store_requests",
            lambda x, bias: blocks(x.shape[1], WARP) * x.shape[0],
            "store requests",
        ),
        "single precision": RUN.budget("flops64", lambda x, bias: 0, "FLOPs in double precision"),
    },
    hints=(
        "Which thread does which numbers? Write down the column of a thread, and what it has to do if there is none.",
        "Guard, load the bias once, then a loop over the rows: load, add, GELU, store. Constants as np.float32(…).",
        "column = cuda.grid(1); if column < x.shape[1]: shift = bias[column]; then for each row: z = x[row, column] + "
        "shift, and out[row, column] = z/2 · (1 + math.erf(z · √½)), with each constant in float32.",
    ),
    points=3,
    tolerance=1e-5,
)
