"""What is special to int4_linear: two weights a byte, groups with a scale each."""

import pytest
import torch
import torch.nn.functional as F

from kernels import simt
from kernels.products import int4_linear, pack_int4, unpack_int4


def weight_of(packed, scale, group):
    """The formula of the docstring, element by element."""
    outputs, half = packed.shape
    weight = torch.empty(outputs, 2 * half, dtype=scale.dtype)
    for k in range(2 * half):
        byte = packed[:, k // 2].to(scale.dtype)
        q = (byte // 16 if k % 2 else byte % 16) - 8
        weight[:, k] = q * scale[:, k // group]
    return weight


def test_packing_is_as_its_formula_says():
    assert pack_int4(torch.tensor([[-8, 7], [0, 0], [1, -1]])).tolist() == [[0xF0], [0x88], [0x79]]
    every = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(pack_int4(unpack_int4(every)), every)
    values = torch.randint(-8, 8, (3, 5, 14))
    assert torch.equal(unpack_int4(pack_int4(values)).long(), values)
    assert pack_int4(torch.empty(2, 0, dtype=torch.int8)).shape == (2, 0)


@pytest.mark.parametrize("group", [8, 24, 32, 96])
@pytest.mark.parametrize("rows", [1, 4, 5, 33])
def test_whole_numbers_are_exact(rows, group):
    draw = torch.Generator().manual_seed(rows)
    packed = torch.randint(0, 256, (530, 48), generator=draw, dtype=torch.uint8)
    choice = torch.randint(0, 3, (530, 96 // group), generator=draw)
    scale = torch.tensor([0.5, 1.0, 2.0])[choice].requires_grad_()
    x = torch.randint(-8, 9, (rows, 96), generator=draw).float().requires_grad_()
    bias = torch.randint(-8, 9, (530,), generator=draw).float().requires_grad_()
    grad = torch.randint(-8, 9, (rows, 530), generator=draw).float()
    found = int4_linear(x, packed, scale, bias, group)
    expected = F.linear(x, weight_of(packed, scale, group), bias)
    assert torch.equal(found, expected)
    inputs = x, scale, bias
    for ours, theirs in zip(
        torch.autograd.grad(found, inputs, grad), torch.autograd.grad(expected, inputs, grad), strict=True
    ):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("rows", [1, 5])
def test_every_byte_on_the_simulated_gpu(rows):
    packed = torch.arange(256, dtype=torch.uint8).view(1, 256).roll(3)
    x, scale = torch.ones(rows, 512), torch.arange(1.0, 17).view(1, 16)
    x[:, 1::2] = 2
    with simt.simulated():
        found = int4_linear(x, packed, scale)
    assert torch.equal(found, x @ weight_of(packed, scale, 32).t())


@pytest.mark.parametrize("rows", [1, 9])
def test_extreme_values(rows):
    """As torch, as long as x times a whole number is no more than float32 holds."""
    packed, scale = pack_int4(torch.randint(-8, 8, (3, 64))), torch.rand(3, 2) + 0.1
    for extreme in (0.0, 1e-45, 1e-20, 1e18, -1e30, float("inf"), float("nan")):
        x = torch.ones(rows, 64)
        x[0, 5] = extreme
        expected = F.linear(x, weight_of(packed, scale, 32))
        torch.testing.assert_close(
            int4_linear(x, packed, scale), expected, equal_nan=True, rtol=1e-5, atol=1e-4
        )
