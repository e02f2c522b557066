"""Convolution: the same small linear map at every place, so that a pattern is found wherever it stands.

    y[o, p] = Σ_c Σ_k W[o, c, k] · x[c, p·stride + k·dilation] + b[o]        (for pictures p and k are pairs)

`convolve` is this formula without a loop: cut out what each place sees and multiply all of it by one matrix ("im2col";
Chellapilla et al., IWFHR 2006). It copies every number into each window that sees it, nine for 3×3. The blocks call
PyTorch's convolution, which does not; tests hold both equal. What the copies cost, forward and backward, on one core
over PyTorch's: 1.3 to 1.7× for size 3 on (64, 16, 40), 4 to 6× for 3×3 on (64, 16, 14, 14), both to 32 channels.

A *depthwise* convolution filters each channel by itself. *Separable*: depthwise, then 1×1 to mix the channels. For s
taps and o outputs that takes 1/o + 1/s of a full one's multiplications (Howard et al., arXiv 1704.04861, §3.1).
Windows, strides and borders: `workbench/blocks/window.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from workbench.blocks.arguments import at_least, check_shape
from workbench.blocks.linear import draw_uniform
from workbench.blocks.window import PADDING_MODES, Each, windows_along


def convolve(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sequence[int] | None = None,
    dilation: Sequence[int] | None = None,
    groups: int = 1,
) -> Tensor:
    """Convolution as one matrix multiplication for each group: (batch, inputs, n…) -> (batch, outputs, places…).

    x is padded already; weight is (outputs, inputs / groups, size…); works in any number of dimensions.
    """
    seen, size = x, weight.shape[2:]
    ones = (1,) * len(size)
    for axis, (taps, step, gap) in enumerate(
        zip(size, stride or ones, dilation or ones, strict=True), start=2
    ):
        # n becomes places, the taps come last
        seen = seen.unfold(axis, gap * (taps - 1) + 1, step)[..., ::gap]
    # (batch, inputs, places…, taps…), a view: nothing is copied yet
    places = seen.shape[2 : 2 + len(size)]
    seen = seen.flatten(2, 1 + len(size)).flatten(3)  # (batch, inputs, places, taps)
    seen = seen.unflatten(1, (groups, -1)).transpose(2, 3)  # (batch, groups, places, inputs / groups, taps)
    # (groups, outputs / groups, inputs / groups · taps)
    matrix = weight.unflatten(0, (groups, -1)).flatten(2)
    y = seen.flatten(3) @ matrix.mT  # (batch, groups, places, outputs / groups)
    y = y.mT.flatten(1, 2).unflatten(2, places)  # (batch, outputs, places…)
    return y if bias is None else y + bias.view(-1, *ones)


class Convolution(nn.Module):
    """Base of the blocks below; a tensor's axes after the channels are `axes`.

    `size`, `stride`, `padding` and `dilation` are a number, or one for each axis. Raises ValueError naming the argument
    that does not fit, or `x` when its channels differ or an axis is shorter than one window.
    """

    axes: ClassVar[tuple[str, ...]]
    run: ClassVar[Callable[..., Tensor]]  # PyTorch's convolution along these axes
    bias: nn.Parameter | None

    def __init__(
        self,
        inputs: int,
        outputs: int,
        size: Each,
        stride: Each = 1,
        padding: Each | str = 0,
        dilation: Each = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
    ) -> None:
        super().__init__()
        at_least(1, inputs=inputs, outputs=outputs, groups=groups)
        if inputs % groups or outputs % groups:
            raise ValueError(f"groups: expected a divisor of {inputs} and {outputs}, got {groups}")
        if padding_mode not in PADDING_MODES:
            raise ValueError(f"padding_mode: expected one of {PADDING_MODES}, got {padding_mode!r}")
        self.inputs, self.outputs, self.groups, self.padding_mode = inputs, outputs, groups, padding_mode
        self.windows = windows_along(self.axes, size, stride, padding, dilation)
        self.stride = tuple(window.stride for window in self.windows)
        self.dilation = tuple(window.dilation for window in self.windows)
        taps = [window.size for window in self.windows]
        self.weight = nn.Parameter(torch.empty(outputs, inputs // groups, *taps))
        self.register_parameter("bias", nn.Parameter(torch.empty(outputs)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        draw_uniform(self.weight, self.bias)

    @property
    def contract(self) -> str:
        places = [window.places for window in self.windows]
        return f"batch {self.inputs} {' '.join(self.axes)} -> batch {self.outputs} {' '.join(places)}"

    def forward(self, x: Tensor) -> Tensor:  # (batch, inputs, n…)
        self._check(x)
        padding = tuple(window.before for window in self.windows)
        if self.padding_mode != "zeros" or any(window.before != window.after for window in self.windows):
            # PyTorch's convolution adds equally many zeros only
            x, padding = self.pad(x), (0,) * len(padding)
        # (batch, outputs, places…)
        return self.run(x, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)

    def pad(self, x: Tensor) -> Tensor:
        """x with numbers added before and after along its axes: what `convolve` takes."""
        # last axis first
        added = [n for window in reversed(self.windows) for n in (window.before, window.after)]
        return functional.pad(x, added, "constant" if self.padding_mode == "zeros" else self.padding_mode)

    def _check(self, x: Tensor) -> None:
        check_shape("x", x, "batch", self.inputs, *self.axes)
        for window, n in zip(self.windows, x.shape[2:], strict=True):
            if n < (shortest := window.shortest(self.padding_mode)):
                raise ValueError(
                    f"x: expected {window.axis} of at least {shortest}, got shape {tuple(x.shape)}"
                )

    def extra_repr(self) -> str:
        return self.contract


class Conv1d(Convolution):
    """Along one axis, equal to `torch.nn.Conv1d`: (batch, inputs, length) -> (batch, outputs, places)."""

    axes = ("length",)
    run = staticmethod(functional.conv1d)


class Conv2d(Convolution):
    """Over pictures, equal to `torch.nn.Conv2d`: (batch, inputs, height, width) -> (batch, outputs, places…)."""

    axes = ("height", "width")
    run = staticmethod(functional.conv2d)


class Depthwise1d(Conv1d):
    """Each channel with a filter of its own: `Conv1d` with as many groups as channels."""

    def __init__(self, channels: int, size: Each, **options: Any) -> None:
        super().__init__(channels, channels, size, groups=channels, **options)


class Depthwise2d(Conv2d):
    """Each channel with a filter of its own: `Conv2d` with as many groups as channels."""

    def __init__(self, channels: int, size: Each, **options: Any) -> None:
        super().__init__(channels, channels, size, groups=channels, **options)


class Separable(nn.Module):
    """Depthwise, then 1×1: patterns within each channel first, then mixtures of channels.

    A picture has 2 `dimensions`, a signal 1. `options` (stride, padding, dilation, padding_mode) are the depthwise
    convolution's, which needs no bias: the 1×1 one would only multiply it into its own.
    """

    def __init__(
        self, inputs: int, outputs: int, size: Each, dimensions: int = 2, bias: bool = True, **options: Any
    ) -> None:
        super().__init__()
        if dimensions not in (1, 2):
            raise ValueError(f"dimensions: expected 1 or 2, got {dimensions!r}")
        self.depthwise = (Depthwise1d, Depthwise2d)[dimensions - 1](inputs, size, bias=False, **options)
        self.pointwise = (Conv1d, Conv2d)[dimensions - 1](inputs, outputs, 1, bias=bias)

    @property
    def contract(self) -> str:
        before, _, after = self.depthwise.contract.partition(" -> ")
        _, _, *places = after.split()
        return f"{before} -> batch {self.pointwise.outputs} {' '.join(places)}"

    def forward(self, x: Tensor) -> Tensor:  # (batch, inputs, n…)
        return self.pointwise(self.depthwise(x))  # (batch, outputs, places…)
