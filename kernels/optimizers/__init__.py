"""Optimizer steps: many tensors, each read and written once."""

OPERATIONS = ()

__all__ = ["OPERATIONS"]
