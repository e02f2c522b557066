"""The reversal turns gradients around, the domain classifier learns, the encoder learns to hide the domain."""

import math

import pytest
import torch
from torch import nn

from workbench.mixing.adapt import DomainAdversary, reverse_gradient
from workbench.mixing.adapt.dann import ramp


def test_reversal_keeps_the_value_and_turns_the_gradient():
    x = torch.randn(3, 4, requires_grad=True)
    weights = torch.randn(3, 4)
    y = reverse_gradient(x, 0.5)
    assert torch.equal(y, x)
    (y * weights).sum().backward()
    torch.testing.assert_close(x.grad, -0.5 * weights)


def test_the_strength_grows_from_nothing_to_one():
    values = [ramp(p / 10) for p in range(11)]
    assert values[0] == 0
    assert values == sorted(values)
    assert values[-1] == pytest.approx(1, abs=1e-4)
    assert ramp(0.1) == pytest.approx(math.tanh(0.5))  # 2/(1 + e^(−2x)) − 1 = tanh x


def adversary(weight=1.0):
    torch.manual_seed(0)
    return DomainAdversary(2, hidden=8, weight=weight)


def test_its_classifier_learns_to_tell_the_domains():
    source, target = torch.randn(40, 2) + 1.5, torch.randn(30, 2) - 1.5
    penalty = adversary()
    update = torch.optim.Adam(penalty.parameters(), lr=0.05)
    first = penalty(source, target).item()
    assert first == pytest.approx(math.log(2), abs=0.3)  # untrained, it cannot tell
    for _ in range(60):
        loss = penalty(source, target)
        update.zero_grad()
        loss.backward()
        update.step()
    assert loss.item() < 0.2


@pytest.mark.parametrize(("weight", "apart"), [(1.0, False), (0.0, True)])
def test_an_encoder_behind_it_moves_the_domains_together(weight, apart):
    source, target = torch.randn(64, 2) + 1.0, torch.randn(64, 2) - 1.0
    shift = nn.Parameter(torch.zeros(2))  # an encoder that can do one thing: move the target
    penalty = adversary(weight)
    update = torch.optim.SGD([shift, *penalty.parameters()], lr=0.3)
    for _ in range(200):
        update.zero_grad()
        penalty(source, target + shift).backward()
        update.step()
    distance = (source.mean(0) - (target + shift.detach()).mean(0)).norm().item()
    assert (distance > 2) == apart
    assert (distance < 1.5) != apart
