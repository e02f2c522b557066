"""Edges that convert: where a tensor is copied only because the next block wants another type, layout or device.

One block gives float64, the next computes in float32; one gives (batch, time, width) as a view with its axes swapped,
the next wants them in order: somewhere in between every number is read and written again, and no line of the model
says so. A dispatch mode sees these copies; the memory that one reads tells which input of which block it came by.
Copies that a kernel makes for itself, inside, it does not see.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from workbench.fabric.part import Part
from workbench.fabric.running import following
from workbench.fabric.view.survey import survey
from workbench.profiling.traffic import bytes_moved


class Conversion(NamedTuple):
    """Copies of one kind on one edge ("embed -> mix.x"), or inside a block of what it made itself or of its weights."""

    edge: str
    what: str  # "int64 to float32", "layout", "cpu to cuda:0"
    calls: int
    bytes: int  # read and written


def conversions(part: Part, *inputs: Tensor | None) -> tuple[Conversion, ...]:
    """Every conversion in one call of `part`, the largest first."""
    sources = {f"{edge.target}.{edge.port}": edge.source for edge in survey(part).edges}
    outermost: Frame = ("", {})
    with following(part, outermost, _frame) as running, _Copies(running, sources) as copies:
        part(*inputs)
    found = [
        Conversion(edge, what, calls, copies.bytes[edge, what])
        for (edge, what), calls in copies.calls.items()
    ]
    return tuple(sorted(found, key=lambda conversion: -conversion.bytes))


Frame = tuple[str, dict[int, str]]  # path of a running part, and the input that each storage belongs to


class _Copies(TorchDispatchMode):
    def __init__(self, running: list[Frame], sources: dict[str, str]) -> None:
        super().__init__()
        self.running = running
        self.sources = sources
        self.calls: Counter[tuple[str, str]] = Counter()
        self.bytes: Counter[tuple[str, str]] = Counter()

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = operation(*args, **(kwargs or {}))
        name = operation.overloadpacket.__name__
        if name in ("_to_copy", "clone", "copy_"):
            before, after = (args[1], args[0]) if name == "copy_" else (args[0], result)
            if what := _change(before, after):
                key = self._edge(before), what
                self.calls[key] += 1
                self.bytes[key] += bytes_moved(operation, args, kwargs or {}, result)
        return result

    def _edge(self, tensor: Tensor) -> str:
        """The edge by which the tensor's memory came to the innermost block that got it as an input."""
        for path, storages in reversed(self.running):
            port = storages.get(_storage(tensor))
            if port and (source := self.sources.get(f"{path}.{port}")):
                return f"{source} -> {path}.{port}"
        return f"inside {self.running[-1][0] or 'the fabric'}"


def _change(before: Tensor, after: Tensor) -> str:
    """What a copy changed, "" if nothing but the place."""
    for one, other in ((before.device, after.device), (before.dtype, after.dtype)):
        if one != other:
            return f"{one} to {other}".replace("torch.", "")
    real = [axis for axis, size in enumerate(before.shape) if size > 1]
    if before.shape == after.shape and any(before.stride(axis) != after.stride(axis) for axis in real):
        return "layout"
    return ""


def _storage(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata


def _frame(path: str, module: Part, inputs: tuple[Tensor | None, ...]) -> Frame:
    pairs = zip(module.contract.inputs, inputs, strict=False)
    storages = {_storage(x): port.name for port, x in pairs if isinstance(x, Tensor)}
    return path.replace(".body", ""), storages  # a loop's body goes by the loop's name
