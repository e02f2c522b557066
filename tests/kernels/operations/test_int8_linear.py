"""What is special to int8_linear: every byte, exact sums, how much memory it takes."""

import pytest
import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from kernels import simt
from kernels.products import int8_linear
from kernels.products.quantized_on_cpu import BLOCK, gradient_on_cpu, linear_on_cpu

ROWS = (1, 3, 16, 17, 40)  # few, many: a CPU changes its way after 16, a GPU after 4


@pytest.mark.parametrize("rows", ROWS)
def test_whole_numbers_are_exact(rows):
    draw = torch.Generator().manual_seed(rows)
    x = torch.randint(-8, 9, (rows, 37), generator=draw).float().requires_grad_()
    weight = torch.randint(-128, 128, (530, 37), generator=draw, dtype=torch.int8)
    scale = torch.tensor([0.5, 1.0, 2.0])[torch.randint(0, 3, (530,), generator=draw)].requires_grad_()
    bias = torch.randint(-8, 9, (530,), generator=draw).float().requires_grad_()
    grad = torch.randint(-8, 9, (rows, 530), generator=draw).float()
    found = int8_linear(x, weight, scale, bias)
    expected = F.linear(x, weight.float() * scale.unsqueeze(-1), bias)
    assert torch.equal(found, expected)
    inputs = x, scale, bias
    for ours, theirs in zip(
        torch.autograd.grad(found, inputs, grad), torch.autograd.grad(expected, inputs, grad), strict=True
    ):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("width", [256, 255, 1])
@pytest.mark.parametrize("rows", [1, 5])
def test_every_byte_on_the_simulated_gpu(rows, width):
    """Four bytes travel as one float32; some of those are nan, and must arrive bit for bit."""
    weight = torch.arange(-128, 128).to(torch.int8).repeat(3)[1 : 2 * width + 1].view(2, width)
    assert weight.storage_offset() % 4  # rows begin where no word does
    quiet, signaling = torch.tensor([[0, 0, -64, 127], [1, 0, -128, 127]], dtype=torch.int8)
    if width == 256:
        weight = torch.cat((weight, quiet.repeat(64).view(1, 256), signaling.repeat(64).view(1, 256)))
    x, scale = torch.ones(rows, width), torch.ones(len(weight))
    x[:, 1::2] = 2
    with simt.simulated():
        found = int8_linear(x, weight, scale)
        grad = int8_linear(x.requires_grad_(), weight, scale)
        (grad_x,) = torch.autograd.grad(grad, x, torch.ones_like(grad))
    assert torch.equal(found, x.detach() @ weight.float().t())
    assert torch.equal(grad_x, weight.float().sum(0).expand_as(x))


@pytest.mark.parametrize("rows", ROWS)
def test_extreme_values(rows):
    """As torch, as long as x times a whole number is no more than float32 holds."""
    weight, scale = torch.tensor([[1, 2], [-3, 0]], dtype=torch.int8), torch.tensor([0.5, 0.25])
    for extreme in (0.0, 1e-45, 1e-20, 1e18, -1e30, float("inf"), float("nan")):
        x = torch.ones(rows, 2)
        x[0, 0] = extreme
        expected = F.linear(x, weight.float() * scale.unsqueeze(-1))
        torch.testing.assert_close(int8_linear(x, weight, scale), expected, equal_nan=True)


class Largest(TorchDispatchMode):
    """The bytes of the largest tensor that any operator makes."""

    bytes = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if not func.is_view:
            sizes = (t.nbytes for t in tree_leaves(result) if isinstance(t, torch.Tensor))
            self.bytes = max(self.bytes, *sizes, 0)
        return result


@pytest.mark.parametrize("rows", [1, 64])
def test_the_weights_never_stand_in_memory_as_numbers(rows):
    weight, scale = torch.ones(4096, 512, dtype=torch.int8), torch.ones(4096, 1)
    x, y = torch.ones(rows, 512), torch.ones(rows, 4096)
    with Largest() as largest:
        linear_on_cpu(x, weight, scale, torch.ones(4096), y.clone(), 512)
        gradient_on_cpu(y, weight, scale, x.clone(), 512)
    assert largest.bytes <= max(4 * BLOCK * 512, y.nbytes) < weight.nbytes
