"""Optimizer steps: many tensors, each read and written once."""

from kernels.optimizers.adamw import adamw_step, adamw_step_operation

OPERATIONS = (adamw_step_operation,)

__all__ = ["OPERATIONS", "adamw_step"]
