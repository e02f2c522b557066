"""The small parts of the loop: history, seeds, denormals, evaluation, and the trained network."""

import math
from contextlib import suppress

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from workbench.data import PicturePart, PictureSet, load_fashion_mnist
from workbench.training import Epoch, History, denormals_flushed, evaluate, fashion, seeded
from workbench.training.denormals import flushes_denormals
from workbench.training.fashion import build, examples, load_fashion_conv_bn


def history(*losses: float) -> History:
    return History([Epoch(i + 1, 1.0, 0.5, loss, 0.5, 0.1, 10, 0) for i, loss in enumerate(losses)])


def test_best_is_the_first_of_the_lowest():
    assert history(3, 1, 2, 1).best.epoch == 2
    assert history(3, 1, 2, 1).epochs_since_best == 2
    assert history(math.nan, math.nan).best is None
    assert History().best is None


def test_history_survives_being_stored():
    assert History.from_dicts(history(3, 1).to_dicts()) == history(3, 1)
    assert history(3, 1).column("validate_loss") == [3, 1]
    with pytest.raises(ValueError, match="name: expected one of epoch, loss"):
        history(3).column("losses")


@settings(deadline=None)
@given(seed=st.integers(0, 2**40), epoch=st.integers(0, 1000))
def test_random_state_follows_from_seed_and_epoch_and_comes_back(seed, epoch):
    before = torch.get_rng_state()
    with seeded(seed, epoch):
        first = torch.rand(4)
    torch.rand(7)
    torch.set_rng_state(before)
    with seeded(seed, epoch):
        assert torch.equal(torch.rand(4), first)
    with seeded(epoch, seed + 1):
        assert not torch.equal(torch.rand(4), first)
    assert torch.equal(torch.get_rng_state(), before)


def test_random_state_comes_back_after_an_error():
    before = torch.get_rng_state()
    with suppress(KeyError), seeded(0):
        torch.rand(1)
        raise KeyError
    assert torch.equal(torch.get_rng_state(), before)
    with pytest.raises(ValueError, match="seed: expected 0 or more"), seeded(-1):
        pass


@pytest.mark.skipif(not torch.set_flush_denormal(False), reason="this CPU cannot flush denormals")
@pytest.mark.parametrize("before", [True, False])
def test_denormals_are_flushed_inside_and_the_mode_comes_back(before):
    torch.set_flush_denormal(before)
    try:
        with suppress(KeyError), denormals_flushed():
            assert (torch.tensor([1e-38]) * 0.01).item() == 0
            raise KeyError
        assert flushes_denormals() == before
        assert ((torch.tensor([1e-38]) * 0.01).item() == 0) == before
    finally:
        torch.set_flush_denormal(False)


@settings(deadline=None, max_examples=30)
@given(count=st.integers(1, 40), batch=st.integers(1, 50), training=st.booleans())
def test_evaluation_does_not_depend_on_the_batch(count, batch, training):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.5)).train(training)
    x, y = torch.randn(count, 4), torch.randint(0, 3, (count,))
    loss, accuracy = evaluate(model, (x, y), batch=batch)
    output = model[0](x)
    assert loss == pytest.approx(functional.cross_entropy(output, y).item(), rel=1e-5)
    assert accuracy == pytest.approx((output.argmax(-1) == y).double().mean().item())
    assert model.training == training


def test_accuracy_counts_every_place_of_a_sequence():
    class Echo(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.unused = nn.Parameter(torch.zeros(1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x

    target = torch.randint(0, 3, (5, 7))
    output = functional.one_hot(target, 3).float()  # (batch, time, classes)
    output[0, 0] = -output[0, 0]
    _, accuracy = evaluate(Echo(), (output, target), loss=lambda o, t: functional.cross_entropy(o.mT, t))
    assert accuracy == pytest.approx(34 / 35)


def test_the_fashion_network_is_what_it_says():
    model = load_fashion_conv_bn()
    assert not model.training
    assert sum(weights.numel() for weights in model.parameters()) == 29_290
    assert build()(torch.rand(2, 1, 28, 28)).shape == (2, 10)
    assert evaluate(model, examples(load_fashion_mnist().test))[1] == pytest.approx(0.879, abs=0.003)
    norms = [layer for layer in model if isinstance(layer, nn.BatchNorm2d)]
    assert len(norms) == 3
    assert all(norm.running_mean.abs().max() > 0.01 for norm in norms)  # really trained, not fresh


def test_the_fashion_command_writes_what_load_reads(tmp_path, monkeypatch, capsys):
    data = load_fashion_mnist()
    few = PictureSet(
        *[PicturePart(p.pictures[:64], p.labels[:64]) for p in (data.train, data.test)], data.categories
    )
    monkeypatch.setattr(fashion, "load_fashion_mnist", lambda: few)
    monkeypatch.setenv("WORKBENCH_ASSETS", str(tmp_path))
    threads = torch.get_num_threads()
    try:
        fashion.main()
    finally:
        torch.set_num_threads(threads)
    assert "29290 parameters" in capsys.readouterr().out
    assert not torch.equal(load_fashion_conv_bn()[0].weight, build()[0].weight)
