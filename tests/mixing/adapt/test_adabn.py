"""AdaBN exchanges statistics and nothing else, layer after layer, exactly."""

import pytest
import torch
from torch import nn

from workbench.mixing.adapt import adabn


def network() -> nn.Sequential:
    torch.manual_seed(0)
    layers = [nn.Linear(3, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Dropout(0.5)]
    layers += [nn.Linear(5, 4), nn.BatchNorm1d(4), nn.Linear(4, 2)]
    return nn.Sequential(*layers).double().eval()


def test_every_normalization_gets_the_targets_statistics():
    model, target = network(), torch.randn(37, 3, dtype=torch.float64) * 3 + 5
    adapted = adabn(model, target)
    assert not any(module.training for module in adapted.modules())
    first = model[0](target)
    normal = (first - first.mean(0)) / (first.var(0, correction=0) + 1e-5).sqrt()  # γ is 1 and β is 0
    second = model[4](
        normal.relu()
    )  # the second layer sees what the adapted first passes on, without dropout
    for place, seen in ((1, first), (5, second)):
        torch.testing.assert_close(adapted[place].running_mean, seen.mean(0))
        torch.testing.assert_close(adapted[place].running_var, seen.var(0))
        assert adapted[place].momentum == 0.1


def test_no_weight_changes_and_the_given_model_stays():
    model, target = network(), torch.randn(8, 3, dtype=torch.float64) + 2
    before = {name: value.clone() for name, value in model.state_dict().items()}
    adapted = adabn(model, target)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])
    for (name, weight), other in zip(adapted.named_parameters(), model.parameters(), strict=True):
        assert torch.equal(weight, other), name


def test_it_undoes_a_shift_and_a_scale_of_the_input_channels():
    torch.manual_seed(1)
    model = nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU()).double()
    source = torch.randn(6, 3, 5, 5, dtype=torch.float64)
    model = adabn(model, source)
    scale = torch.tensor([2.0, 0.5, 7.0], dtype=torch.float64)[:, None, None]
    shifted = source * scale - 3
    assert (model(shifted) - model(source)).abs().max() > 0.1
    torch.testing.assert_close(
        adabn(model, shifted)(shifted), model(source), rtol=1e-4, atol=1e-4
    )  # but for eps


def test_what_cannot_be_adapted_is_refused():
    with pytest.raises(ValueError, match="model: there is no batch normalization with running statistics"):
        adabn(nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2, track_running_stats=False)), torch.ones(4, 3))
    with pytest.raises(ValueError, match="inputs: expected two or more examples, got 1"):
        adabn(network(), torch.ones(1, 3, dtype=torch.float64))
    with pytest.raises(ValueError, match="inputs: expected two or more examples, got 0"):
        adabn(network())
