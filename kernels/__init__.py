"""Fused operations, one per file, each with a reference, a GPU kernel and a CPU twin.

Every operation takes CPU and CUDA tensors, works under autograd and torch.compile, and has a `ledger`: the bytes it
must move and the FLOPs it computes, beside those of the unfused operations it replaces.
"""

from kernels.catalog import ledger
from kernels.ledger import Ledger
from kernels.losses import cross_entropy, linear_cross_entropy
from kernels.norms import add_rms_norm, layer_norm, rms_norm, softmax
from kernels.optimizers import adamw_step
from kernels.pointwise import bias_gelu, dropout_add, swiglu
from kernels.products import (
    conv_bn_relu,
    csr_matmul,
    int4_linear,
    int8_linear,
    matmul,
    sparse24_matmul,
)
from kernels.sequences import attention, rope

__all__ = [
    "Ledger",
    "adamw_step",
    "add_rms_norm",
    "attention",
    "bias_gelu",
    "conv_bn_relu",
    "cross_entropy",
    "csr_matmul",
    "dropout_add",
    "int4_linear",
    "int8_linear",
    "layer_norm",
    "ledger",
    "linear_cross_entropy",
    "matmul",
    "rms_norm",
    "rope",
    "softmax",
    "sparse24_matmul",
    "swiglu",
]
