"""Exercise of the hard lesson: 64 threads add up 64 shares, half as many at each step, its lines put in order.

    leave a share → wait → (add what lies `distance` away → wait → halve the distance) until 0 → write shares[0]

A barrier stands wherever a thread is about to read what another has written.

Source: M. Harris, Optimizing Parallel Reduction in CUDA, NVIDIA, 2007, "sequential addressing".
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from kernels.backend import cuda, gpu_kernel
from workbench.exercises.exercise import Exercise
from workbench.exercises.kernel_run import KernelRun
from workbench.exercises.ordering import Ordering

LESSON = "3_fusion/3_hard"
THREADS = 64
ZERO = np.float32(0)
ORDERING = Ordering(
    setup="import numpy as np\nfrom kernels.backend import cuda, gpu_kernel\nTHREADS, ZERO = 64, np.float32(0)",
    head="""\
@gpu_kernel
def row_sum(x, out):  # (rows, width), (rows,): a block of 64 threads for each row
    shares = cuda.shared.array(THREADS, np.float32)
    row, thread, distance, share = cuda.blockIdx.x, cuda.threadIdx.x, THREADS // 2, ZERO
    for column in range(thread, x.shape[1], THREADS):
        share += x[row, column]""",
    lines=(
        "    shares[thread] = share",
        "    cuda.syncthreads()",
        "    while distance > 0:",
        "        if thread < distance:",
        "            shares[thread] += shares[thread + distance]",
        "        cuda.syncthreads()",
        "        distance //= 2",
        "    if thread == 0:",
        "        out[row] = shares[0]",
    ),
)


@gpu_kernel
def row_sum(x, out):  # (rows, width), (rows,)
    """Shares meet in shared memory, half as many at each step, with a barrier before each reading."""
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
    if thread == 0:
        out[row] = shares[0]


@gpu_kernel
def _reads_too_early(x, out):
    """Threads of different warps do not wait for each other by themselves. Between a thread that writes a share and
    another that reads it there must be a barrier: one before the loop, one in each round."""
    shares = cuda.shared.array(THREADS, np.float32)
    row, thread, distance, share = cuda.blockIdx.x, cuda.threadIdx.x, THREADS // 2, ZERO
    for column in range(thread, x.shape[1], THREADS):
        share += x[row, column]
    shares[thread] = share
    while distance > 0:
        if thread < distance:
            shares[thread] += shares[thread + distance]
        cuda.syncthreads()
        distance //= 2
    if thread == 0:
        out[row] = shares[0]


@gpu_kernel
def _halves_first(x, out):
    """The first halving joins share t with share t + 32. Who halves the distance before adding begins with 16, and the
    shares of the upper half are never added."""
    shares = cuda.shared.array(THREADS, np.float32)
    row, thread, distance, share = cuda.blockIdx.x, cuda.threadIdx.x, THREADS // 2, ZERO
    for column in range(thread, x.shape[1], THREADS):
        share += x[row, column]
    shares[thread] = share
    cuda.syncthreads()
    while distance > 0:
        distance //= 2
        if thread < distance:
            shares[thread] += shares[thread + distance]
        cuda.syncthreads()
    if thread == 0:
        out[row] = shares[0]


@gpu_kernel
def _writes_its_own_share(x, out):
    """Before the loop shares[0] is what thread 0 added up alone. The row's sum stands there after the last round."""
    row, share = cuda.blockIdx.x, ZERO
    for column in range(cuda.threadIdx.x, x.shape[1], THREADS):
        share += x[row, column]
    if cuda.threadIdx.x == 0:
        out[row] = share


def _inputs(rng: np.random.Generator) -> dict[str, tuple[Tensor]]:
    def draw(rows: int, width: int) -> tuple[Tensor]:
        return (torch.from_numpy(rng.normal(0, 1, (rows, width))).float(),)

    return {
        "a number a thread": draw(1, THREADS),
        "ragged": draw(2, int(rng.integers(90, 125))),
        "extreme": draw(1, int(rng.integers(33, 64))),  # some threads have nothing to add
    }


ROW_SUM = Exercise(
    name="fusion.row_sum",
    lesson=LESSON,
    title="64 threads add up a row",
    statement="Put the lines in order: 64 threads add up their shares, half as many at each step.",
    signature="row_sum(x, out)",
    solution=row_sum,
    wrong={
        "reads a share before it is sure to be there": _reads_too_early,
        "halves the distance before adding": _halves_first,
        "writes the first thread's share for the sum": _writes_its_own_share,
    },
    inputs=_inputs,
    run=KernelRun(outputs=lambda x: (torch.empty(len(x)),), grid=len, block=THREADS),
    hints=(
        "There are two barriers. Which two readings do they come before?",
        "A share is left, all wait; then each round: the threads below the distance add, all wait, the distance is "
        "halved. After the last round one thread writes.",
        "shares[thread] = share; barrier; while; if; +=; barrier; //= 2; then the two lines that write the result.",
    ),
    tolerance=1e-5,
    ordering=ORDERING,
)
