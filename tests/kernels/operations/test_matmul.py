"""Products with an epilogue: known values, what is saved for the backward pass, and how the GPU kernels work."""

import pytest
import torch
import torch.nn.functional as F

from kernels import simt
from kernels.products import matmul
from kernels.products.epilogue import ACTIVATIONS
from kernels.products.product import product


def test_known_values():
    a, b = torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, -1.0], [1.0, -2.0]])
    assert torch.equal(matmul(a, b), torch.tensor([[5.0, -5.0]]))
    assert torch.equal(matmul(a, b, torch.tensor([1.0, 7.0]), "relu"), torch.tensor([[6.0, 2.0]]))


def test_without_depth_only_the_bias_is_left():
    bias = torch.tensor([-1.0, 2.0, 3.0], requires_grad=True)
    y = matmul(torch.empty(4, 0), torch.empty(0, 3), bias, "relu")
    assert torch.equal(y, bias.relu().expand(4, 3))
    (grad,) = torch.autograd.grad(y.sum(), bias)
    assert torch.equal(grad, torch.tensor([0.0, 4.0, 4.0]))


def test_one_row_without_a_row_axis():
    a, b = torch.randn(5), torch.randn(5, 3)
    torch.testing.assert_close(matmul(a, b), a @ b)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_saves_no_more_than_the_backward_pass_needs(activation):
    """A frozen weight needs no input; only the slopes of GELU and SiLU need a tensor of their own, z."""
    a, b = torch.randn(6, 8, requires_grad=True), torch.randn(8, 4)
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t) or t, lambda t: t):
        y = matmul(a, b, activation=activation)
    addresses = {tensor.data_ptr() for tensor in saved}
    assert a.data_ptr() not in addresses
    own = addresses - {b.data_ptr(), y.data_ptr()}
    assert len(own) == (activation in ("gelu", "gelu_tanh", "silu"))
    assert (y.data_ptr() in addresses) == (activation == "relu")


def test_nothing_is_kept_where_no_gradient_is_wanted():
    a, b = torch.randn(3, 8, requires_grad=True), torch.randn(8, 4)
    with torch.no_grad(), simt.simulated() as launches:
        matmul(a, b, activation="gelu")
    assert launches[0].counters.global_store_requests == 3  # of y's rows; z would be three more


def test_transposed_factors_are_not_copied():
    """A linear layer's weight.t() and its own transpose give the same bits, and both are read in place."""
    a, weight = torch.randn(70, 40), torch.randn(66, 40)
    with simt.simulated() as launches:
        mine = matmul(a, weight.t())
        copied = matmul(a.t().contiguous().t(), weight.t().contiguous())
    assert torch.equal(mine, copied)
    assert launches.bytes_read(weight) == weight.nbytes
    torch.testing.assert_close(mine, F.linear(a, weight))


def test_no_bank_conflicts_in_float32():
    for a, b in (
        (torch.randn(65, 40), torch.randn(40, 66)),
        (torch.randn(40, 65).t(), torch.randn(66, 40).t()),
    ):
        with simt.simulated() as launches:
            matmul(a, b)
        assert launches[0].counters.shared_bank_conflicts == 0
        assert not launches[0].hazards


def test_large_products_take_large_tiles(monkeypatch):
    """The kernel with tiles of 128 by 128 gives what the other one gives, and asks memory for half as much."""
    a, b, bias = torch.randn(130, 16), torch.randn(16, 129), torch.randn(129)
    with simt.simulated() as small:
        expected, kept = product(a, b, torch.float32, bias, "gelu", keep=True)
    monkeypatch.setattr("kernels.products.product.ENOUGH", 1)
    with simt.simulated() as large:
        found, also_kept = product(a, b, torch.float32, bias, "gelu", keep=True)
    assert torch.equal(found, expected)
    assert torch.equal(kept, also_kept)
    sectors = [launches[0].counters.global_load_sectors for launches in (small, large)]
    assert sectors[1] < 0.75 * sectors[0]


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_nan_and_infinity_pass_as_in_torch(activation):
    a = torch.tensor([[float("nan")], [float("inf")], [-1e30]])
    b = torch.ones(1, 5)
    with simt.simulated():
        found = matmul(a, b, activation=activation)
    assert found[0].isnan().all()
    assert (found[1] == float("inf")).all()
    assert torch.equal(found[2], matmul(a, b, activation=activation)[2])
