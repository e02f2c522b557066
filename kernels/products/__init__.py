"""Products of matrices: each byte that is read can be used many times."""

from kernels.products.csr_matmul import csr_matmul, csr_matmul_operation
from kernels.products.csr_matmul_backward import csr_matmul_backward_operation

OPERATIONS = (csr_matmul_operation, csr_matmul_backward_operation)

__all__ = ["OPERATIONS", "csr_matmul"]
