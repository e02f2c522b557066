"""A sparse matrix times a dense one: y[r] = Σₖ values[k] · dense[col[k]], k over the nonzeros of row r.

The matrix comes as compressed sparse rows (csr.py); how they are multiplied is in csr_product.py.

Ledger for z nonzeros, i bytes an index and s a number: fused reads the matrix, (rows + 1)i + z(i + s) bytes, and dense,
and writes rows · n · s. It counts every row of dense as read; one that no nonzero names is not. Unfused, a row of dense
for every nonzero goes to memory twice and comes back twice: over 4 z n s bytes. FLOPs: 2 z n.

Source: C. Yang, A. Buluç, J. Owens, Design Principles for Sparse Matrix Multiplication on the GPU, arXiv 1803.08601.
"""

from typing import Any

import torch
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function

from kernels.arguments import check_input, multiplied_under_autocast, rounded, widened
from kernels.backend import runs_on_gpu
from kernels.ledger import Ledger, entry, imagine
from kernels.op import Gradient, Operation
from kernels.products.csr import check_indices, row_steps, rows_of
from kernels.products.csr_matmul_backward import csr_matmul_backward_operation
from kernels.products.csr_product import MULTIPLYING, multiply_on_cpu, multiply_on_gpu


def reference(crow: Tensor, col: Tensor, values: Tensor, dense: Tensor) -> Tensor:
    """The same in plain torch: the row of dense for each nonzero is gathered, multiplied and added up."""
    products = widened(dense).index_select(0, col) * widened(values).unsqueeze(-1)
    result = torch.zeros((crow.shape[0] - 1, dense.shape[1]), dtype=products.dtype, device=dense.device)
    return rounded(result.index_add(0, rows_of(crow, col.shape[0]), products), dense.dtype)


def _launch(crow: Tensor, col: Tensor, values: Tensor, dense: Tensor) -> Tensor:
    crow, col = crow.contiguous(), col.contiguous()
    if runs_on_gpu(dense):
        out = dense.new_empty((crow.shape[0] - 1, dense.shape[1]))
        multiply_on_gpu(crow, col, values.contiguous(), dense.contiguous(), out)
        return out
    return rounded(multiply_on_cpu(crow, col, widened(values), widened(dense)), dense.dtype)


def _fake(crow: Tensor, col: Tensor, values: Tensor, dense: Tensor) -> Tensor:
    return dense.new_empty((crow.shape[0] - 1, dense.shape[1]))


def _ledger(crow: Tensor, col: Tensor, values: Tensor, dense: Tensor) -> Ledger:
    (nonzeros,), width = values.shape, dense.shape[1]
    gathered, out = imagine(dense, nonzeros, width), imagine(dense, crow.shape[0] - 1, width)
    n = gathered.numel()
    steps = (
        entry("index_select", (dense, col), (gathered,), 0),
        entry("mul", (gathered, values), (gathered,), n),
        entry("zeros", (), (out,), 0),
        *row_steps(crow, nonzeros),
        entry("index_add", (out, col, gathered), (out,), n),
    )
    return entry("csr_matmul", (crow, col, values, dense), (out,), 2 * n, steps)


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


def _backward(ctx: Any, grad: Tensor) -> tuple[None, None, Tensor | None, Tensor | None]:
    crow, col, values, dense = ctx.saved_tensors
    _, _, need_values, need_dense = ctx.needs_input_grad
    given = values if need_dense else None, dense if need_values else None
    grad_values, grad_dense = csr_matmul_backward_operation(grad, crow, col, *given, dense.shape[0])
    return None, None, grad_values if need_values else None, grad_dense if need_dense else None


csr_matmul_operation = Operation(
    schema="csr_matmul(Tensor crow, Tensor col, Tensor values, Tensor dense) -> Tensor",
    launcher=_launch,
    fake=_fake,
    reference=reference,
    ledger=_ledger,
    gradient=Gradient(_setup_context, _backward),
    promises=(MULTIPLYING,),
)


def csr_matmul(crow: Tensor, col: Tensor, values: Tensor, dense: Tensor) -> Tensor:
    """A sparse matrix in CSR times a dense one.

    crow: (rows + 1,) and col: (nonzeros,), both int32 or both int64, as csr.py explains them; values: (nonzeros,);
    dense: (columns, n) in values' dtype. The result is (rows, n). A place may be named twice: its values add up. int32
    indices are half the bytes. Gradients flow to values, at the nonzeros alone, and to dense.

    Raises TypeError for a dtype and ValueError for a shape or device that does not fit; on the CPU also ValueError for
    indices outside the matrix, which on a GPU make their rows nan.
    Source: arXiv 1803.08601, section 4.
    """
    if has_torch_function((crow, col, values, dense)):
        return handle_torch_function(csr_matmul, (crow, col, values, dense), crow, col, values, dense)
    check_input("values", values)
    check_input("dense", dense)
    values, dense = multiplied_under_autocast(values, dense)
    if dense.dtype != values.dtype:
        raise TypeError(f"dense must be {values.dtype} like values, got {dense.dtype}")
    if dense.dim() != 2:
        raise ValueError(f"dense must have shape (columns, n), got {tuple(dense.shape)}")
    if dense.device != values.device:
        raise ValueError(f"dense must be on {values.device} like values, got {dense.device}")
    check_indices(crow, col, values)
    return csr_matmul_operation(crow, col, values, dense)
