"""Ours beside torch's: one call holds outputs, gradients and state equal, in float64.

Fixtures for every test in this folder (they last a session, so Hypothesis may use them):

    def test_linear(same, draw):
        same(Linear(3, 5), nn.Linear(3, 5), draw(2, 3))

`same` loads torch's state dict into ours, strictly, so it also proves that the names of the parameters are torch's.
Where torch is called in another way, say how; where it names or packs its weights in another way, translate:

        same(GRU(3, 5), nn.GRU(3, 5), x, mask, call=run_packed)       # run_packed(gru, x, mask) -> what ours returns
        same(ours, theirs, x, translate=lambda named: {…})           # torch's names -> ours, for weights and gradients

`keeps_contract(block, *inputs)` holds what a block's contract says to what the block does.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map

from workbench.fabric import Contract

Named = Mapping[str, Tensor]


def _unchanged(named: Named) -> Named:
    return named


def copy_weights(
    ours: nn.Module, theirs: nn.Module, translate: Callable[[Named], Named] = _unchanged
) -> None:
    """Load the state dict of `theirs` into `ours`; both become float64 and go into the mode of `theirs`."""
    theirs.double()
    ours.double().train(theirs.training)
    ours.load_state_dict(translate(theirs.state_dict()))  # type: ignore[arg-type]


def assert_same(
    ours: nn.Module,
    theirs: nn.Module,
    *inputs: Any,
    call: Callable[..., Any] | None = None,
    translate: Callable[[Named], Named] = _unchanged,
    rtol: float = 1e-9,
    atol: float = 1e-11,
) -> None:
    """Assert equal outputs, gradients of every input and parameter, and buffers afterwards.

    Inputs and outputs may be nested in tuples, integers, masks or None; floating inputs must be float64 and keep
    their strides. `call(theirs, *inputs)` replaces `theirs(*inputs)`. Both runs start from the same random state.
    """
    assert all(x.dtype == torch.float64 for x in tree_leaves(inputs) if _floating(x)), "float64 inputs only"
    copy_weights(ours, theirs, translate)
    got = _run(ours, ours, inputs)
    expected = _run(theirs, lambda *leaves: call(theirs, *leaves) if call else theirs(*leaves), inputs)
    for what, a, b in zip(("outputs", "gradients of inputs"), got, expected, strict=False):
        assert len(a) == len(b), f"{what}: {len(a)} of ours, {len(b)} of torch's"
        for number, (x, y) in enumerate(zip(a, b, strict=True)):
            _close(f"{what}[{number}]", x, y, rtol, atol)
    _close_named("gradient of", got[2], translate(expected[2]), rtol, atol)
    _close_named("state", ours.state_dict(), translate(theirs.state_dict()), rtol, atol)


def keeps_contract(block: Any, *inputs: Any) -> None:
    """Assert that inputs and outputs fit the block's contract, with numbers and on the meta device alike."""
    contract = Contract(block.contract)
    assert Contract(str(contract)) == contract
    outputs = block(*inputs)
    contract.check(inputs, outputs)
    planned = copy.deepcopy(block).to("meta")(*[x if x is None else x.to("meta") for x in inputs])
    assert [x.shape for x in tree_leaves(planned)] == [x.shape for x in tree_leaves(outputs)]


def draw(*shape: int, seed: int = 0) -> Tensor:
    """Normally distributed float64 numbers."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _run(module: nn.Module, call: Callable[..., Any], inputs: Any) -> tuple[list[Any], list[Any], Named]:
    """Outputs, gradients of the floating inputs and gradients by parameter, of a random weighting of the outputs."""
    leaves = tree_map(lambda x: x.detach().requires_grad_() if _floating(x) else x, inputs)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        outputs = tree_leaves(call(*leaves))
    weighted = [
        (y * draw(*y.shape, seed=i)).sum() for i, y in enumerate(outputs) if _floating(y) and y.requires_grad
    ]
    parameters = {name: p for name, p in module.named_parameters() if p.requires_grad}
    floats = [x for x in tree_leaves(leaves) if _floating(x)]
    sources = [*floats, *parameters.values()]
    gradients: tuple[Tensor, ...] = ()
    if sources and weighted:
        gradients = torch.autograd.grad(sum(weighted), sources, materialize_grads=True)  # type: ignore[arg-type]
    own = dict(zip(parameters, gradients[len(floats) :], strict=True))
    return outputs, list(gradients[: len(floats)]), own


def _floating(x: Any) -> bool:
    return isinstance(x, Tensor) and x.is_floating_point()


def _close_named(what: str, ours: Named, theirs: Named, rtol: float, atol: float) -> None:
    assert ours.keys() == theirs.keys()
    for name, x in ours.items():
        _close(f"{what} {name}", x, theirs[name], rtol, atol)


def _close(what: str, x: Any, y: Any, rtol: float, atol: float) -> None:
    if not isinstance(x, Tensor):
        assert x == y, f"{what}: {x} of ours, {y} of torch's"
        return
    torch.testing.assert_close(x, y, rtol=rtol, atol=atol, msg=lambda text: f"{what}: {text}")


@pytest.fixture(scope="session", name="same")
def _same() -> Callable[..., None]:
    """`assert_same`, above."""
    return assert_same


@pytest.fixture(scope="session", name="copy_weights")
def _copy_weights() -> Callable[..., None]:
    """`copy_weights`, above."""
    return copy_weights


@pytest.fixture(scope="session", name="draw")
def _draw() -> Callable[..., Tensor]:
    """`draw`, above."""
    return draw


@pytest.fixture(scope="session", name="keeps_contract")
def _keeps_contract() -> Callable[..., None]:
    """`keeps_contract`, above."""
    return keeps_contract
