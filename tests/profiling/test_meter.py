"""meter(): who did the work, what could not be counted, and that the model is left as it was."""

import copy
from functools import partial

import pytest
import torch
from torch import nn

import kernels
from workbench.profiling.meter import Work, meter


class Branches(nn.Module):
    """Two inputs, neither of which needs a gradient, and a head on both."""

    def __init__(self) -> None:
        super().__init__()
        self.picture = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU())
        self.name = nn.Sequential(nn.EmbeddingBag(11, 4), nn.Tanh())
        self.head = nn.Sequential(nn.Dropout(0.5), nn.Linear(12, 3))

    def forward(self, picture: torch.Tensor, name: torch.Tensor) -> torch.Tensor:
        return self.head(torch.cat([self.picture(picture), self.name(name)], dim=1))  # (batch, 3)


def inputs(batch: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(batch, 6), torch.randint(11, (batch, 7))


def test_paths_are_those_of_named_modules():
    model = Branches()
    count = meter(model, *inputs())
    leaves = {path for path, module in model.named_modules() if path != "head.0"}
    assert set(count.by_module) - {"head.0"} == leaves  # dropout may move nothing
    assert list(count.by_module)[:2] == ["", "picture"]  # parents before children


@pytest.mark.parametrize("backward", [False, True])
def test_a_module_holds_what_its_children_do(backward):
    count = meter(Branches(), *inputs(), backward=backward)
    assert count.by_module[""] == (count.flops, count.bytes)
    assert sum(work.flops for work in count.by_operation.values()) == count.flops
    assert sum(work.bytes for work in count.by_operation.values()) == count.bytes
    for parent, children in {"picture": 3, "name": 2}.items():
        parts = [count.by_module[f"{parent}.{i}"] for i in range(children)]
        assert count.by_module[parent] == tuple(map(sum, zip(*parts, strict=True)))


def test_backward_work_belongs_to_the_branch_that_caused_it():
    """torch's ModuleTracker would give the second branch's backward work to the first as well."""
    model = Branches().eval()
    both = meter(model, *inputs(), backward=True).by_module
    picture, name = inputs()
    alone = meter(model.picture, picture, backward=True).by_module[""]
    assert both["picture"].flops == alone.flops
    alone = meter(model.name, name, backward=True).by_module[""]
    assert both["name"].flops == alone.flops


def test_backward_of_a_linear_layer_without_input_gradient():
    picture = torch.randn(5, 6)
    count = meter(nn.Linear(6, 8, bias=False), picture, backward=True)
    assert count.flops == 2 * (2 * 5 * 6 * 8)  # forward, and the weight's gradient


def test_the_model_is_left_as_it_was():
    model = Branches()
    model.head[1].eval()
    model.head[1].weight.grad = torch.full((3, 12), 7.0)
    x, name = torch.randn(5, 6, requires_grad=True), inputs()[1]
    before, modes = copy.deepcopy(model.state_dict()), [part.training for part in model.modules()]
    storage = model.picture[1].running_mean.data_ptr()
    random = torch.get_rng_state()
    meter(model, x, name, backward=True)
    after = model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert model.picture[1].running_mean.data_ptr() == storage
    assert [part.training for part in model.modules()] == modes
    assert x.grad is None
    assert [name for name, p in model.named_parameters() if p.grad is not None] == ["head.1.weight"]
    assert torch.equal(model.head[1].weight.grad, torch.full((3, 12), 7.0))
    assert torch.equal(torch.get_rng_state(), random)
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in model.modules())


def test_buffers_come_back_even_after_an_error():
    class Fails(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("calls", torch.zeros(()))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.calls = self.calls + 1
            raise RuntimeError("inside")

    model = Fails()
    calls = model.calls
    with pytest.raises(RuntimeError, match="inside"):
        meter(model, torch.ones(1))
    assert model.calls is calls
    assert model.calls == 0


def test_counting_twice_gives_the_same():
    model, given = Branches(), inputs()
    assert meter(model, *given, backward=True) == meter(model, *given, backward=True)


def test_inference_mode_and_meta_count_the_same():
    model, given = Branches().eval(), inputs()
    expected = meter(model, *given)
    with torch.inference_mode():
        assert meter(model, *given).flops == expected.flops
    meta = meter(copy.deepcopy(model).to("meta"), *(x.to("meta") for x in given))
    assert meta.flops == expected.flops
    assert meta.by_operation["addmm"] == expected.by_operation["addmm"]


def test_recomputation_is_counted():
    model = nn.Sequential(
        nn.Linear(6, 6), nn.Tanh()
    )  # tanh's gradient needs its output: all is computed again
    x = torch.randn(4, 6, requires_grad=True)
    forward, both = meter(model, x).flops, meter(model, x, backward=True).flops
    checkpointed = partial(torch.utils.checkpoint.checkpoint, model, use_reentrant=False)
    assert meter(checkpointed, x, backward=True).flops == both + forward


def test_a_function_of_several_modules_names_them_by_class():
    first, second = nn.Linear(6, 4), nn.Tanh()
    count = meter(lambda x: second(first(x)), torch.randn(2, 6))
    assert count.by_module["Linear"].flops == 2 * 2 * 6 * 4
    assert count.by_module["Tanh"] == Work(8, 64)


@pytest.mark.parametrize("backward", [False, True])
def test_our_operations_are_counted_by_their_ledger(backward):
    x, bias = torch.randn(6, 10, requires_grad=True), torch.randn(10, requires_grad=True)
    count = meter(kernels.bias_gelu, x, bias, backward=backward)
    ledger = kernels.ledger("bias_gelu", x, bias)
    assert count.by_operation["workbench::bias_gelu"] == (ledger.flops, ledger.bytes)
    assert count.uncounted == {}
    back = kernels.ledger("bias_gelu_backward", x, x, bias, "none", True, True)
    assert count.bytes - ledger.bytes >= backward * (
        back.bytes - x.nbytes
    )  # the gradient of a sum is one number


@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_the_unfused_chain_counts_as_the_ledger_says(approximate):
    x, bias = torch.randn(6, 10), torch.randn(10)
    count = meter(lambda: torch.nn.functional.gelu(x + bias, approximate=approximate))
    ledger = kernels.ledger("bias_gelu", x, bias, approximate).unfused
    assert (count.flops, count.bytes) == (ledger.flops, ledger.bytes)


def test_table_is_one_screen():
    model = nn.Sequential(*(nn.Sequential(nn.Linear(4, 4), nn.Tanh()) for _ in range(20)))
    lines = meter(model, torch.randn(2, 4)).table().splitlines()
    assert len(lines) < 40
    assert max(map(len, lines)) < 100
    assert any("more" in line for line in lines)
    assert meter(model, torch.randn(2, 4))._repr_html_().startswith("<pre>")


def test_bad_input_is_named():
    with pytest.raises(TypeError, match=r"model.*Tensor"):
        meter(torch.ones(2))
    with pytest.raises(ValueError, match="lazy"):
        meter(nn.LazyLinear(3), torch.randn(2, 4))
    with pytest.raises(ValueError, match=r"backward.*gradient"):
        meter(torch.sin, torch.randn(3), backward=True)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_counts_as_the_cpu_does():
    model, given = Branches().eval(), inputs()
    expected = meter(model, *given, backward=True)
    there = meter(copy.deepcopy(model).cuda(), *(x.cuda() for x in given), backward=True)
    assert there.by_module["picture.0"] == expected.by_module["picture.0"]
    assert there.by_module["head.1"] == expected.by_module["head.1"]
