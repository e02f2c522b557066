"""What is special to layer_norm: exactness far from zero, constant rows, rows of one, and what a row does not feel."""

import pytest
import torch
import torch.nn.functional as F
from cases.checks import in_float64
from cases.layer_norm import CASES

from kernels import ledger, simt
from kernels.norms import layer_norm


@pytest.fixture(params=["twin", "simulated GPU"])
def norm(request):
    """layer_norm, by the CPU twin and by the GPU kernel."""

    def simulated(*arguments):
        with simt.simulated():
            return layer_norm(*arguments)

    return layer_norm if request.param == "twin" else simulated


@pytest.mark.parametrize("mean", [1e4, -1e6])
@pytest.mark.parametrize("width", [5, 131, 1024])
def test_keeps_its_digits_far_from_zero(norm, mean, width):
    """Around 1e4, float32 numbers are 0.001 apart: a rounded mean would be off by half of that."""
    x = (
        torch.randn(3, width, generator=torch.Generator().manual_seed(0), dtype=torch.float64) + mean
    ).float()
    exact = F.layer_norm(x.double(), (width,))
    assert (norm(x) - exact).abs().max() < 4e-6
    shortcut = (x.square().mean(-1) - x.mean(-1).square()).sub(x.double().var(-1, unbiased=False)).abs()
    assert shortcut.max() > 1  # mean(x²) − mean(x)² is left with nothing


def test_gradients_keep_their_digits_far_from_zero():
    x = (torch.randn(7, 515, dtype=torch.float64) + 1e4).float().requires_grad_()
    weight, bias, grad = (
        torch.randn(515, requires_grad=True),
        torch.randn(515, requires_grad=True),
        torch.randn(7, 515),
    )
    found = torch.autograd.grad(layer_norm(x, weight, bias), (x, weight, bias), grad)
    wide = in_float64((x, weight, bias))
    exact = torch.autograd.grad(F.layer_norm(wide[0], (515,), *wide[1:]), wide, grad.double())
    for mine, truth in zip(found, exact, strict=True):
        torch.testing.assert_close(mine.double(), truth, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("outlier", [1e3, 1e6, -1e8])
def test_an_outlier_in_the_first_place_costs_little(norm, outlier):
    """It is the origin all others are measured from: at most √n roundings in units of the deviation."""
    x = torch.randn(2, 400, generator=torch.Generator().manual_seed(1))
    x[:, 0] = outlier
    exact = F.layer_norm(x.double(), (400,))
    assert (norm(x) - exact).abs().max() <= 2 * 400**0.5 * torch.finfo(torch.float32).eps


@pytest.mark.parametrize("value", [0.0, 1 / 3, 12345.678, -1e10, 1e-40])
@pytest.mark.parametrize("width", [1, 3, 70, 4099])
def test_a_constant_row_is_the_bias(norm, value, width):
    weight, bias = torch.randn(width), torch.randn(width)
    assert torch.equal(norm(torch.full((2, width), value), weight, bias), bias.expand(2, width))


def test_adding_a_number_to_a_row_changes_nothing(norm):
    """Powers of two, so that the sums are exact: then the results are equal in every bit."""
    x = torch.randint(-1000, 1000, (4, 77)).float()
    assert torch.equal(norm(x + 2.0**20), norm(x))


def test_scaling_a_row_changes_nothing_but_eps():
    x = torch.randn(4, 77, dtype=torch.float64)
    torch.testing.assert_close(layer_norm(4 * x, eps=16e-5), layer_norm(x, eps=1e-5))


def test_known_values(norm):
    x = torch.tensor([[1.0, 3.0], [-1.0, 1.0], [5.0, 5.0]])
    assert torch.equal(norm(x, None, None, 0.0)[:2], torch.tensor([[-1.0, 1.0], [-1.0, 1.0]]))
    assert torch.equal(norm(x, None, None, 3.0), torch.tensor([[-0.5, 0.5], [-0.5, 0.5], [0.0, 0.0]]))


def test_the_gradient_of_a_row_of_one_is_rounding():
    """Whatever x is, y is the bias; what is left of h − mean(h) is multiplied by 1/√ε."""
    x, weight = torch.randn(50, 1, requires_grad=True), torch.randn(1)
    (found,) = torch.autograd.grad(layer_norm(x, weight), x, torch.randn(50, 1))
    assert found.abs().max() < 10 * torch.finfo(torch.float32).eps / 1e-5**0.5


def test_extreme_values(norm):
    """A nan or an infinity is nan all over its row, and its row alone; where squares overflow a row is 0."""
    for value in (float("inf"), -float("inf"), float("nan")):
        x = torch.randn(3, 9)
        x[1, 4] = value
        found = norm(x)
        assert found[1].isnan().all()
        assert found[::2].isfinite().all()
    for value in (1e-45, 1e-20, 1e18, -1e18):
        x = torch.randn(3, 9)
        x[1, 4] = value
        torch.testing.assert_close(norm(x).double(), F.layer_norm(x.double(), (9,)), rtol=1e-5, atol=1e-5)
    x = torch.ones(2, 9)
    x[0, 4] = 1e30
    assert not norm(x).any()


def test_only_what_is_given_is_learned():
    """No gradient is made up for a weight or bias that is left out, and none is computed that nobody wants."""
    for case in CASES:
        inputs = case.inputs((5, 6))
        assert len(torch.autograd.grad(case.ours(*inputs)[0].sum(), inputs)) == len(inputs)


def test_ledger_in_formulas():
    x, w = torch.empty(10**6, 10**4, device="meta"), torch.empty(10**4, device="meta")  # 40 GB, were it real
    n, width, means = x.numel(), 10**4, 10**6
    assert ledger("layer_norm", x, w, w).bytes == 4 * (2 * n + 2 * width)
    assert ledger("layer_norm", x, w, w).unfused.bytes == 4 * (12 * n + 2 * width + 8 * means)
    backward = ledger("layer_norm_backward", x, x, w, 1e-5, True, True, torch.float32)
    assert backward.bytes == 4 * (3 * n + 3 * width)
    assert backward.unfused.bytes == 4 * (29 * n + 3 * width + 13 * means)
