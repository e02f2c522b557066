"""A contract: what goes into a block and what comes out, in named axes.

    "batch time width -> batch time width"
    "query = batch steps 64, memory = batch time 64, mask? = batch time: bool -> batch steps 64"

Ports are separated by commas; a port may have a name ("query ="), a type behind a colon (": int64"; floating point if
none is given), and a "?" behind its name when it may be left out. `workbench/fabric/axis.py` says what an axis may be.
The point is to fail early and in words: a contract refuses a tensor *before* the block computes anything, and says
what it expected and what it got.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from workbench.fabric.axis import ELLIPSIS, Axis, ContractError, Sizes
from workbench.fabric.port import Port

PORT = re.compile(r"(?:(?P<name>\w+)(?P<optional>\?)?\s*=)?(?P<axes>[^:=]*)(?::\s*(?P<dtype>\w+))?")


@dataclass(frozen=True, init=False)
class Contract:
    """The inputs and outputs of a block; `Contract(text, width=64)` puts a number in place of a name.

    Raises ValueError for a text that cannot be read and for a pinned name that does not occur in it.
    """

    inputs: tuple[Port, ...] = field()
    outputs: tuple[Port, ...] = field()

    def __init__(self, text: str, **sizes: int) -> None:
        if not isinstance(text, str) or text.count("->") != 1:
            raise ValueError(f'contract: expected "inputs -> outputs", got {text!r}')
        before, after = text.split("->")
        self._set(_ports(before, "x", sizes), _ports(after, "y", sizes))
        if unknown := sizes.keys() - {name for side in (before, after) for name in re.findall(r"\w+", side)}:
            raise ValueError(f"sizes: {sorted(unknown)} does not occur in {text!r}")

    @classmethod
    def of(cls, inputs: Sequence[Port], outputs: Sequence[Port]) -> Contract:
        """A contract from its ports."""
        contract = cls.__new__(cls)
        contract._set(tuple(inputs), tuple(outputs))
        return contract

    def _set(self, inputs: tuple[Port, ...], outputs: tuple[Port, ...]) -> None:
        for side, ports in (("inputs", inputs), ("outputs", outputs)):
            names = [port.name for port in ports]
            if len(set(names)) < len(names):
                raise ValueError(f"{side}: expected names that differ, got {names}")
        if any(port.optional for port in outputs):
            raise ValueError("outputs: expected outputs that are always there, got one with '?'")
        for axis in (axis for port in inputs for axis in port.axes):
            if not (axis.name or axis.text == ELLIPSIS or axis.text.isdigit()):
                raise ValueError(f"inputs: expected names and numbers, got the expression {axis.text!r}")
        object.__setattr__(self, "inputs", inputs)
        object.__setattr__(self, "outputs", outputs)

    def bind(self, inputs: Sequence[Tensor | None]) -> Sizes:
        """The size of every input axis. Raises ContractError naming the first port that does not fit."""
        if len(inputs) > len(self.inputs):
            raise ContractError(f"expected {len(self.inputs)} inputs ({self}), got {len(inputs)}")
        sizes: Sizes = {}
        for port, value in zip(self.inputs, [*inputs, *[None] * len(self.inputs)], strict=False):
            port.match(value, sizes)
        return sizes

    def check(self, inputs: Sequence[Tensor | None], outputs: Tensor | Sequence[Tensor]) -> Sizes:
        """The size of every axis, inputs and outputs. Raises ContractError naming the first that does not fit."""
        sizes = self.bind(inputs)
        given = [outputs] if isinstance(outputs, Tensor) or not isinstance(outputs, tuple | list) else outputs
        if len(given) != len(self.outputs):
            raise ContractError(f"expected {len(self.outputs)} outputs ({self}), got {len(given)}")
        for port, value in zip(self.outputs, given, strict=True):
            port.match(value, sizes)
        return sizes

    def pinned(self, **sizes: int) -> Contract:
        """The same contract with numbers in place of names. Raises ValueError for a name that does not occur."""
        return Contract(str(self), **sizes)

    def __str__(self) -> str:
        return f"{_text(self.inputs, 'x')} -> {_text(self.outputs, 'y')}"

    def __repr__(self) -> str:
        return f'Contract("{self}")'


def _ports(side: str, letter: str, sizes: dict[str, int]) -> tuple[Port, ...]:
    parts = [part.strip() for part in side.split(",")]
    ports = []
    for name, part in zip(_default_names(letter, len(parts)), parts, strict=True):
        found = PORT.fullmatch(part)
        axes = found["axes"].split() if found else []
        if found is None or not axes:
            raise ValueError(f'contract: expected "name = axis axis: dtype", got {part!r}')
        written = () if axes == ["()"] else tuple(Axis.of(axis).pinned(sizes) for axis in axes)
        ports.append(Port(found["name"] or name, written, found["dtype"] or "float", bool(found["optional"])))
    return tuple(ports)


def _default_names(letter: str, count: int) -> list[str]:
    """What ports without a name are called: "x", or "x1", "x2" when there are several."""
    return [letter] if count == 1 else [f"{letter}{number}" for number in range(1, count + 1)]


def _text(ports: Sequence[Port], letter: str) -> str:
    def words() -> Iterator[str]:
        for port, default in zip(ports, _default_names(letter, len(ports)), strict=True):
            named = port.name != default or port.optional
            name = f"{port.name}{'?' * port.optional} = " if named else ""
            yield f"{name}{port}{'' if port.dtype == 'float' else f': {port.dtype}'}"

    return ", ".join(words())
