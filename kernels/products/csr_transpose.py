"""The transpose of a matrix in CSR (csr.py): its nonzeros in the order of their columns, rows in order within each.

On the CPU by counting: how many nonzeros each column has says where its own begin, and one walk over the rows drops
every nonzero into its place. On a GPU torch sorts the columns, keeping the order of equal ones, and a kernel fetches
what belongs to each. Both give the same order, so that sums over it have the same bits every time.

Source: F. Gustavson, Two Fast Algorithms for Sparse Matrices: Multiplication and Permuted Transposition, ACM TOMS 4(3),
1978, section 3.
"""

import torch
from torch import Tensor

from kernels.backend import blocks, cuda, gpu_kernel, launch, runs_on_gpu
from kernels.loads import load, store
from kernels.products.csr_product import INDICES
from kernels.promises import Promise
from kernels.twin import twin

THREADS = 256  # of a block; a thread takes a nonzero


@gpu_kernel
def csr_transposed_kernel(order, crow, values, row, transposed):
    """Fetch the nonzeros in their order by column: which row each is in, by bisection, and its value."""
    place = cuda.grid(1)
    if place < order.shape[0]:
        nonzero = order[place]
        low, high = 0, crow.shape[0] - 1  # crow[low] ≤ nonzero < crow[high]
        while high - low > 1:
            middle = (low + high) // 2
            if crow[middle] <= nonzero:
                low = middle
            else:
                high = middle
        row[place] = low
        store(transposed, place, load(values, nonzero))


TRANSPOSING = Promise(
    csr_transposed_kernel, (INDICES, INDICES, 1, INDICES, 1), threads=THREADS, load_bytes=8, occupancy=1.0
)


@twin
def csr_transposed_twin(crow, col, values, starts, row, transposed):
    """starts: zeros, (columns + 2,); becomes crow of the transpose, and one entry more."""
    for place in range(col.shape[0]):
        starts[col[place] + 2] += 1
    for column in range(2, starts.shape[0]):
        starts[column] += starts[column - 1]
    for source in range(crow.shape[0] - 1):
        for place in range(crow[source], crow[source + 1]):
            target = starts[col[place] + 1]  # grows to where the next column begins
            row[target], transposed[target] = source, values[place]
            starts[col[place] + 1] = target + 1


def transposed(crow: Tensor, col: Tensor, values: Tensor, columns: int) -> tuple[Tensor, Tensor, Tensor]:
    """crow, col and values of the transpose, which has `columns` rows; tensors without gaps, checked on the CPU."""
    row, fetched = torch.empty_like(col), torch.empty_like(values)
    if not runs_on_gpu(values):
        starts = crow.new_zeros(columns + 2)
        csr_transposed_twin(crow, col, values, starts, row, fetched, elements=0)  # by one thread
        return starts[:-1], row, fetched
    in_order, order = torch.sort(col, stable=True)
    starts = torch.searchsorted(in_order, torch.arange(columns + 1, dtype=col.dtype, device=col.device))
    grid = (blocks(order.shape[0], THREADS),)
    launch(csr_transposed_kernel, grid, (THREADS,), order, crow, values, row, fetched)
    return starts.to(col.dtype), row, fetched
