"""What the tests of fusing share, as fixtures that last a session, so that Hypothesis may use them.

`lived_in(model)`      the model in evaluation, with weights and statistics as after training
`exact(model, x)`      fuses and holds what `fuse` promises of every model; gives the report
`calls(f, **parts)`    a model with these parts; its forward is f(model, *inputs)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from workbench.fusion import FusionReport, fuse


class Calls(nn.Module):
    """A model whose forward is given as a function of itself and its inputs."""

    def __init__(self, forward: Callable[..., Any], **parts: Any) -> None:
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, part)
        self.does = forward

    def forward(self, *inputs: Any) -> Any:
        return self.does(self, *inputs)


def live_in(model: nn.Module, seed: int = 0) -> nn.Module:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() < 2:
                parameter.normal_(generator=generator)
            else:  # layers that keep the size of what goes through them
                parameter.normal_(0, parameter[0].numel() ** -0.5, generator=generator)
        for module in model.modules():
            if getattr(module, "running_mean", None) is not None:
                module.running_mean.normal_(generator=generator)
                module.running_var.uniform_(0.3, 3, generator=generator)
    return model.eval()


def fuse_exactly(model: nn.Module, inputs: Any, **options: Any) -> FusionReport:
    """The given model is untouched, shares no weights with the new one, and equals it to 1e-12 in float64."""
    before = {name: value.clone() for name, value in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    state = torch.get_rng_state()
    report = fuse(model, inputs, **options)
    assert torch.equal(torch.get_rng_state(), state)
    assert [module.training for module in model.modules()] == modes
    after = model.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert report.max_error_float64 <= 1e-12
    assert report.max_error <= 1e-4
    own = {tensor.data_ptr() for tensor in model.parameters() if tensor.numel()}
    assert not own & {tensor.data_ptr() for tensor in report.model.parameters()}
    return report


@pytest.fixture(scope="session")
def lived_in() -> Callable[..., nn.Module]:
    """`live_in`, above."""
    return live_in


@pytest.fixture(scope="session")
def exact() -> Callable[..., FusionReport]:
    """`fuse_exactly`, above."""
    return fuse_exactly


@pytest.fixture(scope="session")
def calls() -> type[Calls]:
    """`Calls`, above."""
    return Calls
