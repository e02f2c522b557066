"""A fabric is a plain torch module: exported, compiled, nested in torch's own containers, moved and trained."""

import pytest
import torch
from torch import nn

from workbench.blocks.merge import Add
from workbench.fabric import Block, Fabric, Loop


def residual():
    return Fabric(
        "batch 4 -> batch 3", inner=nn.Linear(4, 4), sum=("x", "inner", Add()), head=nn.Linear(4, 3)
    )


def recurrent():
    step = Fabric(
        "x = batch: int, state = batch 4 -> y = batch 2, state = batch 4",
        embed=("x", nn.Embedding(5, 3)),
        cell=("embed", "state", Block(nn.GRUCell(3, 4), "x = batch 3, state = batch 4 -> batch 4")),
        head=nn.Linear(4, 2),
        returns=("head", "cell"),
    )
    return Fabric(
        "x = batch steps: int, state = batch 4 -> batch steps 2",
        loop=("x", "state", Loop(step, "x", {"state": "state"})),
    )


CASES = {
    "residual": (residual, lambda batch: (torch.randn(batch, 4),)),
    "recurrent": (recurrent, lambda batch: (torch.randint(0, 5, (batch, 6)), torch.randn(batch, 4))),
}


@pytest.mark.parametrize("case", CASES)
def test_export_with_a_free_batch_runs_again(case, tmp_path):
    make, inputs = CASES[case]
    model = make()
    given = inputs(3)
    free = tuple({0: torch.export.Dim.DYNAMIC} for _ in given)
    program = torch.export.export(model, given, dynamic_shapes=(free,), strict=False)
    torch.export.save(program, tmp_path / "model.pt2")
    again = torch.export.load(tmp_path / "model.pt2").module()
    for batch in (3, 7):
        other = inputs(batch)
        torch.testing.assert_close(again(*other), model(*other))


@pytest.mark.parametrize("case", CASES)
def test_compile_takes_the_whole_fabric_as_one_graph(case):
    make, inputs = CASES[case]
    model = make()
    # the eager backend: what is tested is that tracing needs no break, not a code generator
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    given = inputs(3)
    torch.testing.assert_close(compiled(*given), model(*given))


def test_it_lives_in_torchs_containers():
    outer = nn.Sequential(residual(), nn.ReLU(), Block(residual().part("head").module, "batch 4 -> batch 3"))
    with pytest.raises(ValueError, match="3, not 4"):
        outer(torch.randn(2, 4))
    fits = nn.Sequential(residual(), nn.ReLU(), nn.Linear(3, 1))
    assert fits(torch.randn(2, 4)).shape == (2, 1)
    assert len(list(fits.parameters())) == 6


def test_gradients_are_those_of_the_same_code_written_by_hand():
    model = residual().double()
    inner, head = model.part("inner").module, model.part("head").module
    x = torch.randn(5, 4, dtype=torch.float64, requires_grad=True)
    ours = torch.autograd.grad(model(x).square().sum(), [x, *model.parameters()])
    by_hand = torch.autograd.grad(head(x + inner(x)).square().sum(), [x, *model.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(ours, by_hand, strict=True))


def test_hooks_and_functional_calls_work():
    model, seen = residual(), []
    model.part("inner").register_forward_hook(lambda part, inputs, output: seen.append(output.shape))
    x = torch.randn(2, 4)
    model(x)
    assert seen == [(2, 4)]
    zeros = {name: torch.zeros_like(value) for name, value in model.named_parameters()}
    assert torch.equal(torch.func.functional_call(model, zeros, (x,)), torch.zeros(2, 3))
    batch = torch.func.vmap(model)(x[:, None])
    torch.testing.assert_close(batch[:, 0], model(x))
