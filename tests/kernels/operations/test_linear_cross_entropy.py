"""linear_cross_entropy: the memory it does without, chunks and tiles that do not show, gradients at once and later."""

import itertools

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

import kernels
from kernels import simt
from kernels.losses import chunks, linear_cross_entropy


def peak(call):
    """The most bytes that tensors made by `call` take at one time, as torch's allocator tells its profiler."""
    with torch.profiler.profile(profile_memory=True) as profile:
        call()
    events = (event for event in profile.profiler.kineto_results.events() if event.name() == "[memory]")
    changes = sorted((event.start_ns(), place, event.nbytes()) for place, event in enumerate(events))
    return max(itertools.accumulate(change for _, _, change in changes))


@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_peak_memory_is_at_most_a_quarter(reduction):
    """Forward and backward, with room for 2048 rows of 32768 classes, 268 MB, several times over in torch."""
    learned, target = inputs(2048, 32768, 256, bias=False, dtype=torch.float32)
    ours_peak, torchs_peak = (
        peak(lambda loss=loss: loss(learned, target, reduction=reduction).sum().backward())
        for loss in (ours, torchs)
    )
    assert torchs_peak >= 2 * 4 * 2048 * 32768
    assert ours_peak <= torchs_peak / 4, (ours_peak, torchs_peak)


def inputs(rows, classes, width, bias=True, seed=0, dtype=torch.float64):
    draw = torch.Generator().manual_seed(seed)
    hidden, weight = (torch.randn(n, width, generator=draw, dtype=dtype) for n in (rows, classes))
    target = torch.randint(classes, (rows,), generator=draw)
    target[1::4] = -100
    learned = [hidden, weight, torch.randn(classes, generator=draw, dtype=dtype)][: 2 + bias]
    return [tensor.requires_grad_() for tensor in learned], target


def ours(learned, target, **options):
    hidden, weight, *bias = learned
    return linear_cross_entropy(hidden, weight, target, *bias, **options)


def torchs(learned, target, **options):
    return F.cross_entropy(F.linear(*learned), target, **options)


def everything(loss, learned):
    grad = torch.randn(loss.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return [loss.detach(), *torch.autograd.grad(loss, learned, grad.to(loss.dtype))]


@settings(max_examples=40, deadline=None)
@given(
    sizes=st.tuples(st.integers(1, 9), st.integers(1, 30), st.integers(1, 12)),
    bias=st.booleans(),
    smoothing=st.sampled_from([0.0, 0.1, 1.0]),
    reduction=st.sampled_from(["none", "mean", "sum"]),
    seed=st.integers(0, 2**31),
)
def test_every_option_as_in_torch(sizes, bias, smoothing, reduction, seed):
    learned, target = inputs(*sizes, bias, seed)
    options = {"label_smoothing": smoothing, "reduction": reduction}
    found, wanted = (everything(loss(learned, target, **options), learned) for loss in (ours, torchs))
    for mine, theirs in zip(found, wanted, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("reduction", ["none", "mean"])
@pytest.mark.parametrize("rows", [1, 3, 4, 5, 8])
def test_chunks_of_any_size(rows, reduction, monkeypatch):
    monkeypatch.setattr(chunks, "ELEMENTS", 44)  # four rows of 11 classes
    monkeypatch.setattr(chunks, "FEWEST", 1)
    learned, target = inputs(rows, 11, 5)
    found, wanted = (
        everything(loss(learned, target, reduction=reduction), learned) for loss in (ours, torchs)
    )
    for mine, theirs in zip(found, wanted, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("sizes", [(1, 1, 1), (65, 3, 2), (3, 65, 2), (2, 3, 65), (64, 64, 16)], ids=str)
@pytest.mark.parametrize("reduction", ["none", "mean"])
def test_tiles_of_any_size(sizes, reduction):
    """On the simulated GPU, where a tile is 64 by 64 and 16 deep."""
    learned, target = inputs(*sizes, dtype=torch.float32)
    options = {"label_smoothing": 0.1, "reduction": reduction}
    with simt.simulated() as launches:
        found = everything(ours(learned, target, **options), learned)
    wanted = everything(ours(learned, target, **options), learned)
    for mine, theirs in zip(found, wanted, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-5)
    assert not any(run.hazards for run in launches)


def test_gradients_computed_at_once_serve_every_backward_pass():
    learned, target = inputs(6, 9, 4)
    loss = ours(learned, target)
    first, again, twice = (
        torch.autograd.grad(loss, learned, torch.tensor(scale, dtype=torch.float64), retain_graph=True)
        for scale in (1, 1, -2)
    )
    for one, other, doubled in zip(first, again, twice, strict=True):
        assert torch.equal(one, other)
        assert torch.equal(-2 * one, doubled)


def test_gradients_at_once_and_later_agree():
    learned, target = inputs(6, 9, 4)
    at_once = torch.autograd.grad(ours(learned, target, reduction="sum"), learned)
    later = torch.autograd.grad(ours(learned, target, reduction="none").sum(), learned)
    for one, other in zip(at_once, later, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-13, atol=1e-13)


def test_nothing_is_computed_at_once_where_no_gradient_will_be_wanted():
    learned, target = inputs(6, 9, 4)
    with simt.simulated() as launches, torch.no_grad():
        ours([tensor.float() for tensor in learned], target)
    assert [run.kernel for run in launches] == [
        "loss_tiles_kernel",
        "merging_kernel",
        "reduction_kernel",
    ]


def test_logits_are_in_no_ledger():
    """A hundred times the classes are a hundred times the weight; the unfused chain moves rows times as many."""
    rows, width = 8192, 64
    meta = {"device": "meta"}
    hidden, target = torch.empty(rows, width, **meta), torch.empty(rows, dtype=torch.int64, **meta)
    counted = kernels.ledger("linear_cross_entropy", hidden, torch.empty(50_000, width, **meta), target)
    assert counted.bytes_read == 4 * (rows + 50_000) * width + 8 * rows
    assert counted.bytes_written == 8 * rows + 8
    assert counted.unfused.bytes > 7 * 4 * rows * 50_000


@pytest.mark.parametrize("wrong", [9, -1])
def test_a_wrong_target_on_a_gpu_spoils_its_row_and_reads_nothing_outside(wrong):
    (hidden, weight, bias), target = inputs(3, 9, 4, dtype=torch.float32)
    target[:] = torch.tensor([2, wrong, 4])
    with simt.simulated():  # an access outside an array raises
        loss = linear_cross_entropy(hidden, weight, target, bias, reduction="none")
        (gradient,) = torch.autograd.grad(loss.sum(), hidden)
    assert loss.isnan().tolist() == [False, True, False]
    assert gradient.isnan().all(1).tolist() == [False, True, False]


def test_all_rows_ignored():
    learned, _ = inputs(3, 5, 4)
    target = torch.full((3,), -100)
    assert ours(learned, target).isnan()
    assert ours(learned, target, reduction="sum") == 0
    gradients = torch.autograd.grad(ours(learned, target, reduction="sum"), learned)
    assert all(gradient.count_nonzero() == 0 for gradient in gradients)


def test_under_autocast_as_in_torch():
    (hidden, weight, bias), target = inputs(6, 9, 4, dtype=torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found, wanted = ours((hidden, weight, bias), target), torchs((hidden, weight, bias), target)
    assert found.dtype == wanted.dtype == torch.float32
    torch.testing.assert_close(found, wanted, rtol=0.02, atol=0.02)
    assert torch.autograd.grad(found, weight)[0].dtype == torch.float32
