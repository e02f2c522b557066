"""A fabric without its modularity: the same operations on the same weights, called one behind the other.

Modules, hooks, contracts and the routing between them are Python, a microsecond or two for each block; where tensors
are small that is most of the time. `flatten` has `torch.export` list the operations (`capture.py`) and writes them as
one Python function (`source.py`), which `print(flat.source)` shows.

What was tried, on 16 linear maps of width 8 in nested fabrics, one row (× the fabric's speed, CPU, torch 2.13):

    bare functions, by hand                             4.0
    captured, weights looked up, torch's own functions  3.7    this file
    captured, torch.ops as captured                     2.4
    modules called one behind the other                 1.8
    make_fx(pre_dispatch=True)                          1.8
    torch.export.export(fabric).module()                0.7    checks and unpacks its inputs anew at each call

A decoder that loops over five steps gains 2.0, with gradients noted 1.5 to 1.9. Our fused operations (`kernels`) are
captured as registered operations and lose the shorter way they take otherwise: eight norms in a row gain 1.2 without
gradients and come out at 0.8 with them. On large tensors there is nothing to gain. So measure: `flat.gain(*inputs)`.

What it cannot do: a loop is unrolled at the steps of the example, and other steps are refused; Python that looks at the
numbers in a tensor cannot be captured; hooks run at the capture and never again; a block swapped later is not seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import torch
from torch import Tensor, nn

from workbench.fabric.contract import Contract
from workbench.fabric.flat.capture import FlattenError, capture
from workbench.fabric.flat.source import REFUSE, Source, write
from workbench.fabric.part import Part
from workbench.fabric.port import shown
from workbench.profiling import Timing, compare


class Flat(nn.Module):
    """What `flatten` gives; `fabric` is the one it came from, with the very weights it computes with.

    It runs in the fabric's mode, train or eval; a mode it has not met is captured at the first call in it.
    """

    def __init__(self, fabric: Part, compiled: bool = False) -> None:
        super().__init__()
        self.fabric = fabric
        self.compiled = compiled
        self._sources: dict[bool, Source] = {}
        self._runs: dict[bool, Callable[..., Any]] = {}

    @property
    def contract(self) -> Contract:
        """The fabric's, so that a flat one can be a block itself."""
        return self.fabric.contract

    @property
    def source(self) -> str:
        """The function that runs, as text."""
        return self._sources[self.fabric.training].text

    def forward(self, *inputs: Tensor | None) -> Any:
        run = self._runs.get(self.fabric.training) or self.add(*inputs)
        return run(*inputs)

    def add(self, *inputs: Tensor | None) -> Callable[..., Any]:
        """Captures the mode the fabric is in, with inputs like these. Raises as `flatten` does."""
        mode = self.fabric.training
        source = write(capture(self.fabric, inputs), self.contract.inputs)
        run = self._bound(source)
        _compare(self.fabric, run, inputs)
        self._sources[mode] = source
        self._runs[mode] = torch.compile(run) if self.compiled else run
        return self._runs[mode]

    def gain(self, *inputs: Tensor | None, repeats: int = 20) -> Timing:
        """The fabric and the flat one timed in turns on these inputs; `gain().ratio("fabric", "flat")` is the gain."""
        calls = {"fabric": lambda: self.fabric(*inputs), "flat": lambda: self(*inputs)}
        return compare(calls, repeats, device=device_of(inputs))

    def _bound(self, source: Source) -> Callable[..., Any]:
        """The source as a function on this fabric's weights."""
        tensors = {
            name: getattr(self.fabric.get_submodule(path), kind)
            for name, (path, kind) in source.owners.items()
        }
        names = {**source.names, **tensors, REFUSE: self._refuse}
        exec(compile(source.text, f"<flat {self.fabric.described()}>", "exec"), names)
        return names["run"]

    def _refuse(self, *inputs: Any) -> NoReturn:
        given = ", ".join(
            f"{port.name} {shown(value.shape, value.dtype) if isinstance(value, Tensor) else value}"
            for port, value in zip(self.contract.inputs, inputs, strict=False)
        )
        takes = self._sources[self.fabric.training].takes
        raise FlattenError(
            f"inputs: flattened for {takes}, got {given}; flatten again with inputs like these"
        )

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_runs": {}}  # a copy gets functions on its own weights

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for mode, source in self._sources.items():
            run = self._bound(source)
            self._runs[mode] = torch.compile(run) if self.compiled else run


def flatten(fabric: Part, *inputs: Tensor | None, compile: bool = False) -> Flat:
    """The same computation as one function, on the same weights: train one and you train the other.

    Axes that the contract names stay free where the blocks allow it; other sizes are refused. `compile` hands the
    function to `torch.compile`, which fuses operations and takes seconds to minutes at the first call. Raises
    FlattenError naming the block that cannot be captured, ContractError for inputs that do not fit.
    """
    flat = Flat(fabric, compile)
    flat.add(*inputs)
    flat.training = fabric.training  # not train(), which would set every block's
    return flat


def device_of(inputs: Sequence[Tensor | None]) -> torch.device:
    """Where a call on these inputs does its work, and must be timed."""
    return next((value.device for value in inputs if value is not None), torch.device("cpu"))


def _compare(fabric: Part, run: Callable[..., Any], inputs: tuple[Tensor | None, ...]) -> None:
    """Both once, on the same inputs and random numbers. Raises FlattenError when they differ."""
    with torch.no_grad():
        with _unchanged(fabric):
            expected = fabric(*inputs)
        with _unchanged(fabric):
            got = run(*inputs)
    try:
        torch.testing.assert_close(got, expected, equal_nan=True)
    except AssertionError as error:
        raise FlattenError(f"cannot flatten {fabric.described()}: the result differs: {error}") from None


@contextmanager
def _unchanged(module: nn.Module) -> Iterator[None]:
    """Puts buffers and random numbers back."""
    buffers = {buffer: buffer.clone() for buffer in module.buffers()}
    devices = sorted({tensor.get_device() for tensor in module.parameters() if tensor.is_cuda})
    with torch.random.fork_rng(devices):
        try:
            yield
        finally:
            for buffer, before in buffers.items():
                buffer.copy_(before)
