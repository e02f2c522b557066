"""Sparse weights of (size, size), at two densities and in the 2:4 pattern, times a dense (size, 64)."""

import warnings
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from kernels.bench.case import Arguments, Case, Draw

COLUMNS = 64


def _csr_matmul(density: float) -> Case:
    def inputs(size: int, draw: Draw) -> Arguments:
        kept = torch.rand(size, size, generator=draw.generator) < density
        _, col = kept.nonzero(as_tuple=True)
        crow = F.pad(kept.sum(1).cumsum(0), (1, 0))  # where each row begins, and the last one ends
        # int32: torch, by MKL, is fastest with it
        crow, col = (index.to(draw.device, torch.int32) for index in (crow, col))
        return crow, col, draw.normal(len(col)), draw.normal(size, COLUMNS)

    def matrix(crow: Tensor, col: Tensor, values: Tensor, dense: Tensor) -> Arguments:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that sparse CSR is in beta
            return torch.sparse_csr_tensor(crow, col, values, (len(crow) - 1, len(dense))), dense

    return Case(
        "csr_matmul",
        inputs,
        torch.sparse.mm,  # torch.matmul is as fast, but would make the gradient of the matrix a dense one
        variant=f"{density:.0%}",
        theirs=matrix,
        others={
            "torch reduce": partial(torch.sparse.mm, reduce="sum")
        },  # written for graph networks, CPU only
    )


def _two_of_four(size: int, draw: Draw) -> Arguments:
    groups = max(1, size // 4)
    places = torch.rand(size, groups, 4, generator=draw.generator).topk(2).indices.sort().values
    index = places.flatten(1).to(
        draw.device, torch.uint8
    )  # (rows, 2·groups): which of its four each value is
    return draw.normal(size, 2 * groups), index, draw.normal(4 * groups, COLUMNS)


def _dense(values: Tensor, index: Tensor, dense: Tensor) -> Arguments:
    rows, kept = values.shape
    matrix = values.new_zeros(rows, kept // 2, 4)
    matrix.scatter_(2, index.view(rows, -1, 2).long(), values.view(rows, -1, 2))
    return matrix.flatten(1), dense


CASES = (
    _csr_matmul(0.01),
    _csr_matmul(0.1),
    Case(
        "sparse24_matmul",
        _two_of_four,
        torch.matmul,
        theirs=_dense,
        trains=False,
        apart="torch multiplies by the matrix with its zeros (its 2:4 products are for half types on GPUs)",
    ),
)
