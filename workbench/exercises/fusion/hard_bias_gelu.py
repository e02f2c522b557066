"""Exercise of the hard lesson: bias and GELU as one kernel, a thread for each column.

    y = GELU(x + b),   GELU(z) = z/2 · (1 + erf(z/√2))

Threads stand side by side along a row and walk down the rows together: a warp then touches 32 neighboring numbers at a
time, which lie in as few 32-byte sectors as possible, and a thread needs its column's bias only once.

Source: D. Hendrycks, K. Gimpel, Gaussian Error Linear Units, arXiv 1606.08415, section 2.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from kernels.backend import blocks
from workbench.exercises.exercise import Exercise
from workbench.exercises.fusion import mistakes_bias_gelu as mistakes
from workbench.exercises.fusion.fresh.scale_shift_relu_kernel import SCALE_SHIFT_RELU_KERNEL
from workbench.exercises.fusion.mistakes_bias_gelu import bias_gelu_kernel
from workbench.exercises.kernel_run import KernelRun

LESSON = "3_fusion/3_hard"
THREADS, WARP, SECTOR = 64, 32, 32
FLOPS = 16  # of one result, at most: the formula takes five besides erf, and may be written in other ways


def _inputs(rng: np.random.Generator) -> dict[str, tuple[Tensor, Tensor]]:
    def draw(rows: int, width: int, scale: float = 1.0) -> tuple[Tensor, Tensor]:
        x, bias = rng.normal(0, scale, (rows, width)), rng.normal(0, scale, width)
        return torch.from_numpy(x).float(), torch.from_numpy(bias).float()

    return {
        "one number": draw(1, 1),
        "tall": draw(int(rng.integers(40, THREADS)), 3),  # a block has a thread for each row too
        "ragged": draw(5, int(rng.integers(65, 90))),
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
        "Write GELU(z) = z/2 · (1 + erf(z/√2)) of z = x + bias into out; x and out are float32 (rows, width), bias is "
        "(width,). Blocks of 64 threads stand side by side along the columns: cuda.grid(1) is a thread's column, and "
        "the last block may reach beyond the width. Each number of x and bias is read once, each of out written once, "
        "by neighboring threads together. All is calculated in float32: with a bare 0.5 or 1 (float64 and int64) it "
        "becomes float64, so write np.float32(0.5)."
    ),
    signature="bias_gelu_kernel(x, bias, out)",
    solution=bias_gelu_kernel,
    wrong={
        "has no guard at the last column": mistakes.without_guard,
        "takes the bias of the row": mistakes.bias_of_the_row,
        "forgets the bias": mistakes.forgets_bias,
        "adds the bias after GELU": mistakes.bias_after,
        "forgets the root of one half inside erf": mistakes.without_root,
        "takes the approximate GELU": mistakes.approximate,
        "does the first row only": mistakes.one_row_only,
        "loads the bias again in each row": mistakes.reads_bias_each_time,
        "reads x twice": mistakes.reads_x_twice,
        "sends the sum through memory": mistakes.two_passes,
        "calculates in double precision": mistakes.double_precision,
        "gives a thread a row": mistakes.thread_a_row,
        "lets one thread do it all": mistakes.one_thread,
        "lets every thread do it all": mistakes.every_thread,
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
        "each result calculated once": RUN.budget("flops", lambda x, bias: FLOPS * x.numel(), "FLOPs"),
        "single precision": RUN.budget("flops64", lambda x, bias: 0, "FLOPs in double precision"),
    },
    hints=(
        "Which thread does which numbers? Write down the column of a thread, and what it has to do if there is none.",
        "Guard, load the bias once, then a loop over the rows: load, add, GELU, store. What is needed twice is kept in "
        "a variable; constants are np.float32(…).",
        "column = cuda.grid(1); if column < x.shape[1]: shift = bias[column]; then for each row: z = x[row, column] + "
        "shift, and out[row, column] = z/2 · (1 + math.erf(z · √½)), with each constant in float32.",
    ),
    points=3,
    tolerance=1e-5,
    again=SCALE_SHIFT_RELU_KERNEL,
)
