"""Operations on one row at a time: a sum over the row stands between reading it and writing it."""

from kernels.norms.add_rms_norm import add_rms_norm, add_rms_norm_operation
from kernels.norms.layer_norm import layer_norm, layer_norm_operation
from kernels.norms.layer_norm_backward import layer_norm_backward_operation
from kernels.norms.rms_norm import rms_norm, rms_norm_operation
from kernels.norms.rms_norm_backward import rms_norm_backward_operation
from kernels.norms.softmax import softmax, softmax_operation
from kernels.norms.softmax_backward import softmax_backward_operation

OPERATIONS = (
    rms_norm_operation,
    rms_norm_backward_operation,
    add_rms_norm_operation,
    layer_norm_operation,
    layer_norm_backward_operation,
    softmax_operation,
    softmax_backward_operation,
)

__all__ = ["OPERATIONS", "add_rms_norm", "layer_norm", "rms_norm", "softmax"]
