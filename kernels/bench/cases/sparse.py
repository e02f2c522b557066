"""Sparse weights of (size, size), at two densities and in the 2:4 pattern, times a dense (size, 64)."""

import torch
from torch import Tensor

from kernels.bench.case import Arguments, Case, Draw

COLUMNS = 64


def _csr_matmul(density: float) -> Case:
    def inputs(size: int, draw: Draw) -> Arguments:
        kept = torch.rand(size, size, generator=draw.generator) < density
        csr = torch.randn(size, size, generator=draw.generator).mul_(kept).to_sparse_csr()
        # MKL, and so torch, is fastest with int32
        crow, col = (index.to(draw.device, torch.int32) for index in (csr.crow_indices(), csr.col_indices()))
        return crow, col, draw.place(csr.values()), draw.normal(size, COLUMNS)

    def matrix(crow: Tensor, col: Tensor, values: Tensor, dense: Tensor) -> Arguments:
        shape = (len(crow) - 1, len(dense))
        return torch.sparse_csr_tensor(crow, col, values.detach(), shape, check_invariants=False), dense

    return Case("csr_matmul", inputs, torch.matmul, variant=f"{density:.0%}", theirs=matrix)


CASES = (_csr_matmul(0.01), _csr_matmul(0.1))
