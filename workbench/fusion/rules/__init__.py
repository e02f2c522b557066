"""The rules of fusing, in the order in which they are applied; each file has one and says why it is exact."""

from workbench.fusion.rewrite import Rule
from workbench.fusion.rules.drop_identity import find as drop_identity
from workbench.fusion.rules.fold_affine import find as fold_affine
from workbench.fusion.rules.fold_batchnorm import find as fold_batchnorm
from workbench.fusion.rules.merge_chained import find as merge_chained
from workbench.fusion.rules.merge_parallel import find as merge_parallel
from workbench.fusion.rules.use_kernels import KERNEL_RULES

RULES: tuple[Rule, ...] = (
    drop_identity,
    fold_batchnorm,
    fold_affine,
    merge_chained,
    *KERNEL_RULES,
    merge_parallel,  # leaves alone what a kernel reads, so it has to see the kernels
)

__all__ = ["RULES"]
