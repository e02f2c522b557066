"""What is special to rms_norm and add_rms_norm: large numbers, and what a row does not feel."""

import pytest
import torch
from cases.checks import gradients, in_float64
from cases.norms import CASES

from kernels import rms_norm, simt


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_gradients_of_large_values_stay_finite(case, device):
    inputs = case.inputs((4, 6), device=device)
    with torch.no_grad():
        inputs[0][:, 1] = torch.tensor([1e15, -1e15, 1e10, -1e10])
    wide = in_float64(inputs)
    found, exact = gradients(case.ours(*inputs), inputs), gradients(case.torchs(*wide), wide)
    for mine, truth in zip(found, exact, strict=True):
        assert mine.isfinite().all()
        torch.testing.assert_close(mine.double(), truth, rtol=1e-4, atol=1e-4)


def test_scaling_a_row_by_a_power_of_two_changes_no_bit():
    x, weight = torch.randn(4, 77), torch.randn(77)
    with simt.simulated():
        simulated = rms_norm(8 * x, weight, 0.0), rms_norm(x, weight, 0.0)
    assert torch.equal(*simulated)
    assert torch.equal(rms_norm(8 * x, weight, 0.0), rms_norm(x, weight, 0.0))


def test_more_rows_than_blocks_share_the_sum_over_rows():
    """The backward kernel has at most 512 blocks: some begin their share with one row and add others."""
    x, weight, grad = torch.randn(1030, 4), torch.randn(4), torch.randn(1030, 4)
    exact = (grad.double() * torch.nn.functional.rms_norm(x.double(), (4,), eps=1e-6)).sum(0)
    with simt.simulated() as launches:
        found = torch.ops.workbench.rms_norm_backward(grad, x, weight, 1e-6, None, False, True)[1]
    assert launches[0].grid == (512,)
    torch.testing.assert_close(found.double(), exact, rtol=1e-5, atol=1e-4)
