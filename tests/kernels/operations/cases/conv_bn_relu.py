"""conv_bn_relu with the options of nn.Conv2d and nn.BatchNorm2d."""

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from cases.case import Case, Size, Tensors, normal
from torch import Tensor, nn

from kernels.backend import gpu_present
from kernels.products import conv_bn_relu

DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
DEVICES = ("cpu", "meta", "cuda") if gpu_present() else ("cpu", "meta")
Modules = tuple[nn.Conv2d, nn.BatchNorm2d]


def modules(conv: nn.Conv2d, affine: bool = True) -> Modules:
    """The convolution and a batch normalization with random numbers in everything."""
    draw = torch.Generator().manual_seed(0)
    bn = nn.BatchNorm2d(conv.out_channels, affine=affine).eval()
    for tensor in (*conv.parameters(), *bn.parameters(), bn.running_mean):
        tensor.data = torch.randn(tensor.shape, generator=draw) / tensor[0].numel() ** 0.5
    bn.running_var = torch.rand(conv.out_channels, generator=draw) + 0.5
    return conv.requires_grad_(False), bn.requires_grad_(False)


def _copies(given: Modules) -> dict[tuple[torch.dtype, str], Modules]:
    """The modules in every dtype on every device: float64 ones hold the same numbers as float32 ones."""

    def copy(module: Any, dtype: torch.dtype, device: str) -> Any:
        made = (
            nn.BatchNorm2d(module.num_features, affine=module.affine)
            if isinstance(module, nn.BatchNorm2d)
            else nn.Conv2d(
                module.in_channels, module.out_channels, module.kernel_size, module.stride, module.padding,
                module.dilation, module.groups, module.bias is not None,
            )
        )  # fmt: skip
        made.load_state_dict(module.state_dict())
        return made.to(device, dtype).eval().requires_grad_(False)

    return {
        (dtype, device): (copy(given[0], dtype, device), copy(given[1], dtype, device))
        for dtype in DTYPES
        for device in DEVICES
    }


def _case(name: str, given: Modules, sizes: tuple[Size, ...], tiny: tuple[Size, ...]) -> Case:
    copies = _copies(given)

    def torchs(x: Tensor) -> Tensors:
        conv, bn = copies[x.dtype, x.device.type]
        return (F.relu(bn(conv(x))),)

    def ours(x: Tensor) -> Tensors:
        return (conv_bn_relu(x, *copies[x.dtype, x.device.type]),)

    empty = ((0, *sizes[0][1:]),)
    return Case(
        f"conv_bn_relu-{name}",
        ours,
        torchs,
        lambda size, draw: (normal(draw, *size),),
        sizes,
        tiny,
        empty,
        kept=(0,),
        transforms=False,
        same_bits=False,
    )


CASES = (
    _case(
        "3x3",
        modules(nn.Conv2d(3, 5, 3, padding=1)),
        ((1, 3, 1, 1), (2, 3, 31, 17), (5, 3, 64, 64)),
        ((2, 3, 5, 6),),
    ),
    _case(
        "strided",
        modules(nn.Conv2d(4, 6, (3, 2), (2, 1), (1, 2), (1, 2), groups=2, bias=False), affine=False),
        ((1, 4, 3, 3), (3, 4, 23, 19)),
        ((2, 4, 4, 3),),
    ),
    _case("1x1", modules(nn.Conv2d(7, 70, 1)), ((1, 7, 1, 1), (2, 7, 13, 11)), ((1, 7, 2, 3),)),
    _case(
        "depthwise", modules(nn.Conv2d(8, 8, 3, padding="same", groups=8)), ((1, 8, 9, 9),), ((1, 8, 3, 4),)
    ),
)


def calls() -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Operators with arguments in the order of their schemas; every pixel is under some filter."""
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(2, 4, 5, 6, generator=draw)
    vectors = [torch.rand(6, generator=draw) + 0.5 for _ in range(5)]
    weight, grouped = torch.randn(6, 4, 3, 3, generator=draw), torch.randn(6, 2, 3, 2, generator=draw)
    yield "conv_bn_relu", (x, weight, *vectors, 1e-5, [1, 1], [1, 1], [1, 1], 1)
    yield "conv_bn_relu", (x, grouped, None, *vectors[:2], None, None, 1e-5, [2, 1], [1, 0], [1, 2], 2)


def _refused(x: Tensor | None = None, conv: Any = None, bn: Any = None) -> Tensor:
    conv = nn.Conv2d(3, 4, 3) if conv is None else conv
    return conv_bn_relu(
        torch.randn(2, 3, 5, 5) if x is None else x, conv, nn.BatchNorm2d(4).eval() if bn is None else bn
    )


REFUSED = {
    "a list": (TypeError, lambda: _refused([1.0]), "x must be a tensor, got list"),  # type: ignore[arg-type]
    "three axes": (
        ValueError,
        lambda: _refused(torch.ones(3, 5, 5)),
        r"x must have shape \(batch, 3, height, width\)",
    ),
    "channels": (
        ValueError,
        lambda: _refused(torch.ones(2, 4, 5, 5)),
        r"x must have shape .* got \(2, 4, 5, 5\)",
    ),
    "small": (
        ValueError,
        lambda: _refused(torch.ones(2, 3, 5, 2)),
        "x must be at least 3 wide for this conv, got 2",
    ),
    "linear": (
        TypeError,
        lambda: _refused(conv=nn.Linear(3, 4)),
        "conv must be a torch.nn.Conv2d, got Linear",
    ),
    "another norm": (
        TypeError,
        lambda: _refused(bn=nn.LayerNorm(4)),
        "bn must be a torch.nn.BatchNorm2d, got LayerNorm",
    ),
    "training": (ValueError, lambda: _refused(bn=nn.BatchNorm2d(4)), "bn must be in evaluation mode"),
    "no statistics": (
        ValueError,
        lambda: _refused(bn=nn.BatchNorm2d(4, track_running_stats=False).eval()),
        "bn must have running statistics",
    ),
    "features": (
        ValueError,
        lambda: _refused(bn=nn.BatchNorm2d(5).eval()),
        "bn must have conv's 4 channels, got 5",
    ),
    "reflecting": (
        ValueError,
        lambda: _refused(conv=nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect")),
        "conv.padding_mode must be \"zeros\", got 'reflect'",
    ),
    "uneven": (
        ValueError,
        lambda: _refused(conv=nn.Conv2d(3, 4, 2, padding="same")),
        r'conv.padding "same" must come to as much on both sides, got \[1, 1\]',
    ),
    "double": (
        TypeError,
        lambda: _refused(torch.ones(2, 3, 5, 5).double()),
        "conv.weight must be torch.float64",
    ),
    "half statistics": (
        TypeError,
        lambda: _refused(bn=nn.BatchNorm2d(4).eval().half()),
        "bn.running_mean must be torch.float32",
    ),
}
