"""Lists of tensors that one call works through: checked, seen without gaps, and cut into tiles of equal size.

A model has many tensors, most of them small. One loop over them in Python, with a call for each, would take longer than
the work. So a CPU twin gets a table of their addresses instead, and numbers the tiles of all tensors through.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np
import torch
from numba import extending, types
from torch import Tensor

from kernels.arguments import FLOATS, HALF
from kernels.ledger import unique_bytes

Group = tuple[Tensor, ...]  # of one shape: a parameter and what belongs to it
TILE = 1 << 14  # elements: some arrays of them fit into a core's cache
intrinsic: Any = extending.intrinsic  # its types know nothing of the first argument, which Numba gives


def check_like_params(lists: dict[str, list[Tensor]], moments: tuple[str, ...] = ()) -> None:
    """Refuse lists, named as the caller knows them, that do not fit the first of them, tensor by tensor.

    Alike in number, shape, device and dtype; those named in `moments` may be float32 beside a half parameter. The first
    list and the moments are written, so none of their tensors may show one element in several places.
    """
    (first, params), *others = lists.items()
    for place, param in enumerate(params):
        if not isinstance(param, Tensor):
            raise TypeError(f"{first}[{place}] must be a tensor, got {type(param).__name__}")
        if param.dtype not in FLOATS:
            raise TypeError(
                f"{first}[{place}] must be float16, bfloat16, float32 or float64, got {param.dtype}"
            )
    if len(set(map(id, params))) != len(params):
        raise ValueError(f"{first} must be different tensors, got one of them twice")
    wanted = _kinds(params)
    for name, tensors in others:
        if len(tensors) != len(params):
            raise ValueError(f"{name} must be {len(params)} tensors, as {first} are, got {len(tensors)}")
        tensors_only = all(isinstance(tensor, Tensor) for tensor in tensors)
        if not tensors_only or _kinds(tensors) != wanted:  # comparing lists is quick, and seldom fails
            for place, (tensor, param) in enumerate(zip(tensors, params, strict=True)):
                _check_like(f"{name}[{place}]", tensor, param, name in moments)
    for name in (first, *moments):
        for place, tensor in enumerate(lists[name]):
            if not tensor.is_contiguous() and unique_bytes(tensor) < tensor.nbytes:
                raise ValueError(
                    f"{name}[{place}] must not be expanded, as it is written, got strides {tensor.stride()}"
                )


def _check_like(name: str, tensor: Tensor, param: Tensor, wide: bool) -> None:
    if not isinstance(tensor, Tensor):
        raise TypeError(f"{name} must be a tensor, got {type(tensor).__name__}")
    wide = wide and param.dtype in HALF
    if tensor.dtype != param.dtype and not (wide and tensor.dtype == torch.float32):
        beside = " or torch.float32" if wide else ""
        raise TypeError(f"{name} must be {param.dtype}{beside}, as its parameter is, got {tensor.dtype}")
    if tensor.shape != param.shape:
        raise ValueError(
            f"{name} must have its parameter's shape {tuple(param.shape)}, got {tuple(tensor.shape)}"
        )
    if tensor.device != param.device:
        raise ValueError(f"{name} must be on {param.device} like its parameter, got {tensor.device}")
    if tensor.layout != param.layout:
        raise TypeError(f"{name} must be {param.layout}, as its parameter is, got {tensor.layout}")


def _kinds(tensors: list[Tensor]) -> list[Any]:
    return [(tensor.dtype, tensor.shape, tensor.device, tensor.layout) for tensor in tensors]


def of_one_kind(lists: Sequence[Sequence[Tensor]]) -> Iterator[list[Group]]:
    """The first tensors of all lists, the second ones, …: those of the same dtypes and device together."""
    found: dict[Any, list[Group]] = {}
    for group in zip(*lists, strict=True):
        found.setdefault((group[0].device, *[tensor.dtype for tensor in group]), []).append(group)
    yield from found.values()


def gapless(groups: list[Group], prepare: Callable[[Tensor], Tensor]) -> tuple[list[Group], list[Group]]:
    """Groups of one kind, with their axes in the order in which the first tensor's memory runs, and `prepare`d.

    `prepare` gives the tensor itself where it has no gaps and the dtype that is wanted, else a copy that does. Tensors
    in channels_last, which have no gaps but are not contiguous either, need none when their axes change places.
    """
    contiguous = all(map(Tensor.is_contiguous, chain.from_iterable(groups)))
    if contiguous and all(prepare(tensor) is tensor for tensor in groups[0]):  # then this is so for all
        return groups, groups
    ordered = []
    for group in groups:
        axes = sorted(range(group[0].dim()), key=group[0].stride, reverse=True)
        ordered.append(tuple(tensor.permute(axes) for tensor in group))
    return ordered, [tuple(map(prepare, group)) for group in ordered]


def write_back(groups: list[Group], computed: list[Group], places: Sequence[int]) -> None:
    """Put the results at these places of each group where they belong, where they were computed in a copy."""
    if computed is groups:
        return
    for group, results in zip(groups, computed, strict=True):
        for place in places:
            if results[place] is not group[place]:
                group[place].copy_(results[place])


def tiles_of(groups: Sequence[Group]) -> tuple[Any, Any, Any, int]:
    """A table of groups of tensors without gaps: what a twin needs to find each tile.

    Addresses (groups, tensors in one), sizes (groups,), the number of each group's first tile (groups,), and how many
    tiles there are.
    """
    addresses = np.array([[tensor.data_ptr() for tensor in group] for group in groups])
    sizes = np.array([group[0].numel() for group in groups])
    tiles = -(-sizes // TILE)
    ends = np.cumsum(tiles)
    return addresses, sizes, ends - tiles, int(ends[-1])


@intrinsic
def elements_at(typing, address, number):
    """A pointer to numbers of this one's type, from an address."""
    signature = types.CPointer(number)(address, number)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

    return signature, generate
