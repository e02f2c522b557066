"""Lists of tensors that one call works through: checked, seen without gaps, and cut into tiles of equal size.

A model has many tensors, most of them small. One loop over them in Python, with a call for each, would take longer than
the work. So a CPU twin gets a table of their addresses instead, and numbers the tiles of all tensors through.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numba import types
from numba.extending import intrinsic
from torch import Tensor

from kernels.arguments import FLOATS, HALF

TILE = 1 << 14  # elements: some arrays of them fit into a core's cache


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
    for name, tensors in others:
        if len(tensors) != len(params):
            raise ValueError(f"{name} must be {len(params)} tensors, as {first} are, got {len(tensors)}")
        for place, (tensor, param) in enumerate(zip(tensors, params, strict=True)):
            alike = isinstance(tensor, Tensor) and tensor.dtype == param.dtype and tensor.shape == param.shape
            if not (alike and tensor.device == param.device):  # the rule, without the cost of a call
                _check_like(f"{name}[{place}]", tensor, param, name in moments)
    for name in (first, *moments):
        for place, tensor in enumerate(lists[name]):
            if not tensor.is_contiguous() and 0 in tensor.stride():
                raise ValueError(
                    f"{name}[{place}] must not be expanded, as it is written, got {tensor.stride()}"
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


def gapless(tensors: Sequence[Tensor], prepare: Callable[[Tensor], Tensor]) -> tuple[Any, Any]:
    """Tensors of one shape, their axes in the order in which the first one's memory runs, and what `prepare` makes.

    `prepare` gives the tensor itself where it is as the kernels need it, or a copy. channels_last needs none, then.
    """
    if not all(map(Tensor.is_contiguous, tensors)):
        axes = sorted(range(tensors[0].dim()), key=tensors[0].stride, reverse=True)
        tensors = [tensor.permute(axes) for tensor in tensors]
    return tensors, [prepare(tensor) for tensor in tensors]


def write_back(tensors: Sequence[Tensor], computed: Sequence[Tensor]) -> None:
    """Put results where they belong, if they were computed in a copy."""
    for tensor, result in zip(tensors, computed, strict=True):
        if result is not tensor:
            tensor.copy_(result)


def tiles_of(tensors: Sequence[Sequence[Tensor]]) -> tuple[Any, Any, Any, int]:
    """A table of groups of tensors without gaps, those of a group of one size: what a twin needs to find each tile.

    Addresses (groups, tensors in one), sizes (groups,), the number of each group's first tile (groups,), and how many
    tiles there are.
    """
    addresses = np.array([[tensor.data_ptr() for tensor in group] for group in tensors])
    sizes = np.array([group[0].numel() for group in tensors])
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
