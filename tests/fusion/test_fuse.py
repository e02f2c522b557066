"""The driver: what goes in and what comes out, whatever the model; several rules at once; what it cannot do."""

import copy
import math

import pytest
import torch
from torch import nn

from workbench import blocks
from workbench.data import load_fashion_mnist
from workbench.fusion import FusionError, fuse
from workbench.fusion.rewrite import Rewrite, Site
from workbench.fusion.rules.drop_identity import find as drop_identity
from workbench.fusion.rules.fold_batchnorm import find as fold_batchnorm
from workbench.training.fashion import examples, load_fashion_conv_bn

X = torch.randn(2, 3, 7, 6, generator=torch.Generator().manual_seed(1))


def stages():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, bias=False), nn.Dropout(), nn.BatchNorm2d(8), nn.ReLU(inplace=True),
        nn.Conv2d(8, 4, 1), nn.Identity(), nn.BatchNorm2d(4), nn.Dropout2d(),
    )  # fmt: skip


class Does(nn.Module):
    def __init__(self, does, **parts):
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, part)
        self.does = does

    def forward(self, *inputs):
        return self.does(self, *inputs)


def test_what_one_rule_clears_away_another_can_use(lived_in, exact):
    report = exact(lived_in(stages()), X)
    assert [rewrite.what for rewrite in report.rewrites].count("fold BatchNorm") == 2
    assert [type(part) for part in report.model.children()] == [nn.Conv2d, nn.ReLU, nn.Conv2d]
    assert not report.refused


def test_rules_can_be_chosen(lived_in, exact):
    model = lived_in(stages())
    assert {one.what for one in exact(model, X, rules=(drop_identity,)).rewrites} == {
        "drop identity",
        "drop dropout",
    }
    assert not exact(model, X, rules=(fold_batchnorm,)).rewrites
    assert not exact(model, X, rules=()).rewrites


def test_the_new_model_is_an_ordinary_module(lived_in, exact):
    model = lived_in(stages())
    fused = exact(model, (X,)).model
    for batch in (0, 1, 5):
        x = torch.randn(batch, 3, 9, 8)
        torch.testing.assert_close(fused(x), model(x))
    twin = copy.deepcopy(fused)
    twin.load_state_dict(fused.state_dict())
    torch.testing.assert_close(twin.double()(X.double()), model(X).double(), rtol=1e-4, atol=1e-5)
    fused(X).sum().backward()
    assert all(parameter.grad is not None for parameter in fused.parameters())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_fusing_what_is_fused_finds_nothing_more(lived_in, exact):
    once = exact(lived_in(stages()), X)
    again = exact(once.model, X)
    assert not again.rewrites
    torch.testing.assert_close(again.model(X), once.model(X))


@pytest.mark.parametrize(
    ("model", "x"),
    [
        (nn.Linear(6, 2), X),
        (nn.GELU(), X),
        (blocks.Conv2d(3, 2, 3), X),
        (blocks.LayerNorm(6), X),
        (nn.BatchNorm2d(3).eval(), X),
        (nn.BatchNorm2d(3).train(), X),
        (nn.Sequential(), X),
        (nn.TransformerEncoderLayer(6, 2, 8, batch_first=True).eval(), X[0]),
        (nn.LSTM(6, 4), X[0]),
    ],
)
def test_a_model_of_one_part(exact, model, x):
    report = exact(model, x)
    assert not report.rewrites
    torch.testing.assert_close(report.model(x), model(x))


def test_frozen_parameters_stay_frozen(lived_in, exact):
    model = lived_in(stages()).requires_grad_(False)
    model[4].weight.requires_grad_(True)
    fused = exact(model, X).model
    assert [parameter.requires_grad for parameter in fused.parameters()] == [False, False, True, True]


@pytest.mark.parametrize(
    "does",
    [
        lambda m, x: {"logits": m.net(x), "shape": x.shape},
        lambda m, x: [m.net(x), (m.net[0](x), None)],
        lambda m, x: (m.net(x).argmax(1), m.net(x).mean().item()),
        lambda m, x: m.net(x).to(torch.complex64) * 1j,
        lambda m, x: m.net(x.add_(1)),  # writes into its input
    ],
)
def test_any_structure_comes_out(lived_in, exact, does):
    model = lived_in(Does(does, net=stages()))
    expected = model(X.clone())
    x = X.clone()
    report = exact(model, x)
    assert torch.equal(x, X)
    torch.testing.assert_close(report.model(X.clone()), expected, rtol=1e-4, atol=1e-5)


def test_several_inputs_and_none(lived_in, exact):
    def forward(model, x, scale, mask=None, times=1):
        y = model.net(x) * scale["scale"] * times
        return y if mask is None else y.masked_fill(mask, 0)

    model = lived_in(Does(forward, net=stages()))
    scale = {"scale": torch.randn(4, 1, 1)}
    mask = torch.rand(2, 4, 5, 4) < 0.5
    for others in ((), (None,), (mask,), (mask, 3)):
        report = exact(model, (X, scale, *others))
        assert len(report.rewrites) == 5
        torch.testing.assert_close(
            report.model(X, scale, *others), model(X, scale, *others), rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(lived_in, dtype):
    model, x = lived_in(stages()).to(dtype), X.to(dtype)
    report = fuse(model, x)
    assert len(report.rewrites) == 5
    assert {parameter.dtype for parameter in report.model.parameters()} == {dtype}
    assert report.max_error < 0.1
    assert report.max_error_float64 <= 1e-12


def a_little_more(traced):
    """A rule that is off by 1e-9: more than float64 rounds, less than float32 does."""
    if isinstance(traced.get_submodule("relu"), nn.ReLU):
        yield Site(Rewrite("more", "relu", ""), lambda: traced.set_submodule("relu", More()))


class More(nn.Module):
    def forward(self, x):
        return torch.relu(x) * (1 + 1e-9)


def test_a_model_that_rounds_on_the_way_is_judged_by_what_it_rounds_to():
    exactly = fuse(Does(lambda m, x: m.relu(x), relu=nn.ReLU()), X, rules=(a_little_more,))
    assert not exactly.rewrites
    assert "it would change the result: the result is off by 1.0e-09" in exactly.refused[0].why
    rounding = fuse(Does(lambda m, x: m.relu(x) + x.float(), relu=nn.ReLU()), X, rules=(a_little_more,))
    assert len(rounding.rewrites) == 1
    assert 1e-10 < rounding.max_error_float64 < 1e-8


def test_a_model_that_enlarges_its_own_rounding_is_not_refused_for_it(lived_in):
    """bfloat16 has three digits, and fifty times their rounding is any angle: in the unfused model, too."""
    model = lived_in(Does(lambda m, x: torch.sin(50 * m.net(x)), net=stages())).to(torch.bfloat16)
    report = fuse(model, X.to(torch.bfloat16))
    assert len(report.rewrites) == 6  # the fifty, too
    assert report.max_error > 0.2
    assert report.max_error_float64 < 1e-12


def test_a_model_that_takes_no_float64_is_judged_as_it_is(lived_in):
    model = lived_in(Does(lambda m, x: m.net(x) @ m.fixed, net=stages(), fixed=torch.randn(4, 2)))
    report = fuse(model, X)
    assert len(report.rewrites) == 5
    assert math.isnan(report.max_error_float64)
    assert report.max_error < 1e-5


def test_bad_arguments():
    with pytest.raises(TypeError, match=r"model: expected a torch\.nn\.Module, got function"):
        fuse(lambda x: x, X)
    with pytest.raises(RuntimeError, match="mat1 and mat2"):  # the model's own complaint
        fuse(nn.Linear(5, 2), X)
    with pytest.raises(TypeError, match="positional arguments"):
        fuse(nn.Linear(6, 2), (X, X))
    uncopied = nn.Linear(6, 2)
    uncopied.generator = (number for number in range(3))
    with pytest.raises(FusionError, match="the model cannot be copied: cannot pickle 'generator'"):
        fuse(uncopied, X)


def test_the_fashion_network_keeps_every_answer(exact):
    model = load_fashion_conv_bn()
    pictures = examples(load_fashion_mnist().test)[0][:300]
    report = exact(model, pictures[:8])
    assert not any(isinstance(part, nn.BatchNorm2d) for part in report.model.modules())
    assert torch.equal(report.model(pictures).argmax(-1), model(pictures).argmax(-1))


def test_many_threads_change_nothing(lived_in, exact):
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        assert len(exact(lived_in(stages()), torch.randn(4, 3, 32, 32)).rewrites) == 5
    finally:
        torch.set_num_threads(threads)
