"""cross_entropy: values known by hand, every option against torch's own, and rows that do not count."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import simt
from kernels.losses import cross_entropy

REDUCTIONS = ("none", "mean", "sum")
inf, nan = float("inf"), float("nan")


def loss_and_gradient(logits, target, function=cross_entropy, seed=0, **options):
    logits = logits.detach().requires_grad_()
    loss = function(logits, target, **options)
    grad = torch.randn(loss.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return loss.detach(), torch.autograd.grad(loss, logits, grad.to(loss.dtype))[0]


def test_values_known_by_hand():
    logits = torch.tensor([[0.0, math.log(3)]], dtype=torch.float64)  # probabilities 1/4 and 3/4
    for target, smoothing, loss, gradient in (
        (1, 0.0, math.log(4 / 3), (1 / 4, -1 / 4)),
        (0, 0.0, math.log(4), (-3 / 4, 3 / 4)),
        (0, 0.5, math.log(4) - math.log(3) / 4, (1 / 4 - 3 / 4, 3 / 4 - 1 / 4)),
        (0, 1.0, math.log(4) - math.log(3) / 2, (1 / 4 - 1 / 2, 3 / 4 - 1 / 2)),
    ):
        x = logits.clone().requires_grad_()
        found = cross_entropy(x, torch.tensor([target]), label_smoothing=smoothing)
        assert found.item() == pytest.approx(loss, rel=1e-14)
        (slope,) = torch.autograd.grad(found, x)
        assert slope[0].tolist() == pytest.approx(gradient, rel=1e-14)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(1, 9),
    classes=st.integers(1, 40),
    ignore_index=st.sampled_from([-100, -1, 0, 3, 10**12]),
    smoothing=st.sampled_from([0.0, 0.1, 0.7, 1.0]),
    reduction=st.sampled_from(REDUCTIONS),
    seed=st.integers(0, 2**31),
)
def test_every_option_as_in_torch(rows, classes, ignore_index, smoothing, reduction, seed):
    draw = torch.Generator().manual_seed(seed)
    logits = torch.randn(rows, classes, generator=draw, dtype=torch.float64) * 5
    target = torch.randint(classes, (rows,), generator=draw)
    target[torch.rand(rows, generator=draw) < 0.3] = ignore_index
    options = {"ignore_index": ignore_index, "label_smoothing": smoothing, "reduction": reduction}
    if (target == ignore_index).all():
        target[0] = (ignore_index == 0) * (classes - 1)  # a class that counts, unless 0 is the only one
    found, wanted = (
        loss_and_gradient(logits, target, function, **options)
        for function in (cross_entropy, F.cross_entropy)
    )
    torch.testing.assert_close(found[0], wanted[0], rtol=1e-12, atol=1e-12, equal_nan=True)
    if found[0].isfinite().all():
        torch.testing.assert_close(found[1], wanted[1], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("simulated", [False, True])
def test_all_rows_ignored(simulated):
    logits, target = torch.randn(3, 5), torch.full((3,), -100)
    with simt.simulated() if simulated else torch.enable_grad():
        found = {
            reduction: loss_and_gradient(logits, target, reduction=reduction) for reduction in REDUCTIONS
        }
    assert found["mean"][0].isnan()
    assert found["sum"][0] == 0
    assert torch.equal(found["none"][0], torch.zeros(3))
    assert all(gradient.count_nonzero() == 0 for _, gradient in found.values())


def test_no_rows():
    logits, target = torch.randn(0, 5), torch.empty(0, dtype=torch.int64)
    assert cross_entropy(logits, target).isnan()
    assert cross_entropy(logits, target, reduction="sum") == 0
    assert cross_entropy(torch.empty(2, 0), torch.tensor([7, 7]), 7, reduction="sum") == 0
    with pytest.raises(ValueError, match="target must be from 0 to -1"):
        cross_entropy(torch.empty(2, 0), torch.tensor([0, 7]), 7)


@pytest.mark.parametrize("simulated", [False, True])
def test_ignored_rows_may_hold_anything(simulated):
    logits, target = torch.randn(3, 5), torch.tensor([2, -100, 4])
    logits[1] = torch.tensor([nan, inf, -inf, 1e38, 0])
    with simt.simulated() if simulated else torch.enable_grad():
        loss, gradient = loss_and_gradient(logits, target, label_smoothing=0.1)
    torch.testing.assert_close(loss, F.cross_entropy(logits[::2], target[::2], label_smoothing=0.1))
    assert torch.equal(gradient[1], torch.zeros(5))
    assert gradient[::2].isfinite().all()


def test_one_class_has_nothing_to_lose():
    loss, gradient = loss_and_gradient(torch.randn(4, 1), torch.zeros(4, dtype=torch.int64))
    assert loss == 0
    assert gradient.count_nonzero() == 0


def test_one_row_without_an_axis():
    logits, target = torch.randn(7), torch.tensor(3)
    for reduction in REDUCTIONS:
        loss, gradient = loss_and_gradient(logits, target, reduction=reduction)
        assert loss.shape == ()
        assert gradient.shape == (7,)
        torch.testing.assert_close(loss, F.cross_entropy(logits, target))


def test_int32_targets():
    logits, target = torch.randn(5, 6), torch.randint(6, (5,))
    assert torch.equal(cross_entropy(logits, target.int()), cross_entropy(logits, target))


@pytest.mark.parametrize("simulated", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_far_from_zero(smoothing, simulated):
    """log Σ exp z in one float32 number would be off by 5e-4 here, and the softmax with it."""
    logits, target = torch.randn(6, 37) * 3 + 1e4, torch.randint(37, (6,))
    options = {"label_smoothing": smoothing, "reduction": "none"}
    with simt.simulated() if simulated else torch.enable_grad():
        loss, gradient = loss_and_gradient(logits, target, **options)
    exact, slope = loss_and_gradient(logits.double(), target, F.cross_entropy, **options)
    torch.testing.assert_close(loss.double(), exact, rtol=2e-6, atol=2e-6)
    torch.testing.assert_close(gradient.double(), slope, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("simulated", [False, True])
def test_the_largest_float16(simulated):
    logits = torch.tensor([[65504.0, -65504.0, 65504.0], [30000.0, -30000.0, 0.0]], dtype=torch.float16)
    with simt.simulated() if simulated else torch.enable_grad():
        loss, gradient = loss_and_gradient(logits, torch.tensor([0, 1]), reduction="none")
    assert loss.tolist() == [pytest.approx(math.log(2), rel=1e-3), 60000]
    assert gradient.isfinite().all()


@pytest.mark.parametrize("simulated", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
def test_classes_ruled_out(smoothing, simulated):
    """A logit of −inf is a class of probability 0; with smoothing it has a share of the target and costs infinitely."""
    logits = torch.tensor([[1.0, -inf, 2.0], [1.0, -inf, 2.0], [-inf, -inf, -inf], [inf, 0.0, 1.0]])
    target = torch.tensor([0, 1, 0, 0])
    options = {"label_smoothing": smoothing, "reduction": "none"}
    with simt.simulated() if simulated else torch.enable_grad():
        loss, gradient = loss_and_gradient(logits, target, **options)
    wanted, slope = loss_and_gradient(logits, target, F.cross_entropy, **options)
    torch.testing.assert_close(loss, wanted, equal_nan=True)
    torch.testing.assert_close(gradient, slope, equal_nan=True)


@pytest.mark.parametrize("wrong", [7, -1, 2**40])
def test_a_wrong_target_on_a_gpu_spoils_its_row_and_reads_nothing_outside(wrong):
    logits, target = torch.randn(3, 7), torch.tensor([2, wrong, 4])
    with simt.simulated():  # an access outside an array raises
        loss, gradient = loss_and_gradient(logits, target, reduction="none")
        assert cross_entropy(logits, target).isnan()
    assert loss.isnan().tolist() == [False, True, False]
    assert gradient.isnan().all(1).tolist() == [False, True, False]
    assert gradient[::2].isfinite().all()


def test_a_wrong_target_is_found_in_any_row():
    logits = torch.randn(70_000, 2)
    target = torch.zeros(70_000, dtype=torch.int64)
    target[69_999] = 2
    with pytest.raises(ValueError, match="got 2 in row 69999"):
        cross_entropy(logits, target)


def test_each_row_has_its_own_gradient():
    """With reduction "none"; a fused loss elsewhere took the first row's for all (Liger-Kernel, issue 968)."""
    logits, target = torch.randn(5, 9), torch.randint(9, (5,))
    x = logits.requires_grad_()
    weights = torch.tensor([1.0, 0.0, -2.0, 3.0, 0.5])
    (found,) = torch.autograd.grad(cross_entropy(x, target, reduction="none"), x, weights)
    wanted = (torch.softmax(logits, -1) - F.one_hot(target, 9)) * weights[:, None]
    torch.testing.assert_close(found, wanted)


def test_under_autocast_the_loss_is_float32_as_in_torch():
    logits, target = torch.randn(5, 9).bfloat16(), torch.randint(9, (5,))
    assert cross_entropy(logits, target).dtype == torch.bfloat16
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found, wanted = cross_entropy(logits, target), F.cross_entropy(logits, target)
    assert found.dtype == wanted.dtype == torch.float32
    torch.testing.assert_close(found, wanted)
