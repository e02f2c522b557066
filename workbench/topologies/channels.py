"""What becomes of contracts when results stand side by side: the channels add up, all other axes stay."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from workbench.fabric.axis import Axis
from workbench.fabric.infer import contract_of


def one_to_one(name: str, module: nn.Module) -> tuple[str, str]:
    """The axes of a module's only input and only output, both floating point. Raises ValueError with `name`."""
    contract = contract_of(module)
    dtypes = [[port.dtype for port in side] for side in (contract.inputs, contract.outputs)]
    if dtypes != [["float"], ["float"]]:
        raise ValueError(f"{name}: expected one input and one output, floating point, got {contract}")
    return str(contract.inputs[0]), str(contract.outputs[0])


def side_by_side(shapes: Sequence[str], axis: int) -> str:
    """The axes of several tensors, such as "batch 8 length", concatenated along `axis`: "batch 24 length".

    Raises ValueError when they say nothing about that axis.
    """
    rows = [shape.split() for shape in shapes]
    first = rows[0]
    place = axis if axis >= 0 else len(first) + axis
    for row, shape in zip(rows, shapes, strict=True):
        known = row[place] if len(row) == len(first) and 0 <= place < len(row) else "..."
        if "..." in (known, *(row[:place] if axis >= 0 else row[place:])):
            raise ValueError(f"axis: expected one that every contract names, got {axis} for {shape!r}")
    total = Axis("+".join(f"({row[place]})" if not row[place].isalnum() else row[place] for row in rows))
    size = total.size({})
    return " ".join([*first[:place], total.text if size is None else str(size), *first[place + 1 :]])
