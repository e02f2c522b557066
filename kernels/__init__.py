"""Fused operations, one per file, each with a reference, a GPU kernel and a CPU twin.

Every operation takes CPU and CUDA tensors, works under autograd and torch.compile, and has a `ledger`: the bytes it
must move and the FLOPs it computes, beside those of the unfused operations it replaces.
"""

from kernels.catalog import ledger
from kernels.ledger import Ledger
from kernels.norms import add_rms_norm, rms_norm
from kernels.optimizers import adamw_step
from kernels.pointwise import bias_gelu, dropout_add, swiglu
from kernels.sequences import rope

__all__ = ["Ledger", "adamw_step", "add_rms_norm", "bias_gelu", "dropout_add", "ledger", "rms_norm", "rope", "swiglu"]
