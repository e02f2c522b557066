"""What a part computes, as one list of torch's operations: `torch.export` runs it once on tensors without numbers.

Of the sizes that the contract leaves open, the list keeps free what it can. To find out, the axes get sizes that
differ and are not 1 (equal sizes would count as one axis, 1 as a broadcast); an axis that turns out to be fixed, such
as the steps of a loop, which is unrolled, then gets the size of the example.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr

import torch
from torch import SymInt, Tensor
from torch.export import Dim, ExportedProgram

from workbench.fabric.axis import ELLIPSIS, Size, Sizes
from workbench.fabric.contract import Contract
from workbench.fabric.part import Part
from workbench.fabric.running import following

NOISY = "torch._export.non_strict_utils", "torch.fx.experimental.symbolic_shapes"
Shape = tuple[int | SymInt, ...]


class FlattenError(ValueError):
    """A part cannot be written as one list of operations; the message says where and why."""


def capture(part: Part, inputs: Sequence[Tensor | None]) -> ExportedProgram:
    """The operations of `part` on inputs like these, for any size of the axes that can be left open.

    Raises ContractError when the inputs do not fit, FlattenError when `torch.export` refuses.
    """
    sizes = part.contract.bind(inputs)
    told = spread(sizes)
    try:
        program = _export(part, _like(inputs, part.contract, told), told)
        fixed = _fixed(program, part.contract, told)
        if any(told[axis] != sizes[axis] for axis in fixed):
            told = spread(sizes, fixed)
            program = _export(part, _like(inputs, part.contract, told), told)
    except FlattenError:
        program = _export(part, inputs, {})  # these sizes and no others
    return program


def spread(sizes: Sizes, fixed: Sequence[str] = ()) -> Sizes:
    """Sizes near the given ones, but no two alike and none below 2; those of `fixed` axes stay."""
    used = {size for axis in fixed if isinstance(size := sizes[axis], int)}

    def apart(size: int) -> int:
        size = next(number for number in range(max(size, 2), 1 << 62) if number not in used)
        used.add(size)
        return size

    told: dict[str, Size] = {}
    for axis, size in sizes.items():
        if axis in fixed or size is None:
            told[axis] = size
        else:
            told[axis] = apart(size) if isinstance(size, int) else tuple(map(apart, size))
    return told


def shapes(program: ExportedProgram) -> list[Shape | None]:
    """The shape of each input, int where a size is fixed and a symbol where it is free; None for what is no tensor."""
    nodes = {node.name: node for node in program.graph.nodes}
    values = [nodes[spec.arg.name].meta.get("val") for spec in program.graph_signature.input_specs
              if spec.kind.name == "USER_INPUT"]  # fmt: skip
    return [tuple(map(plain, value.shape)) if isinstance(value, Tensor) else None for value in values]


def plain(size: int | SymInt) -> int | SymInt:
    """The size as an int if it is one in disguise."""
    return int(size) if isinstance(size, SymInt) and size.node.expr.is_number else size


def _export(part: Part, inputs: Sequence[Tensor | None], free: Sizes) -> ExportedProgram:
    dynamic = tuple(
        None if value is None else {n: Dim.AUTO for n, axis in enumerate(axes) if axis in free}
        for value, axes in zip(inputs, _axes(part.contract, inputs, free), strict=True)
    )
    name = type(part).__name__
    with following(part, name, lambda path, *_: path or name) as running, _quiet(), torch.enable_grad():
        try:
            return torch.export.export(part, tuple(inputs), dynamic_shapes=(dynamic,), strict=False)
        except Exception as error:  # whatever a block's own code raises, and a dozen kinds of torch's
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise FlattenError(f"cannot flatten {running[-1]}: {reason}") from error


def _like(inputs: Sequence[Tensor | None], contract: Contract, sizes: Sizes) -> list[Tensor | None]:
    return [
        value if value is None else value.new_zeros(port.shape(sizes))
        for port, value in zip(contract.inputs, inputs, strict=False)
    ]


def _axes(contract: Contract, inputs: Sequence[Tensor | None], sizes: Sizes) -> list[tuple[str | None, ...]]:
    """The names of each input's axes."""
    covered = sizes.get(ELLIPSIS)
    around = {ELLIPSIS: (ELLIPSIS,) * len(covered)} if isinstance(covered, tuple) else {}
    named = [port.named(sizes, around) if sizes else () for port in contract.inputs]
    return [() if value is None else names for value, names in zip(inputs, named, strict=False)]


def _fixed(program: ExportedProgram, contract: Contract, sizes: Sizes) -> list[str]:
    """The axes that could not be left open."""
    found = shapes(program)
    axes = _axes(contract, [None if shape is None else torch.empty(()) for shape in found], sizes)
    return sorted({
        axis
        for shape, names in zip(found, axes, strict=True)
        for size, axis in zip(shape or (), names, strict=True)
        if axis and isinstance(size, int)
    })  # fmt: skip


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what torch prints when a size becomes fixed or a capture fails: both are said in the result."""
    levels = {name: logging.getLogger(name).level for name in NOISY}
    try:
        for name in NOISY:
            logging.getLogger(name).setLevel(logging.ERROR)
        with redirect_stderr(io.StringIO()):
            yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
