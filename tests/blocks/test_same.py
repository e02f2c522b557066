"""The comparison that all tests of the blocks rest on can fail: in value, slope, name and state."""

import pytest
import torch
from torch import nn

from workbench.blocks.linear import Linear


class Wrong(Linear):
    """A linear layer whose result is changed."""

    def __init__(self, change):
        super().__init__(3, 5)
        self.change = change

    def forward(self, x):
        return self.change(super().forward(x))


class OtherName(Linear):
    def __init__(self):
        super().__init__(3, 5)
        self.weights = self.weight
        del self.weight


class Slope(torch.autograd.Function):
    """Leaves the value as it is and halves the gradient."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient / 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda y: y + 1e-6, r"outputs\[0\]"),
        (lambda y: (y, y), "outputs: 2 of ours, 1 of torch's"),
        (lambda y: y.float(), r"outputs\[0\]"),
        (Slope.apply, r"gradients of inputs\[0\]"),
    ],
)
def test_a_difference_is_seen(same, draw, change, message):
    same(Wrong(lambda y: y), nn.Linear(3, 5), draw(2, 3))
    with pytest.raises(AssertionError, match=message):
        same(Wrong(change), nn.Linear(3, 5), draw(2, 3))


def test_the_gradient_of_a_weight_alone_is_seen(same, draw):
    class Detached(Linear):
        def forward(self, x):
            return x @ self.weight.T + self.bias.detach()

    with pytest.raises(AssertionError, match="gradient of bias"):
        same(Detached(3, 5), nn.Linear(3, 5), draw(2, 3))


def test_names_must_be_torchs_or_translated(same, draw):
    with pytest.raises(RuntimeError, match="Missing key"):
        same(OtherName(), nn.Linear(3, 5), draw(2, 3))


def test_state_is_compared(same, draw):
    with pytest.raises(AssertionError, match="state running_mean"):
        same(nn.BatchNorm1d(3, momentum=0.2), nn.BatchNorm1d(3), draw(4, 3))


def test_single_precision_is_refused(same):
    with pytest.raises(AssertionError, match="float64 inputs only"):
        same(Linear(3, 5), nn.Linear(3, 5), torch.zeros(2, 3))


def test_a_contract_that_lies_is_seen(keeps_contract):
    class Lies(Linear):
        contract = "... 3 -> ... 4"

    keeps_contract(Linear(3, 5), torch.zeros(2, 3))
    with pytest.raises(ValueError, match="y: expected"):
        keeps_contract(Lies(3, 5), torch.zeros(2, 3))
