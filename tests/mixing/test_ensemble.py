"""An ensemble averages probabilities; averaging weights makes a model, and not the ensemble's."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from workbench.mixing import Ensemble, average_weights


def network(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))
    model(torch.randn(32, 4))  # gives the batch normalization statistics of its own
    return model.eval()


@settings(deadline=None, max_examples=20)
@given(models=st.integers(1, 4), batch=st.integers(0, 5))
def test_an_ensemble_is_the_mean_of_probabilities(models, batch):
    members = [network(seed) for seed in range(models)]
    x = torch.randn(batch, 4)
    expected = sum(model(x).softmax(-1) for model in members) / models
    torch.testing.assert_close(Ensemble(members)(x).exp(), expected)


def test_the_mean_of_one_model_is_that_model():
    model = network(0)
    averaged = average_weights([model, model])
    for name, weights in averaged.state_dict().items():
        assert torch.equal(weights, model.state_dict()[name])


def test_averaging_weights_takes_parameters_and_buffers_and_leaves_the_models():
    first, second = network(0), network(1)
    before = {name: weights.clone() for name, weights in first.state_dict().items()}
    averaged = average_weights([first, second]).state_dict()
    for name, weights in averaged.items():
        assert torch.equal(first.state_dict()[name], before[name])
        if weights.is_floating_point():
            torch.testing.assert_close(weights, (first.state_dict()[name] + second.state_dict()[name]) / 2)


def test_swapping_hidden_units_keeps_the_ensemble_and_ruins_the_weight_average():
    model, order = network(0), torch.tensor([3, 1, 7, 0, 6, 2, 5, 4])
    swapped = network(0)
    state = model.state_dict()
    for name in state:
        if name.startswith(("0.", "1.")) and state[name].dim():
            state[name] = state[name][order]
    state["3.weight"] = state["3.weight"][:, order]
    swapped.load_state_dict(state)
    x = torch.randn(64, 4)
    torch.testing.assert_close(swapped(x), model(x))  # the same function, its units in another order
    torch.testing.assert_close(Ensemble([model, swapped])(x).exp(), model(x).softmax(-1))
    assert (average_weights([model, swapped])(x) - model(x)).abs().max() > 0.1


def test_models_that_differ_are_named():
    with pytest.raises(ValueError, match=r"models\[1\]: differs from models\[0\] in bias, weight"):
        average_weights([nn.Linear(2, 3), nn.Linear(2, 4)])
    with pytest.raises(ValueError, match="models: expected at least one"):
        average_weights([])
    with pytest.raises(ValueError, match="models: expected at least one"):
        Ensemble([])
