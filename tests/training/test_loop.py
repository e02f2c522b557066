"""`fit` trains, is the same at the same seed, stops early at the best weights, and goes on bit for bit after a kill."""

import copy
import math
from contextlib import suppress

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from workbench.training import CheckpointError, evaluate, fit


def network(seed: int = 0) -> nn.Module:
    """Small, with everything that could spoil a resumed run: dropout and running statistics."""
    torch.manual_seed(seed)
    layers = nn.Linear(5, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 3)
    return nn.Sequential(*layers)


def task(examples: int = 50, seed: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.randn(examples, 5, generator=torch.Generator().manual_seed(seed))
    return x, x[:, :3].argmax(dim=-1)


OPTIONS = {"batch": 8, "learning_rate": 0.01, "progress": False}


def same(first: nn.Module, second: nn.Module) -> bool:
    states = first.state_dict(), second.state_dict()
    return all(torch.equal(states[0][name], states[1][name]) for name in states[0] | states[1])


def figures(history) -> list[tuple[float, ...]]:
    """What must not depend on the clock: everything but seconds and memory (nan as text, so that it equals itself)."""
    return [
        (e.epoch, e.loss, e.accuracy, str(e.validate_loss), str(e.validate_accuracy)) for e in history.epochs
    ]


def test_it_learns_and_says_so():
    model = network()
    history = fit(model, task(300), task(100, seed=2), epochs=15, **OPTIONS)
    assert len(history) == 15
    assert history[-1].loss < 0.8 * history[0].loss
    assert history[-1].validate_accuracy > 0.8
    assert history[-1].validate_accuracy == evaluate(model, task(100, seed=2))[1]
    assert all(epoch.seconds > 0 and epoch.memory_bytes > 1e6 for epoch in history.epochs)
    assert not model.training


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 9), batch=st.integers(2, 60), epochs=st.integers(1, 3))
def test_same_seed_same_bits_and_the_callers_randomness_stays(seed, batch, epochs):
    data = task(51 if 51 % batch != 1 else 52)  # batch normalization cannot train on a last batch of one
    first, second = network(), network()
    options = {"epochs": epochs, "batch": batch, "learning_rate": 0.01, "progress": False, "seed": seed}
    torch.manual_seed(123)
    expected = torch.rand(3)
    torch.manual_seed(123)
    one = fit(first, data, **options)
    assert torch.equal(torch.rand(3), expected)
    assert figures(one) == figures(fit(second, data, **options))
    assert same(first, second)


def test_another_seed_is_another_order():
    first, second = network(), network()
    fit(first, task(), epochs=1, seed=0, **OPTIONS)
    fit(second, task(), epochs=1, seed=1, **OPTIONS)
    assert not same(first, second)


def test_it_is_the_loop_one_would_write_by_hand():
    x, y = task(24)
    ours, by_hand = nn.Linear(5, 3), nn.Linear(5, 3)
    by_hand.load_state_dict(ours.state_dict())
    fit(
        ours,
        (x, y),
        epochs=3,
        batch=24,
        learning_rate=0.1,
        optimizer=torch.optim.SGD,
        clip=0.05,
        progress=False,
    )
    for _ in range(3):  # one batch of everything: the order of examples only changes rounding
        gradients = torch.autograd.grad(functional.cross_entropy(by_hand(x), y), list(by_hand.parameters()))
        norm = torch.sqrt(sum(g.square().sum() for g in gradients))
        with torch.no_grad():
            for weights, gradient in zip(by_hand.parameters(), gradients, strict=True):
                weights -= 0.1 * gradient * min(1.0, 0.05 / norm)
    for found, expected in zip(ours.parameters(), by_hand.parameters(), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


def test_early_stopping_restores_the_best_weights():
    torch.manual_seed(0)
    x, y = torch.randn(20, 5), torch.randint(0, 3, (20,))  # noise: it can only be learned by heart
    validate = (torch.randn(200, 5), torch.randint(0, 3, (200,)))
    model = network()
    history = fit(
        model, (x, y), validate, epochs=200, patience=3, batch=10, learning_rate=0.05, progress=False
    )
    assert len(history) < 200
    assert history.epochs_since_best == 3
    assert evaluate(model, validate)[0] == pytest.approx(history.best.validate_loss, rel=1e-6)
    assert history[-1].validate_loss > history.best.validate_loss


class Killed(BaseException):
    """What no `except Exception` may swallow."""


def dying_at(step: int):
    """Cross-entropy that kills the run at its step-th call; to the checkpoint it looks like the real one."""
    calls = iter(range(1, 1_000_000))

    def loss(output, target):
        if next(calls) == step:
            raise Killed
        return functional.cross_entropy(output, target)

    loss.__qualname__ = functional.cross_entropy.__qualname__
    return loss


@settings(deadline=None, max_examples=15)
@given(steps=st.lists(st.integers(1, 40), max_size=4), patience=st.sampled_from([None, 2]))
def test_interrupted_at_any_step_it_ends_with_the_same_bits(tmp_path_factory, steps, patience):
    path = tmp_path_factory.mktemp("run") / "checkpoint.pt"
    options = {"epochs": 5, "patience": patience, **OPTIONS}
    whole = network()
    expected = fit(whole, task(), task(30, 2), **options)

    def resumed() -> nn.Module:  # with a checkpoint, the weights given do not matter
        return network(seed=9 if path.exists() else 0)

    for step in steps:
        with suppress(Killed):
            fit(resumed(), task(), task(30, 2), loss=dying_at(step), checkpoint=path, **options)
    model = resumed()
    found = fit(model, task(), task(30, 2), checkpoint=path, **options)
    assert figures(found) == figures(expected)
    assert same(model, whole)


def test_the_dying_loss_does_die(tmp_path):
    with pytest.raises(Killed):
        fit(network(), task(), epochs=1, loss=dying_at(3), **OPTIONS)


def test_more_epochs_later_is_the_same_as_all_at_once(tmp_path):
    whole, parts = network(), network()
    fit(whole, task(), epochs=4, **OPTIONS)
    fit(parts, task(), epochs=1, checkpoint=tmp_path / "c", **OPTIONS)
    history = fit(parts, task(), epochs=4, checkpoint=tmp_path / "c", **OPTIONS)
    assert len(history) == 4
    assert same(whole, parts)
    with pytest.raises(ValueError, match="epochs: the checkpoint has 4 already, more than 2"):
        fit(parts, task(), epochs=2, checkpoint=tmp_path / "c", **OPTIONS)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"seed": 5}, "seed: saved 0, now 5"),
        ({"batch": 10}, "batch: saved 8, now 10"),
        ({"learning_rate": 0.02}, "optimizer: saved"),
        ({"optimizer": torch.optim.SGD}, "optimizer: saved AdamW"),
        ({"clip": None}, "clip: saved 1.0, now None"),
        (
            {"loss": nn.CrossEntropyLoss(label_smoothing=0.1)},
            "loss: saved cross_entropy, now CrossEntropyLoss",
        ),
    ],
)
def test_a_checkpoint_of_another_configuration_is_refused(tmp_path, change, named):
    fit(network(), task(), epochs=1, checkpoint=tmp_path / "c", **OPTIONS)
    before = (tmp_path / "c").read_bytes()
    with pytest.raises(CheckpointError, match=named):
        fit(network(), task(), epochs=2, checkpoint=tmp_path / "c", **(OPTIONS | change))
    assert (tmp_path / "c").read_bytes() == before


def test_a_checkpoint_of_another_model_or_other_data_is_refused(tmp_path):
    fit(network(), task(), epochs=1, checkpoint=tmp_path / "c", **OPTIONS)
    with pytest.raises(CheckpointError, match="model: saved Sequential"):
        fit(nn.Linear(5, 3), task(), epochs=2, checkpoint=tmp_path / "c", **OPTIONS)
    x, y = task()
    x[0, 0] += 1e-6
    with pytest.raises(CheckpointError, match="train: saved"):
        fit(network(), (x, y), epochs=2, checkpoint=tmp_path / "c", **OPTIONS)


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_last_checkpoint(tmp_path):
    model = network()
    fit(model, task(), epochs=1, checkpoint=tmp_path / "c", **OPTIONS)
    before = (tmp_path / "c").read_bytes()

    def cross_entropy(output, target):
        return functional.cross_entropy(output, target) * math.nan

    cross_entropy.__qualname__ = functional.cross_entropy.__qualname__
    with pytest.raises(FloatingPointError, match="the loss is nan in epoch 2"):
        fit(model, task(), epochs=2, loss=cross_entropy, checkpoint=tmp_path / "c", **OPTIONS)
    assert (tmp_path / "c").read_bytes() == before


def test_several_inputs_and_targets_that_are_no_classes():
    class Difference(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.zeros(()))

        def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
            return self.scale * (a - b)

    a, b = torch.randn(2, 40)
    model = Difference()
    history = fit(
        model, (a, b, 2 * (a - b)), epochs=40, loss=functional.mse_loss, **OPTIONS | {"learning_rate": 0.1}
    )
    assert model.scale.item() == pytest.approx(2, abs=0.1)
    assert math.isnan(history[-1].accuracy)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.bfloat16, torch.bool])
def test_examples_of_any_type(tmp_path, dtype):
    class Cast(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x.float())

    x = torch.randint(0, 2, (9, 5)).to(dtype)
    history = fit(Cast(5, 3), (x, torch.arange(9) % 3), epochs=1, checkpoint=tmp_path / "c", **OPTIONS)
    assert math.isfinite(history[0].loss)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "epochs: expected at least 1"),
        ({"batch": 0}, "batch: expected at least 1"),
        ({"seed": -1}, "seed: expected at least 0"),
        ({"clip": 0.0}, "clip: expected a number above 0"),
        ({"clip": math.nan}, "clip: expected a number above 0"),
        ({"patience": 0, "validate": task()}, "patience: expected at least 1"),
        ({"patience": 2}, "patience: early stopping needs `validate`"),
        ({"validate": (torch.zeros(3, 5), torch.zeros(2))}, r"validate: .*got lengths \[3, 2\]"),
        ({"train": (torch.zeros(0, 5), torch.zeros(0))}, "train: .* at least 1"),
        ({"train": torch.zeros(3, 5)}, "train: expected tensors"),
        ({"train": (torch.zeros(3, 5),)}, "train: expected tensors"),
    ],
)
def test_bad_arguments_are_named_before_anything_changes(change, message):
    model = network()
    before = copy.deepcopy(model)
    arguments = {"train": task(), "epochs": 1} | OPTIONS | change
    with pytest.raises(ValueError, match=message):
        fit(model, **arguments)
    assert same(model, before)


def test_progress_goes_to_stdout_and_only_when_asked(capsys):
    fit(network(), task(), epochs=1, **OPTIONS)
    assert capsys.readouterr() == ("", "")
    fit(network(), task(), epochs=1, batch=8, learning_rate=0.01)
    out, err = capsys.readouterr()
    assert "epoch" in out
    assert "loss=" in out
    assert err == ""


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU")
def test_it_trains_where_it_is_told_to(tmp_path):
    model = network()
    history = fit(model, task(), task(30, 2), epochs=2, device="cuda", checkpoint=tmp_path / "c", **OPTIONS)
    assert next(model.parameters()).is_cuda
    assert history[-1].cuda_peak_bytes > 0
    again = network(3)
    fit(again, task(), task(30, 2), epochs=2, device="cuda", checkpoint=tmp_path / "c", **OPTIONS)
    assert same(model, again)
