"""Operations on one element at a time: all they cost is the way to memory and back."""

from kernels.pointwise.bias_gelu import bias_gelu, bias_gelu_operation
from kernels.pointwise.bias_gelu_backward import bias_gelu_backward_operation
from kernels.pointwise.dropout_add import (
    dropout_add,
    dropout_add_backward_operation,
    dropout_add_operation,
)
from kernels.pointwise.swiglu import swiglu, swiglu_operation
from kernels.pointwise.swiglu_backward import swiglu_backward_operation

OPERATIONS = (
    bias_gelu_operation,
    bias_gelu_backward_operation,
    swiglu_operation,
    swiglu_backward_operation,
    dropout_add_operation,
    dropout_add_backward_operation,
)

__all__ = ["OPERATIONS", "bias_gelu", "dropout_add", "swiglu"]
