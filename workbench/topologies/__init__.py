"""How blocks are wired: added to (residual), gated (highway), laid beside (dense), side by side (inception), deep.

Each is a plain module around any inner block, and gives the same wiring as a `Fabric` (`as_fabric`).
"""

from workbench.topologies.deep import Layer, deep_mlp, gradient_by_layer, stack
from workbench.topologies.dense import Dense
from workbench.topologies.highway import Highway
from workbench.topologies.inception import Inception
from workbench.topologies.residual import Residual

__all__ = [
    "Dense",
    "Highway",
    "Inception",
    "Layer",
    "Residual",
    "deep_mlp",
    "gradient_by_layer",
    "stack",
]
