"""A fresh task after `bias_gelu_kernel`: what is left of a normalization and its ReLU, as one kernel.

    y = max(0, a·x + c),   a and c one number per channel

In evaluation mode batch normalization is a fixed scale a = γ/√(σ² + ε) and a fixed shift c = β − a·μ per channel. Where
no convolution stands before it to take them, they can still share a pass over memory with the ReLU that follows. With
channels last, (rows, channels), neighboring threads take neighboring channels, and each keeps its two numbers.

Source: S. Ioffe, C. Szegedy, Batch Normalization, arXiv 1502.03167, algorithm 2.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from kernels.backend import blocks, cuda, gpu_kernel
from workbench.exercises.exercise import Exercise
from workbench.exercises.kernel_run import KernelRun

LESSON = "3_fusion/3_hard"
THREADS, WARP, SECTOR = 64, 32, 32
ZERO = np.float32(0)


@gpu_kernel
def scale_shift_relu_kernel(x, scale, shift, out):  # (rows, width), (width,), (width,), (rows, width)
    """A channel's two numbers stay in registers while its thread walks down the rows."""
    column = cuda.grid(1)
    if column < x.shape[1]:
        factor, offset = scale[column], shift[column]
        for row in range(x.shape[0]):
            out[row, column] = max(ZERO, factor * x[row, column] + offset)


@gpu_kernel
def _shifts_first(x, scale, shift, out):
    """First the scale, then the shift: a·x + c. In a·(x + c) the shift would be scaled as well."""
    column = cuda.grid(1)
    if column < x.shape[1]:
        factor, offset = scale[column], shift[column]
        for row in range(x.shape[0]):
            out[row, column] = max(ZERO, factor * (x[row, column] + offset))


@gpu_kernel
def _clips_before_the_shift(x, scale, shift, out):
    """ReLU comes last. A result below zero shows that something was added after it."""
    column = cuda.grid(1)
    if column < x.shape[1]:
        factor, offset = scale[column], shift[column]
        for row in range(x.shape[0]):
            out[row, column] = max(ZERO, factor * x[row, column]) + offset


@gpu_kernel
def _positive_only(x, scale, shift, out):
    """What is not written stays what it was, and out does not start as zeros: write the zeros of ReLU too."""
    column = cuda.grid(1)
    if column < x.shape[1]:
        factor, offset = scale[column], shift[column]
        for row in range(x.shape[0]):
            z = factor * x[row, column] + offset
            if z > ZERO:
                out[row, column] = z


@gpu_kernel
def _loads_again(x, scale, shift, out):
    """Right, but scale and shift are loaded anew in each row, three loads for one. They do not change on the way."""
    column = cuda.grid(1)
    if column < x.shape[1]:
        for row in range(x.shape[0]):
            out[row, column] = max(ZERO, scale[column] * x[row, column] + shift[column])


@gpu_kernel
def _thread_a_row(x, scale, shift, out):
    """Right, but the lanes of a warp then read numbers that lie a whole row apart, each in a sector of its own."""
    for row in range(cuda.grid(1), x.shape[0], cuda.gridsize(1)):
        for column in range(x.shape[1]):
            out[row, column] = max(ZERO, scale[column] * x[row, column] + shift[column])


@gpu_kernel
def _two_passes(x, scale, shift, out):
    """Right, but what goes into ReLU is written, read and written again: a register could have kept it."""
    column = cuda.grid(1)
    if column < x.shape[1]:
        factor, offset = scale[column], shift[column]
        for row in range(x.shape[0]):
            out[row, column] = factor * x[row, column] + offset
        for row in range(x.shape[0]):
            out[row, column] = max(ZERO, out[row, column])


def _inputs(rng: np.random.Generator) -> dict[str, tuple[Tensor, Tensor, Tensor]]:
    def draw(rows: int, width: int, size: float = 1.0) -> tuple[Tensor, Tensor, Tensor]:
        x, scale, shift = (
            rng.normal(0, size, (rows, width)),
            rng.normal(0, 1, width),
            rng.normal(0, size, width),
        )
        return torch.from_numpy(x).float(), torch.from_numpy(scale).float(), torch.from_numpy(shift).float()

    x, scale, shift = draw(1, 1)
    return {
        "one number": (x.abs(), scale.abs(), shift.abs()),  # the result is above zero
        "small": draw(2, 4),
        "tall": draw(int(rng.integers(65, 80)), 3),
        "ragged": draw(5, int(rng.integers(65, 120))),
        "extreme": draw(3, 64, size=1e4),
    }


def _requests(x: Tensor, scale: Tensor, shift: Tensor) -> float:
    return blocks(x.shape[1], WARP) * (x.shape[0] + 2)  # each warp: every row of x, and scale and shift, once


def _sectors(x: Tensor, scale: Tensor, shift: Tensor) -> float:
    # a request of n bytes lies in n / 32 sectors, or up to two more where it begins in the middle of one
    return (x.nbytes + scale.nbytes + shift.nbytes) / SECTOR + 2 * _requests(x, scale, shift)


RUN = KernelRun(
    outputs=lambda x, *_: (torch.empty_like(x),),
    grid=lambda x, *_: blocks(x.shape[1], THREADS),
    block=THREADS,
)

SCALE_SHIFT_RELU_KERNEL = Exercise(
    name="fusion.scale_shift_relu_kernel",
    lesson=LESSON,
    title="Scale, shift and ReLU in one kernel",
    statement=(
        "Write max(0, scale[column]·x[row, column] + shift[column]) into out[row, column]. x and out are (rows, "
        "width), scale and shift (width,), all float32; any of their numbers may be negative. Blocks of 64 threads "
        "stand side by side along the columns: cuda.grid(1) is a thread's column. Each number is read once, each "
        "result written once, and nothing is calculated in double precision."
    ),
    signature="scale_shift_relu_kernel(x, scale, shift, out)",
    solution=scale_shift_relu_kernel,
    wrong={
        "shifts before it scales": _shifts_first,
        "clips before the shift": _clips_before_the_shift,
        "writes positive results only": _positive_only,
        "loads scale and shift again in each row": _loads_again,
        "gives a thread a row": _thread_a_row,
        "sends the sum through memory": _two_passes,
    },
    inputs=_inputs,
    run=RUN,
    budgets={
        "each number read once": RUN.budget("global_load_requests", _requests, "load requests"),
        "neighbors read together": RUN.budget("global_load_sectors", _sectors, "sectors read"),
        "each result written once": RUN.budget(
            "global_store_requests", lambda x, *_: blocks(x.shape[1], WARP) * x.shape[0], "store requests"
        ),
        "single precision": RUN.budget("flops64", lambda *_: 0, "FLOPs in double precision"),
    },
    hints=(
        "Which numbers are the same in all rows of a column? When does a thread that stays in its column need them?",
        "Guard, two loads, then a loop over the rows: load x, scale, shift, compare with zero, store. The zero is "
        "np.float32(0), made outside the kernel.",
        "column = cuda.grid(1); if column < x.shape[1]: factor = scale[column]; offset = shift[column]; then for each "
        "row: out[row, column] = max(ZERO, factor * x[row, column] + offset).",
    ),
    points=3,
    tolerance=1e-5,
)
