"""Operations along a sequence: what is added to a row, or read for it, depends on its place among the others."""

from kernels.sequences.attention import attention, attention_operation
from kernels.sequences.attention_backward import attention_backward_operation
from kernels.sequences.rope import rope, rope_backward_operation, rope_operation

OPERATIONS = (rope_operation, rope_backward_operation, attention_operation, attention_backward_operation)

__all__ = ["OPERATIONS", "attention", "rope"]
