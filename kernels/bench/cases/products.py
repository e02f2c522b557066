"""Matrix products and what stands in for them.

matmul: (size, size/4)·(size/4, size), as the first layer of a transformer's MLP. int8 and int4: one row (a token being
generated), int8 also 32, by (size, size) weights. conv_bn_relu: 8 pictures of size/64 channels, at least 4, and as many
pixels a side, at least 8.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kernels.bench.case import Arguments, Case, Draw
from kernels.products.packing import unpack_int4

GROUP = 32  # weights that share a scale
FULL_WEIGHTS = "torch multiplies by weights in x's dtype"


def _factors(size: int, draw: Draw) -> Arguments:
    inner = max(1, size // 4)
    return draw.normal(size, inner), draw.normal(inner, size) / inner**0.5


def _with_bias(size: int, draw: Draw) -> Arguments:
    return *_factors(size, draw), draw.normal(size)


def _linear_gelu(a: Tensor, b: Tensor, bias: Tensor) -> Tensor:
    return F.gelu(torch.addmm(bias, a, b))


def _int8_linear(rows: int) -> Case:
    def inputs(size: int, draw: Draw) -> Arguments:
        weight = draw.integers(-127, 128, size, size, dtype=torch.int8)
        return draw.normal(rows, size), weight, draw.normal(size).abs() / (127 * size**0.5)

    def dequantized(x: Tensor, weight: Tensor, scale: Tensor) -> Arguments:
        return x, weight.to(x.dtype) * scale[:, None]

    return Case(
        "int8_linear",
        inputs,
        F.linear,
        variant="" if rows == 1 else f"{rows} rows",
        theirs=dequantized,
        trains=False,
        apart=FULL_WEIGHTS,
    )


def _packed(size: int, draw: Draw) -> Arguments:
    width = GROUP * -(-size // GROUP)  # whole groups
    packed = draw.integers(0, 256, size, width // 2, dtype=torch.uint8)
    return draw.normal(1, width), packed, draw.normal(size, width // GROUP).abs() / (8 * width**0.5)


def _unpacked(x: Tensor, packed: Tensor, scale: Tensor) -> Arguments:
    return x, unpack_int4(packed).to(x.dtype) * scale.repeat_interleave(GROUP, 1)


def _picture(size: int, draw: Draw) -> Arguments:
    channels, side = max(4, size // 64), max(8, size // 64)
    conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
    norm = nn.BatchNorm2d(channels).eval()
    modules = [module.to(draw.device, draw.dtype).requires_grad_(False) for module in (conv, norm)]
    conv.weight.copy_(draw.normal(channels, channels, 3, 3) / (9 * channels) ** 0.5)
    norm.load_state_dict(
        {"running_mean": draw.normal(channels), "running_var": draw.normal(channels) ** 2 + 0.5}, strict=False
    )
    return draw.normal(8, channels, side, side), *modules


def _conv_bn_relu(x: Tensor, conv: nn.Conv2d, norm: nn.BatchNorm2d) -> Tensor:
    return F.relu(norm(conv(x)))


CASES = (
    Case("matmul", _factors, torch.matmul),
    Case("matmul", _with_bias, _linear_gelu, variant="bias gelu", options={"activation": "gelu"}),
    _int8_linear(rows=1),
    _int8_linear(rows=32),
    Case("int4_linear", _packed, F.linear, theirs=_unpacked, trains=False, apart=FULL_WEIGHTS),
    Case("conv_bn_relu", _picture, _conv_bn_relu, trains=False),
)
