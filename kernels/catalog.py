"""All operations of the package by name, and the ledger of any of them."""

from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch._ops import OpOverload

from kernels import losses, norms, optimizers, pointwise, products, sequences
from kernels.ledger import Ledger
from kernels.op import NAMESPACE, Operation

FAMILIES = (pointwise, norms, losses, products, sequences, optimizers)
OPERATIONS: dict[str, Operation] = {
    operation.name: operation for family in FAMILIES for operation in family.OPERATIONS
}


def find(operation: str | Callable[..., Any] | OpOverload) -> Operation:
    """The declaration behind a name, a public function or an operator of torch's dispatcher.

    Raises ValueError for anything that is not an operation of this package.
    """
    if isinstance(operation, OpOverload):
        namespace, _, name = operation._schema.name.partition("::")
        name = name if namespace == NAMESPACE else operation._schema.name
    else:
        name = operation if isinstance(operation, str) else getattr(operation, "__name__", repr(operation))
    if name not in OPERATIONS:
        raise ValueError(f"operation must be one of {', '.join(OPERATIONS)}, got {name}")
    return OPERATIONS[name]


def ledger(
    operation: str | Callable[..., Any] | OpOverload, *arguments: Tensor | Any, **options: Any
) -> Ledger:
    """The bytes and FLOPs of an operation on these arguments, fused and (under `.unfused`) unfused; runs nothing.

    `operation` is a public function such as `kernels.bias_gelu`, its name, or the operator that a dispatch mode sees;
    backward passes have names too ("bias_gelu_backward"). Arguments are those of the operation; meta tensors will do.
    Raises ValueError for an unknown operation.
    """
    return find(operation).ledger(*arguments, **options)
