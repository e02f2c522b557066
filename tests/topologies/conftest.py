"""A topology and its fabric around the same modules: equal outputs and gradients, bit by bit."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn


def assert_same_wiring(plain: nn.Module, *inputs: Tensor | None) -> None:
    """The fabric of `plain` shares its weights, fits its own contract, and computes the same to the last bit."""
    fabric = plain.as_fabric()
    assert {id(p) for p in fabric.parameters()} == {id(p) for p in plain.parameters()}
    fabric.check(*inputs)
    for a, b in zip(_run(plain, inputs), _run(fabric, inputs), strict=True):
        assert torch.equal(a, b)


def _run(module: nn.Module, inputs: tuple[Tensor | None, ...]) -> list[Tensor]:
    """The output, and gradients of floating inputs and of parameters, of a random weighting of the output."""
    leaves = [x.detach().requires_grad_() if x is not None and x.is_floating_point() else x for x in inputs]
    y = module(*leaves)
    weighting = torch.randn(y.shape, generator=torch.Generator().manual_seed(0))
    sources = [x for x in leaves if x is not None and x.requires_grad]
    parameters = sorted(module.parameters(), key=id)  # shared by both, which list them in different orders
    return [y, *torch.autograd.grad((y * weighting).sum(), [*sources, *parameters])]


@pytest.fixture(scope="session", name="same_wiring")
def _same_wiring() -> Callable[..., None]:
    """`assert_same_wiring`, above."""
    return assert_same_wiring
