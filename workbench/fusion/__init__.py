"""Fusing operations: rewriting a model so that it does the same with fewer passes over memory."""

from workbench.fusion.fold_batchnorm import fold_batchnorm

__all__ = ["fold_batchnorm"]
