"""Domain adaptation: labels from one place, pictures without labels from another, a model for the other.

Four ways, from the cheapest: `adabn` changes statistics only, `coral` the training features, `DeepCoral` and
`DomainAdversary` are penalties that `fit_together` adds to the loss. `workbench.mixing.vendors` compares them.
"""

from workbench.mixing.adapt.adabn import adabn
from workbench.mixing.adapt.coral import DeepCoral, coral
from workbench.mixing.adapt.dann import DomainAdversary, reverse_gradient
from workbench.mixing.adapt.together import fit_together

__all__ = ["DeepCoral", "DomainAdversary", "adabn", "coral", "fit_together", "reverse_gradient"]
