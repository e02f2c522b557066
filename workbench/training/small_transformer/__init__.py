"""A transformer on Shakespeare's characters, computed by the readable blocks or by `kernels`.

`python -m workbench.training.small_transformer` trains both and shows what is the same and what is not.
"""

from workbench.training.small_transformer.comparison import Comparison, Recipe, Run, compare_runs
from workbench.training.small_transformer.fused import FusedTransformer
from workbench.training.small_transformer.model import Size, SmallTransformer

__all__ = ["Comparison", "FusedTransformer", "Recipe", "Run", "Size", "SmallTransformer", "compare_runs"]
