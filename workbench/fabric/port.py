"""One input or output of a block: its name, its axes, its type, and how a tensor is fitted to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from workbench.fabric.axis import ELLIPSIS, Axis, ContractError, Size, Sizes

KINDS = {"float", "int", "any"}
Names = tuple[str | None, ...]  # of a tensor's axes, None for one without


@dataclass(frozen=True)
class Port:
    """`dtype` is "float" (any floating point), "int" (any integer), "any", or one of torch's, such as "bool".

    An `optional` port may be given None. Raises ValueError naming what does not fit.
    """

    name: str
    axes: tuple[Axis, ...]
    dtype: str = "float"
    optional: bool = False

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise ValueError(f"name: expected a word, got {self.name!r}")
        if self.dtype not in KINDS and not isinstance(getattr(torch, self.dtype, None), torch.dtype):
            raise ValueError(f'dtype: expected "float", "int", "any" or one of torch\'s, got {self.dtype!r}')
        texts = [axis.text for axis in self.axes]
        if ELLIPSIS in texts and (texts.count(ELLIPSIS) > 1 or any(axis.optional for axis in self.axes)):
            raise ValueError(f'axes: expected one "..." and no "?" beside it, got "{self}"')

    def match(self, value: Tensor | None, sizes: Sizes) -> None:
        """Fits a tensor to this port and adds the sizes that it fixes. Raises ContractError with both shapes."""
        found = dict(sizes)
        if reason := self.misfit(value, found):
            got = f"got {shown(value.shape, value.dtype)}: " if isinstance(value, Tensor) else ""
            raise ContractError(f"{self.name}: expected {self.shown(sizes)}, {got}{reason}")
        sizes.update(found)

    def misfit(self, value: Tensor | None, sizes: Sizes) -> str:
        """Why the tensor does not fit this port, or ""; the sizes found on the way are added."""
        if not isinstance(value, Tensor):
            return "" if value is None and self.optional else f"got {type(value).__name__}"
        if not _accepts(self.dtype, value.dtype):
            return f"{str(value.dtype)[6:]}, not {self.dtype}"
        axes = self._axes_for(value.dim(), sizes)
        if not _as_many(axes, value.dim()):
            return f"{value.dim()} axes, not {len(axes)}"
        for axis, size in _pairs(axes, tuple(value.shape)):
            expected = axis.size(sizes)
            if expected is not None and expected != size:
                bare = axis.text.isdigit() or axis.text == ELLIPSIS
                return f"{'' if bare else f'{axis.text} is '}{size}, not {expected}"
            if axis.name or axis.text == ELLIPSIS:
                sizes[axis.text] = size
        sizes.update({axis.text: None for axis in self.axes if axis not in axes})
        return ""

    def named(self, sizes: Mapping[str, Size], known: Mapping[str, Names] = MappingProxyType({})) -> Names:
        """The name of each axis of a tensor that fits, None where it has none.

        `known` holds what an axis of this contract is called outside: a block's "time" may be a sentence's "letters".
        """
        names: list[str | None] = []
        for axis in self._present(sizes):
            covered = axis.size(sizes)
            own = (axis.name,) * (len(covered) if isinstance(covered, tuple) else 1)
            outside = known.get(axis.text, own)
            # two axes of the block may be one outside, "steps" and "time" of self-attention: they stay apart here
            names += own if axis.name and outside[0] in names else outside
        return tuple(names)

    def calls(self, names: Names, sizes: Mapping[str, Size]) -> dict[str, Names]:
        """What each of this port's axes is called, given the names of the axes of a tensor that fits."""
        found: dict[str, Names] = {}
        at = 0
        for axis in self._present(sizes):
            size = sizes.get(axis.text)
            count = len(size) if isinstance(size, tuple) else 1
            here = names[at : at + count]
            at += count
            if axis.text == ELLIPSIS or (axis.name and here[0]):
                found.setdefault(axis.text, here)
        return found

    def shape(self, sizes: Mapping[str, Size]) -> tuple[int, ...]:
        """The shape at these sizes. Raises ContractError where one is not known."""
        shape: list[int] = []
        for axis in self._present(sizes):
            size = axis.size(sizes)
            if size is None:
                raise ContractError(f"{self.name}: the size of {axis} is not known")
            shape += size if isinstance(size, tuple) else [size]
        return tuple(shape)

    def shown(self, sizes: Mapping[str, Size]) -> str:
        """The axes with the sizes known so far, as messages write them: "(batch=2, time, 64) float"."""
        words = []
        for axis in self.axes:
            size = axis.size(sizes)
            if isinstance(size, tuple):
                words += [str(number) for number in size]
            else:
                words.append(str(axis) if size is None or axis.text == str(size) else f"{axis}={size}")
        return f"({', '.join(words)}{',' * (len(words) == 1)}) {self.dtype}"

    def _present(self, sizes: Mapping[str, Size]) -> list[Axis]:
        return [axis for axis in self.axes if not axis.optional or axis.size(sizes) is not None]

    def _axes_for(self, count: int, sizes: Mapping[str, Size]) -> list[Axis]:
        """The axes that are there: of the optional ones still open, as many as needed are missing from the right."""
        axes = [axis for axis in self.axes if not axis.optional or sizes.get(axis.text, 0) is not None]
        for axis in reversed(self.axes):
            if len(axes) > count and axis.optional and axis.text not in sizes:
                axes.remove(axis)
        return axes

    def __str__(self) -> str:
        return " ".join(map(str, self.axes)) or "()"


def shown(shape: Sequence[int], dtype: torch.dtype | str) -> str:
    """A shape and a type as messages write them: "(2, 5, 64) float32"."""
    return f"({', '.join(map(str, shape))}{',' * (len(shape) == 1)}) {str(dtype).removeprefix('torch.')}"


def _accepts(kind: str, dtype: torch.dtype) -> bool:
    if kind == "float":
        return dtype.is_floating_point
    if kind == "int":
        return not (dtype.is_floating_point or dtype.is_complex or dtype == torch.bool)
    return kind == "any" or getattr(torch, kind) == dtype


def _as_many(axes: Sequence[Axis], count: int) -> bool:
    elastic = any(axis.text == ELLIPSIS for axis in axes)
    return len(axes) - 1 <= count if elastic else len(axes) == count


def _pairs(axes: Sequence[Axis], shape: tuple[int, ...]) -> Iterator[tuple[Axis, int | tuple[int, ...]]]:
    """Each axis with its size; "..." takes all that the others leave."""
    spare = len(shape) - len(axes) + 1
    at = 0
    for axis in axes:
        if axis.text == ELLIPSIS:
            yield axis, shape[at : at + spare]
            at += spare
        else:
            yield axis, shape[at]
            at += 1
