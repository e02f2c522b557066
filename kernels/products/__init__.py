"""Products of matrices: each byte that is read can be used many times."""

from kernels.products.conv_bn_relu import conv_bn_relu, conv_bn_relu_operation
from kernels.products.csr_matmul import csr_matmul, csr_matmul_operation
from kernels.products.csr_matmul_backward import csr_matmul_backward_operation
from kernels.products.int4_linear import int4_linear, int4_linear_operation
from kernels.products.int8_linear import int8_linear, int8_linear_operation
from kernels.products.matmul import matmul, matmul_operation
from kernels.products.matmul_backward import matmul_backward_operation
from kernels.products.packing import pack_int4, unpack_int4
from kernels.products.quantized_linear_backward import quantized_linear_backward_operation
from kernels.products.sparse24 import to_sparse24
from kernels.products.sparse24_matmul import sparse24_matmul, sparse24_matmul_operation
from kernels.products.sparse24_matmul_backward import sparse24_matmul_backward_operation

OPERATIONS = (
    csr_matmul_operation,
    csr_matmul_backward_operation,
    int8_linear_operation,
    int4_linear_operation,
    quantized_linear_backward_operation,
    sparse24_matmul_operation,
    sparse24_matmul_backward_operation,
    matmul_operation,
    matmul_backward_operation,
    conv_bn_relu_operation,
)

__all__ = [
    "OPERATIONS",
    "conv_bn_relu",
    "csr_matmul",
    "int4_linear",
    "int8_linear",
    "matmul",
    "pack_int4",
    "sparse24_matmul",
    "to_sparse24",
    "unpack_int4",
]
