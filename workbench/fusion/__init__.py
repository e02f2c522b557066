"""Fusing operations: rewriting a model so that it does the same with fewer passes over memory."""

from workbench.fusion.exported import fuse_exported
from workbench.fusion.fold_batchnorm import fold_batchnorm
from workbench.fusion.fuse import FusionError, fuse
from workbench.fusion.graph.tracing import TracingError
from workbench.fusion.report import FusionReport

__all__ = ["FusionError", "FusionReport", "TracingError", "fold_batchnorm", "fuse", "fuse_exported"]
