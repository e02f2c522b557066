"""Convolutions are torch's, and both are the formula: one matrix multiplication over all windows."""

import math

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from workbench.blocks.convolution import (
    Conv1d,
    Conv2d,
    Convolution,
    Depthwise1d,
    Depthwise2d,
    Separable,
    convolve,
)
from workbench.blocks.window import PADDING_MODES

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
FEW = st.integers(1, 3)
MODES = st.sampled_from(PADDING_MODES)


@st.composite
def some_options(draw, dimensions):
    """Arguments of a convolution, ours by name, with one number or a pair of them."""
    each = {1: FEW, 2: FEW | st.tuples(FEW, FEW)}[dimensions]
    chosen = {
        "size": draw(each),
        "dilation": draw(each),
        "padding_mode": draw(MODES),
        "bias": draw(st.booleans()),
    }
    if draw(st.booleans()):
        return chosen | {"padding": "same"}
    none = {1: st.integers(0, 3), 2: st.integers(0, 3) | st.tuples(st.integers(0, 3), st.integers(0, 3))}[
        dimensions
    ]
    return chosen | {"stride": draw(each), "padding": draw(none)}


def as_torchs(options):
    return {"kernel_size" if name == "size" else name: value for name, value in options.items()}


def long_enough(block: Convolution, numbers) -> bool:
    shortest = [window.shortest(block.padding_mode) for window in block.windows]
    return all(n >= least for n, least in zip(numbers, shortest, strict=True))


@settings(deadline=None, max_examples=60)
@given(
    options=some_options(1),
    inputs=FEW,
    outputs=FEW,
    groups=FEW,
    batch=st.integers(0, 3),
    length=st.integers(1, 9),
)
def test_conv1d_is_torchs(same, draw, options, inputs, outputs, groups, batch, length):
    channels = inputs * groups, outputs * groups
    ours = Conv1d(*channels, groups=groups, **options)
    assume(long_enough(ours, [length]))
    same(ours, nn.Conv1d(*channels, groups=groups, **as_torchs(options)), draw(batch, channels[0], length))


@settings(deadline=None, max_examples=60)
@given(
    options=some_options(2),
    inputs=FEW,
    outputs=FEW,
    groups=FEW,
    batch=st.integers(0, 2),
    sides=st.tuples(*[st.integers(1, 8)] * 2),
)
def test_conv2d_is_torchs(same, draw, options, inputs, outputs, groups, batch, sides):
    channels = inputs * groups, outputs * groups
    ours = Conv2d(*channels, groups=groups, **options)
    assume(long_enough(ours, sides))
    same(ours, nn.Conv2d(*channels, groups=groups, **as_torchs(options)), draw(batch, channels[0], *sides))


@pytest.mark.parametrize("dimensions", [1, 2])
@settings(deadline=None, max_examples=60)
@given(data=st.data(), groups=FEW, batch=FEW, sides=st.tuples(*[st.integers(1, 8)] * 2))
def test_the_formula_is_what_the_blocks_compute(same, draw, dimensions, data, groups, batch, sides):
    """`convolve` on the padded input: outputs and all gradients."""
    options = data.draw(some_options(dimensions))
    kind = (Conv1d, Conv2d)[dimensions - 1]
    block = kind(2 * groups, 3 * groups, groups=groups, **options)
    assume(long_enough(block, sides[:dimensions]))

    def by_formula(block, x):
        return convolve(block.pad(x), block.weight, block.bias, block.stride, block.dilation, block.groups)

    other = kind(2 * groups, 3 * groups, groups=groups, **options)
    same(block, other, draw(batch, 2 * groups, *sides[:dimensions]), call=by_formula)


def test_the_formula_has_defaults_and_any_number_of_dimensions(draw):
    x, weight, bias = draw(2, 3, 4, 5, 6), draw(7, 3, 2, 3, 1), draw(7)
    torch.testing.assert_close(convolve(x, weight, bias), functional.conv3d(x, weight, bias))


@pytest.mark.parametrize("dimensions", [1, 2])
def test_depthwise_is_a_filter_for_each_channel(same, draw, dimensions):
    kind, theirs = ((Depthwise1d, nn.Conv1d), (Depthwise2d, nn.Conv2d))[dimensions - 1]
    x = draw(2, 4, *[7] * dimensions)
    block = kind(4, 3, stride=2, padding=1)
    same(block, theirs(4, 4, 3, stride=2, padding=1, groups=4), x)
    apart = torch.cat(
        [
            convolve(block.pad(x)[:, c : c + 1], block.weight[c : c + 1], block.bias[c : c + 1], block.stride)
            for c in range(4)
        ],
        1,
    )
    torch.testing.assert_close(block(x), apart)


@pytest.mark.parametrize("dimensions", [1, 2])
def test_separable_is_depthwise_then_pointwise(same, draw, dimensions):
    conv = (nn.Conv1d, nn.Conv2d)[dimensions - 1]

    class Theirs(nn.Module):
        def __init__(self):
            super().__init__()
            self.depthwise = conv(4, 4, 3, stride=2, dilation=2, groups=4, bias=False)
            self.pointwise = conv(4, 6, 1)

        def forward(self, x):
            return self.pointwise(self.depthwise(x))

    same(Separable(4, 6, 3, dimensions, stride=2, dilation=2), Theirs(), draw(2, 4, *[9] * dimensions))


def test_separable_takes_the_share_of_the_work_that_the_docstring_says():
    full, thin = Conv2d(64, 32, 3, bias=False), Separable(64, 32, 3, bias=False)
    share = sum(p.numel() for p in thin.parameters()) / full.weight.numel()
    assert share == pytest.approx(1 / 32 + 1 / 9)


@pytest.mark.parametrize("mode", PADDING_MODES)
def test_views_are_taken(same, draw, mode):
    pictures = draw(2, 9, 7, 3).permute(0, 3, 1, 2)[:, :, ::2]  # as stored: channels last
    same(
        Conv2d(3, 4, 3, padding=1, padding_mode=mode),
        nn.Conv2d(3, 4, 3, padding=1, padding_mode=mode),
        pictures,
    )
    sound = draw(2, 9, 3).mT
    same(
        Conv1d(3, 4, 3, padding=1, padding_mode=mode), nn.Conv1d(3, 4, 3, padding=1, padding_mode=mode), sound
    )


@pytest.mark.parametrize(("ours", "theirs"), [(Conv1d, nn.Conv1d), (Conv2d, nn.Conv2d)])
@pytest.mark.parametrize("bias", [True, False])
def test_it_starts_where_torch_does(ours, theirs, bias):
    torch.manual_seed(1)
    block = ours(8, 16, 5, groups=2, bias=bias)
    torch.manual_seed(1)
    torch.testing.assert_close(block.state_dict(), theirs(8, 16, 5, groups=2, bias=bias).state_dict())
    bound = 1 / math.sqrt(8 / 2 * 5 ** len(block.axes))
    assert 0.9 * bound < block.weight.abs().max() <= bound


@pytest.mark.parametrize("dimensions", [1, 2])
@settings(deadline=None, max_examples=60)
@given(data=st.data(), sides=st.tuples(*[st.integers(1, 9)] * 2))
def test_the_contract_tells_the_shape(keeps_contract, dimensions, data, sides):
    options = data.draw(some_options(dimensions))
    block = (Conv1d, Conv2d)[dimensions - 1](2, 3, **options)
    assume(long_enough(block, sides[:dimensions]))
    keeps_contract(block, torch.zeros(2, 2, *sides[:dimensions]))


def test_contracts(keeps_contract):
    assert Conv1d(3, 8, 3, padding=1).contract == "batch 3 length -> batch 8 length"
    assert Conv1d(3, 8, 3, stride=2, padding=1).contract == "batch 3 length -> batch 8 (length+1)//2"
    assert Conv1d(3, 8, 5).contract == "batch 3 length -> batch 8 length-4"
    assert Conv1d(3, 8, 2, stride=2).contract == "batch 3 length -> batch 8 length//2"
    assert Conv2d(3, 8, (3, 1), padding="same").contract == "batch 3 height width -> batch 8 height width"
    assert Depthwise1d(3, 3, padding=2).contract == "batch 3 length -> batch 3 length+2"
    block = Separable(3, 8, 3, stride=2)
    assert block.contract == "batch 3 height width -> batch 8 (height-1)//2 (width-1)//2"
    keeps_contract(block, torch.zeros(2, 3, 9, 8))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"inputs": 0}, "inputs: expected at least 1, got 0"),
        ({"outputs": 0}, "outputs: expected at least 1"),
        ({"size": 0}, "size: expected at least 1"),
        ({"size": (3, 3)}, r"size: expected one number or 1, got \(3, 3\)"),
        ({"stride": 0}, "stride: expected at least 1"),
        ({"dilation": 0}, "dilation: expected at least 1"),
        ({"padding": -1}, "padding: expected at least 0"),
        ({"padding": "valid"}, "padding: expected a number or \"same\", got 'valid'"),
        ({"padding": "same", "stride": 2}, 'stride: expected 1 with padding="same", got 2'),
        ({"groups": 3}, "groups: expected a divisor of 4 and 6, got 3"),
        ({"padding_mode": "mirror"}, "padding_mode: expected one of"),
    ],
)
def test_arguments_that_do_not_fit(arguments, message):
    with pytest.raises(ValueError, match=message):
        Conv1d(**{"inputs": 4, "outputs": 6, "size": 3} | arguments)


@pytest.mark.parametrize(
    ("block", "shape", "message"),
    [
        (Conv1d(3, 4, 3), (2, 4, 9), r"x: expected shape \(batch, 3, length\), got \(2, 4, 9\)"),
        (Conv1d(3, 4, 3), (3, 9), r"x: expected shape \(batch, 3, length\), got \(3, 9\)"),
        (Conv2d(3, 4, 3), (2, 3, 9), r"x: expected shape \(batch, 3, height, width\)"),
        (Conv1d(3, 4, 5, padding=1), (2, 3, 2), r"x: expected length of at least 3, got shape \(2, 3, 2\)"),
        (Conv2d(3, 4, 3, dilation=(1, 2)), (2, 3, 4, 4), "x: expected width of at least 5"),
        (Conv1d(3, 4, 3, padding=2, padding_mode="reflect"), (2, 3, 2), "x: expected length of at least 3"),
        (Conv1d(3, 4, 3, padding=2, padding_mode="circular"), (2, 3, 1), "x: expected length of at least 2"),
        (Conv1d(3, 4, 1), (2, 3, 0), "x: expected length of at least 1"),
    ],
)
def test_inputs_that_do_not_fit(block, shape, message):
    with pytest.raises(ValueError, match=message):
        block(torch.zeros(shape))


@pytest.mark.parametrize("mode", PADDING_MODES)
@pytest.mark.parametrize("padding", [0, 1, 3])
def test_the_shortest_input_is_the_shortest_torch_takes(mode, padding):
    ours = Conv1d(1, 1, 3, padding=padding, padding_mode=mode)
    theirs = nn.Conv1d(1, 1, 3, padding=padding, padding_mode=mode)
    shortest = ours.windows[0].shortest(mode)
    assert ours(torch.zeros(1, 1, shortest)).shape == theirs(torch.zeros(1, 1, shortest)).shape
    with pytest.raises(RuntimeError):
        theirs(torch.zeros(1, 1, shortest - 1))


def test_separable_has_one_or_two_dimensions():
    with pytest.raises(ValueError, match="dimensions: expected 1 or 2, got 3"):
        Separable(3, 4, 3, dimensions=3)
