"""All cases, family by family."""

from kernels.bench.case import Case
from kernels.bench.cases import losses, norms, optimizers, pointwise, products, sequences, sparse

FAMILIES = (pointwise, norms, losses, sequences, optimizers, products, sparse)
CASES: dict[str, Case] = {case.name: case for family in FAMILIES for case in family.CASES}
