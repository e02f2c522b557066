"""The optimizer object against torch's: the same steps, states that go both ways."""

import pytest
import torch
from torch import nn

from workbench.training import fit
from workbench.training.adamw import AdamW

OPTIONS = {"lr": 0.02, "betas": (0.8, 0.95), "eps": 1e-6, "weight_decay": 0.1}


def model(seed=0):
    draw = torch.Generator().manual_seed(seed)
    layers = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))
    with torch.no_grad():
        for param in layers.parameters():
            param.copy_(torch.randn(param.shape, generator=draw))
    return layers


def train(layers, optimizer, steps, first=0):
    for step in range(first, first + steps):
        x = torch.randn(16, 4, generator=torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        (layers(x) - x[:, :3]).square().mean().backward()
        optimizer.step()


def assert_alike(ours, theirs):
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-5, atol=1e-6)


def test_trains_as_torchs():
    ours, theirs = model(), model()
    train(ours, AdamW(ours.parameters(), **OPTIONS), 30)
    train(theirs, torch.optim.AdamW(theirs.parameters(), **OPTIONS), 30)
    assert_alike(ours, theirs)


@pytest.mark.parametrize("classes", [(AdamW, torch.optim.AdamW), (torch.optim.AdamW, AdamW)])
def test_states_go_both_ways(classes):
    """Begun with the one and resumed with the other, it is as if it had been one all along."""
    first, second = classes
    begun, whole = model(), model()
    before = first(begun.parameters(), **OPTIONS)
    train(begun, before, 5)
    after = second(begun.parameters(), **OPTIONS)
    after.load_state_dict({**after.state_dict(), "state": before.state_dict()["state"]})
    train(begun, after, 5, first=5)
    train(whole, torch.optim.AdamW(whole.parameters(), **OPTIONS), 10)
    assert_alike(begun, whole)


def test_groups_have_settings_of_their_own():
    ours, theirs = model(), model()
    for layers, optimizer in ((ours, AdamW), (theirs, torch.optim.AdamW)):
        groups = [
            {"params": layers[0].parameters(), "weight_decay": 0.0},
            {"params": layers[2].parameters(), "lr": 0.1},
        ]
        train(layers, optimizer(groups, **OPTIONS), 5)
    assert_alike(ours, theirs)


def test_a_parameter_without_a_gradient_stays_and_keeps_its_own_count():
    ours, theirs = model(), model()
    for layers, make in ((ours, AdamW), (theirs, torch.optim.AdamW)):
        optimizer = make(layers.parameters(), **OPTIONS)
        layers[0].requires_grad_(False)
        before = layers[0].weight.clone()
        train(layers, optimizer, 3)
        assert torch.equal(layers[0].weight, before)
        layers[0].requires_grad_(True)
        train(layers, optimizer, 3, first=3)
    assert_alike(ours, theirs)


def test_a_closure_computes_the_loss():
    layers = model()
    optimizer = AdamW(layers.parameters())

    def closure():
        loss = layers(torch.ones(2, 4)).square().mean()
        loss.backward()
        return loss

    assert optimizer.step(closure).requires_grad
    assert all(param.grad is not None for param in layers.parameters())


def test_schedulers_and_fit_take_it(tmp_path):
    layers = model()
    optimizer = AdamW(layers.parameters(), lr=0.1)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)
    train(layers, optimizer, 1)
    schedule.step()
    assert optimizer.param_groups[0]["lr"] == 0.05
    x = torch.randn(32, 4, generator=torch.Generator().manual_seed(0))
    once, resumed = model(), model()
    options = {"batch": 8, "learning_rate": 0.01, "loss": nn.functional.mse_loss, "optimizer": AdamW}
    options |= {"progress": False}
    fit(once, (x, x[:, :3]), epochs=3, **options)
    for epochs in (1, 3):
        fit(resumed, (x, x[:, :3]), epochs=epochs, checkpoint=tmp_path / "run", **options)
    for mine, other in zip(once.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(mine, other)
