"""The bytes that one torch operation must move through memory: the fewest possible, from its tensors.

Each distinct byte of its inputs is read once, each byte of its outputs written once. Hence:

- a view moves nothing, and neither does reserving memory (`empty`);
- an expanded tensor counts the bytes it has, not those it shows;
- an input given twice is read once;
- what is only overwritten (`out=`, `copy_`, `fill_`) or only asked for its shape (`zeros_like`) is not read;
- a gather reads the rows it touches, a scatter writes those.

A processor with caches may move more (a matrix product larger than the cache reads its inputs again and again), never
less, unless an input still lies in the cache.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from math import prod
from typing import Any

import torch
from torch.utils._pytree import tree_leaves

from workbench.profiling.flops import base_name

OVERWRITES = {"copy", "fill", "zero", "eye"} | {
    "normal", "uniform", "bernoulli", "random", "exponential", "geometric", "cauchy", "log_normal"
}  # fmt: skip
RESERVES = ("empty", "new_empty", "resize", "set", "_efficientzerotensor")
SHAPE_ONLY = {
    "nll_loss_backward": 1,
    "max_pool2d_with_indices_backward": 1,
    "avg_pool2d_backward": 1,
}  # argument
GATHERS = {"index", "gather", "take", "take_along_dim", "masked_select", "_unsafe_index"}
# which argument has as many elements as are written
SCATTERS = {
    "index_put": 2,
    "_index_put_impl": 2,
    "scatter": 2,
    "scatter_add": 2,
    "index_add": 3,
    "index_copy": 3,
}


def bytes_moved(operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> int:
    """Bytes read and written by `operation(*args, **kwargs)`, which gave `result`."""
    name = base_name(operation)
    if (
        name.startswith(RESERVES)
        or torch.Tag.inplace_view in operation.tags
        or operation.namespace == "profiler"
    ):
        return 0
    written = _written(operation, args, kwargs)
    inputs = _tensors((args, kwargs))
    storages = {_storage(tensor) for tensor in inputs}
    created = [tensor for tensor in _tensors(result) if _storage(tensor) not in storages]
    if not written and not created and _tensors(result):
        return 0  # every result is a view of an input
    if written and name in SCATTERS:
        return _scatter(name, args, kwargs)
    results = [*written, *created]
    return _read(operation, name, args, kwargs, results) + unique_bytes(results)


def unique_bytes(tensors: Iterable[torch.Tensor]) -> int:
    """The distinct bytes that these tensors show, bytes that several of them share counted once."""
    regions: dict[Any, dict[Any, torch.Tensor]] = defaultdict(dict)
    for tensor in tensors:
        # the same elements in another order (a transpose) are the same region
        dims = sorted(
            (stride, size) for size, stride in zip(tensor.shape, tensor.stride(), strict=True) if size > 1
        )
        region = (tensor.storage_offset(), tensor.dtype, tuple(dims))
        regions[_storage(tensor)][region] = tensor
    return sum(min(sum(map(_bytes, own.values())), _span(own.values())) for own in regions.values())


def _bytes(tensor: torch.Tensor) -> int:
    shown = zip(tensor.shape, tensor.stride(), strict=True)
    return prod(int(size) if stride else min(int(size), 1) for size, stride in shown) * tensor.element_size()


def _span(tensors: Iterable[torch.Tensor]) -> int:
    """Bytes from the first that these tensors of one storage show to the last."""
    ends = []
    for tensor in tensors:
        if tensor.numel():
            start = tensor.storage_offset()
            last = start + sum(
                (size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True)
            )
            ends += [start * tensor.element_size(), (last + 1) * tensor.element_size()]
    return int(max(ends) - min(ends)) if ends else 0


def _written(operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[torch.Tensor]:
    """The arguments that the operation changes, as its schema says."""
    changed = []
    for position, argument in enumerate(operation._schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            value = args[position] if position < len(args) else kwargs.get(argument.name)
            changed += _tensors(value)
    return changed


def _read(operation: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], results: Any) -> int:
    if name.endswith("_like") or name.startswith("new_"):
        return 0
    gathered = _gathered(name, args, results)
    unread = {SHAPE_ONLY.get(name)}
    overwritten = name.removeprefix("_foreach_") in OVERWRITES and _written(operation, args, kwargs)
    if gathered is not None or overwritten:
        unread.add(0)
    outs = {argument.name for argument in operation._schema.arguments if argument.is_out}
    read = [value for position, value in enumerate(args) if position not in unread]
    read += [value for keyword, value in kwargs.items() if keyword not in outs]
    return (gathered or 0) + unique_bytes(_tensors(read))


def _gathered(name: str, args: tuple[Any, ...], results: list[torch.Tensor]) -> int | None:
    """Bytes that a gather reads of its first argument; None for other operations."""
    if name in ("embedding", "_embedding_bag", "_embedding_bag_forward_only"):
        return _rows(args[0], args[1], dim=0)
    if name == "index_select":
        return _rows(args[0], args[2], dim=args[1])
    if name in GATHERS:
        return min(unique_bytes(args[:1]), unique_bytes(results))
    if name == "nll_loss_forward":  # of each row, the class that was right
        return args[1].numel() * args[0].element_size()
    return None


def _rows(source: torch.Tensor, index: torch.Tensor, dim: int) -> int:
    """Bytes of the rows of `source` that `index` names, each once; where it holds no data, the most there can be."""
    rows = source.shape[dim]
    has_data = type(index) is torch.Tensor and index.device.type != "meta"
    distinct = torch.unique(index).numel() if has_data else min(index.numel(), rows)
    return _bytes(source) // max(rows, 1) * distinct


def _scatter(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    """Into a few places of the first argument: written, and first read where something is added there."""
    target = args[0]
    if name in ("index_put", "_index_put_impl"):
        elements = torch.ops.aten.index(target, args[1]).numel()
        adds = len(args) > 3 and args[3] is True
    else:
        elements, adds = args[SCATTERS[name]].numel(), name in ("scatter_add", "index_add")
    touched = min(elements * target.element_size(), unique_bytes([target]))
    return touched * (2 if adds else 1) + unique_bytes(_tensors((args[1:], kwargs)))


def _tensors(tree: Any) -> list[torch.Tensor]:
    """The tensors in a tree; a sparse tensor as the dense ones it is made of."""
    tensors: list[torch.Tensor] = []
    for leaf in tree_leaves(tree):
        if not isinstance(leaf, torch.Tensor):
            continue
        if leaf.layout == torch.sparse_coo:
            tensors += [leaf._indices(), leaf._values()]
        elif leaf.layout in (torch.sparse_csr, torch.sparse_bsr):
            tensors += [leaf.crow_indices(), leaf.col_indices(), leaf.values()]
        elif leaf.layout in (torch.sparse_csc, torch.sparse_bsc):
            tensors += [leaf.ccol_indices(), leaf.row_indices(), leaf.values()]
        else:
            tensors.append(leaf)
    return tensors


def _storage(tensor: torch.Tensor) -> int:
    return tensor.untyped_storage()._cdata
