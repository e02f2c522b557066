"""Exact for any options in float64, and what it refuses and leaves alone."""

import pytest
import torch
from cases.conv_bn_relu import modules
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from kernels import simt
from kernels.products import conv_bn_relu


@settings(max_examples=20, deadline=None)
@given(
    groups=st.integers(1, 3),
    per_group=st.integers(1, 3),
    out=st.integers(1, 3),
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    padding=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    dilation=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    bias=st.booleans(),
    affine=st.booleans(),
    simulated=st.booleans(),
)
def test_exact_in_float64(groups, per_group, out, kernel, stride, padding, dilation, bias, affine, simulated):
    conv = nn.Conv2d(groups * per_group, groups * out, kernel, stride, padding, dilation, groups, bias)
    conv, bn = (module.double() for module in modules(conv, affine))
    x = torch.randn(2, groups * per_group, 8, 9, dtype=torch.float64)
    expected = torch.relu(bn(conv(x)))
    if simulated:
        with simt.simulated() as launches:
            found = conv_bn_relu(x, conv, bn)
        assert not launches[0].hazards
    else:
        found = conv_bn_relu(x, conv, bn)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_leaves_the_modules_alone():
    conv, bn = modules(nn.Conv2d(3, 4, 3))
    before = [tensor.clone() for module in (conv, bn) for tensor in module.state_dict().values()]
    conv_bn_relu(torch.randn(2, 3, 6, 6), conv, bn)
    after = [tensor for module in (conv, bn) for tensor in module.state_dict().values()]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_backward_is_refused():
    conv, bn = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4).eval()
    y = conv_bn_relu(torch.randn(2, 3, 6, 6), conv, bn)
    with pytest.raises(RuntimeError, match="conv_bn_relu has no gradient"):
        y.sum().backward()


def test_same_padding_and_channels_last():
    conv, bn = modules(nn.Conv2d(3, 4, (3, 5), padding="same", dilation=(2, 1)))
    x = torch.randn(2, 3, 6, 7).contiguous(memory_format=torch.channels_last)
    found = conv_bn_relu(x, conv, bn)
    assert found.is_contiguous()
    torch.testing.assert_close(found, torch.relu(bn(conv(x))), rtol=1e-5, atol=1e-5)


def test_no_bank_conflicts_in_float32():
    conv, bn = modules(nn.Conv2d(5, 66, 3, padding=1))
    with simt.simulated() as launches:
        conv_bn_relu(torch.randn(1, 5, 8, 9), conv, bn)
    assert launches[0].counters.shared_bank_conflicts == 0
