"""A sparse matrix times a dense one: y[r] = Σₖ values[k] · dense[col[k]], k over the nonzeros of row r (csr.py).

Every nonzero brings in a whole row of `dense`, so the columns of a result are what lies side by side: a thread or a
vector register keeps some of them from the first nonzero of a row to the last, and writes them once. With a single
column there is nothing to lie side by side, and the nonzeros themselves are shared out. Rows are shared out over CPU
threads by their nonzeros, not by their number.

Ledger for z nonzeros and i bytes an index: fused reads (rows + 1)i + z(i + s) bytes of the matrix and dense, and writes
rows · n · s. That every row of dense is named by some nonzero is assumed; those that none names are not read. Unfused,
a copy of a row of dense goes to memory for every nonzero, twice. FLOPs: 2 z n.

Source: N. Bell, M. Garland, Efficient Sparse Matrix-Vector Multiplication on CUDA, NVIDIA, 2008 (a warp takes a row);
C. Yang, A. Buluç, J. Owens, Design Principles for Sparse Matrix Multiplication on the GPU, arXiv 1803.08601, section 4.
"""

from typing import Any

import numpy as np
import torch
from numba import prange, types
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function

from kernels.arguments import check_input, follow_autocast, rounded, widened
from kernels.backend import blocks, cuda, gpu_kernel, launch, runs_on_gpu
from kernels.lanes import ALL, WARP
from kernels.ledger import Ledger, entry, imagine
from kernels.loads import load, load4, real_of, store4
from kernels.op import Gradient, Operation
from kernels.products.csr import (
    check_indices,
    check_structure,
    ends_valid,
    gpu_row_bounds,
    part_start,
    parts,
    row_bounds,
    rows_of,
)
from kernels.products.vectors import BYTES, plus_product, put, take, zeros
from kernels.promises import Promise
from kernels.twin import jitable, twin

WARPS = 4  # of a block, a row each: rows differ in length, and a block waits for its longest
