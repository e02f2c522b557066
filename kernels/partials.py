"""The second round of a sum over rows: from each block's share to the total.

The gradient of a bias or a weight is a sum over all rows. No block sees them all, and blocks that add to one number
atomically would add in another order every time. So each leaves its share, a row of `partial`, and these few rows are
added up here, always in the same order: the same bits every time.
"""

import torch
from torch import Tensor

from kernels.arguments import rounded
from kernels.backend import blocks, cuda, gpu_kernel, launch, runs_on_gpu
from kernels.loads import load4, real_of, store4
from kernels.promises import Promise, sums

ACROSS, DOWN = 32, 16  # threads of a block: 128 columns side by side, every 16th share each
COLUMNS = 4 * ACROSS  # a shape in shared memory must be a plain number


@gpu_kernel
def sum_over_rows_kernel(partial, out):  # (shares, width), (width,)
    """A thread adds up every 16th share of its four columns; then the threads of each column meet in shared memory."""
    meeting = cuda.shared.array((DOWN, COLUMNS), partial.dtype)
    across, down = cuda.threadIdx.x, cuda.threadIdx.y
    column, zero = 4 * (cuda.blockIdx.x * ACROSS + across), real_of(partial)(0)
    a, b, c, d = zero, zero, zero, zero
    if column < partial.shape[1]:
        for share in range(down, partial.shape[0], DOWN):
            more_a, more_b, more_c, more_d = load4(partial[share], column, zero)
            a, b, c, d = a + more_a, b + more_b, c + more_c, d + more_d
    # the columns of one thread lie apart here, so that a warp's threads write side by side
    meeting[down, across], meeting[down, across + ACROSS] = a, b
    meeting[down, across + 2 * ACROSS], meeting[down, across + 3 * ACROSS] = c, d
    half = DOWN // 2
    while half > 0:
        cuda.syncthreads()
        if down < half:
            for part in range(4):
                place = across + part * ACROSS
                meeting[down, place] += meeting[down + half, place]
        half //= 2
    if down == 0 and column < partial.shape[1]:
        a, b = meeting[0, across], meeting[0, across + ACROSS]
        c, d = meeting[0, across + 2 * ACROSS], meeting[0, across + 3 * ACROSS]
        store4(out, column, a, b, c, d)


SUMMING = Promise(sum_over_rows_kernel, (sums(2), 1), threads=ACROSS * DOWN, load_bytes=16, occupancy=0.75)


def sum_over_rows(partial: Tensor, dtype: torch.dtype) -> Tensor:
    """partial, (shares, width) in the dtype of sums, added up over its shares: (width,) in `dtype`."""
    if not runs_on_gpu(partial):
        return rounded(partial.sum(0), dtype)
    out = torch.empty(partial.shape[1], dtype=dtype, device=partial.device)
    launch(sum_over_rows_kernel, (blocks(partial.shape[1], COLUMNS),), (ACROSS, DOWN), partial, out)
    return out
