"""What is compared: an operation of ours, what a good user of torch would write in its place, and inputs of any size.

One number, the *size*, says how large a case is: 128 is small (128×128 numbers, everything in a cache), 4096 large
(64 MB in float32). Each case file says what shapes it makes of it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor

import kernels

Call = Callable[..., Any]
Arguments = tuple[Any, ...]


class Draw:
    """Random inputs, the same in every run, on a device and in a dtype."""

    def __init__(self, device: str = "cpu", dtype: torch.dtype = torch.float32, seed: int = 0) -> None:
        self.device, self.dtype = device, dtype
        self.generator = torch.Generator().manual_seed(seed)

    def normal(self, *shape: int) -> Tensor:
        """Standard normal numbers."""
        return self.place(torch.randn(shape, generator=self.generator))

    def integers(self, low: int, high: int, *shape: int, dtype: torch.dtype = torch.int64) -> Tensor:
        """Whole numbers from `low` up to, not including, `high`."""
        return torch.randint(low, high, shape, generator=self.generator, dtype=dtype).to(self.device)

    def place(self, tensor: Tensor) -> Tensor:
        """A tensor made elsewhere, on the device; floating-point numbers in the dtype."""
        return tensor.to(self.device, self.dtype if tensor.is_floating_point() else None)


@dataclass(frozen=True)
class Case:
    """An operation, in one of its variants, beside what does the same in torch."""

    operation: str  # the public name: `kernels.<operation>`
    inputs: Callable[[int, Draw], Arguments]  # of a size, as our operation takes them
    torch: Call
    variant: str = ""  # which of several cases of one operation: "causal"
    options: Mapping[str, Any] = field(default_factory=dict)  # keyword arguments of our operation
    theirs: Callable[..., Arguments] = lambda *inputs: (
        inputs
    )  # the same inputs as torch takes them, made once
    others: Mapping[str, Call] = field(default_factory=dict)  # further ways to write it in torch
    liger: Callable[[Any], Call] | None = None  # given liger_kernel.transformers.functional
    kind: Literal["elementwise", "rows", "other"] = (
        "other"  # "rows": each result needs a whole row (norms, softmax)
    )
    trains: bool = True  # whether it is also timed with its backward pass
    without_gradient: tuple[int, ...] = ()  # places of floating-point inputs that need none
    in_place: bool = False  # overwrites its inputs and makes nothing new
    apart: str = ""  # why the rival's work is not the same; such a case stays out of the means

    @property
    def name(self) -> str:
        return f"{self.operation} {self.variant}".rstrip()

    @property
    def ours(self) -> Call:
        """Our operation with this case's options."""
        function = getattr(kernels, self.operation)
        return partial(function, **self.options) if self.options else function

    def wants_gradient(self, place: int, value: Any) -> bool:
        """Whether this input is one that training would want a gradient for."""
        return isinstance(value, Tensor) and value.is_floating_point() and place not in self.without_gradient
