"""Fusing modules that see different things: where they meet (early, late, hybrid) and how (combine)."""

from workbench.mixing.combine import Add, Attend, Combine, Concat, Gate, Mean
from workbench.mixing.corrupt import corrupt
from workbench.mixing.early import EarlyFusion
from workbench.mixing.ensemble import Ensemble, average_weights
from workbench.mixing.hybrid import HybridFusion
from workbench.mixing.late import LateFusion
from workbench.mixing.modalities import Modalities

__all__ = [
    "Add",
    "Attend",
    "Combine",
    "Concat",
    "EarlyFusion",
    "Ensemble",
    "Gate",
    "HybridFusion",
    "LateFusion",
    "Mean",
    "Modalities",
    "average_weights",
    "corrupt",
]
